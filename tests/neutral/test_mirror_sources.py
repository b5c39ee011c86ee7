"""The two mirrors' sources side by side, without importing a framework: the same modules, names and parameters."""

import ast
from pathlib import Path

import pytest

import tlhelpers

PACKAGE = Path(tlhelpers.__file__).parent
# What one framework alone needs. Anything else must stand in both.
ONE_SIDED = {"adam", "pretrain", "quiet_start", "vision_transformer"}
# These also have functions for their own mirror; what they offer to learners is held together by TestParity.
WITH_PARTS_OF_THEIR_OWN = {"backbones", "features", "mini_resnet", "precision", "training"}
MODULES = sorted({path.stem for name in ("pytorch", "tensorflow") for path in (PACKAGE / name).glob("[a-z]*.py")})


def read_functions(framework: str, module: str) -> dict[str, str]:
    """Parameters, with defaults and without types, of each public function of a module."""
    tree = ast.parse((PACKAGE / framework / f"{module}.py").read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            found[node.name] = ast.unparse(node.args)
    return found


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ONE_SIDED])
def test_a_module_of_one_mirror_has_its_partner_in_the_other(module):
    for framework in ("pytorch", "tensorflow"):
        assert (PACKAGE / framework / f"{module}.py").exists()


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ONE_SIDED | WITH_PARTS_OF_THEIR_OWN])
def test_public_functions_have_the_same_parameters(module):
    assert read_functions("pytorch", module) == read_functions("tensorflow", module)

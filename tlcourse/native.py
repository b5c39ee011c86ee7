"""How much of its framework a lesson speaks: calls counted in its code, and the acts of the native rule that it shows.

The native rule: each act on a network stands in the open, in the public API that its documentation teaches, before any
helper does it.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tlcourse.ledger import markdown_table
from tlcourse.lessons import Lesson, lesson_number
from tlcourse.source_cells import strip_magics
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS

PACKAGES = {"pytorch": ("torch", "torchvision", "timm"), "tensorflow": ("keras", "tensorflow")}
ALIASES = {  # the customary names, where a notebook's imports do not say what they are
    "pytorch": {
        "nn": "torch.nn",
        "optim": "torch.optim",
        "F": "torch.nn.functional",
        "v2": "torchvision.transforms.v2",
    },
    "tensorflow": {"tf": "tensorflow", "layers": "keras.layers"},
}
# Each act, and the pieces of code by which it is known: all of them, where " | " stands between two one of these, and
# "..." for anything on the same line. The code is compared as `ast.unparse` writes it: no comments, single quotes.
NATIVE_RULE = {
    "a pretrained model and its preprocessing": {
        "pytorch": ("get_model(", ".transforms()", "timm.create_model("),
        "tensorflow": ("applications.", "include_top=False", "pooling='avg'", "preprocess_input | Rescaling("),
    },
    "look inside": {
        "pytorch": (
            "print(model | print(network | print(net",
            "named_modules( | named_children(",
            "register_forward_hook(",
        ),
        "tensorflow": (".summary(", ".get_layer(", "Model("),
    },
    "a data pipeline": {
        "pytorch": ("(Dataset) | ImageFolder(", "DataLoader(", "v2."),
        "tensorflow": ("tf.data.Dataset", "image_dataset_from_directory(", "layers.Random"),
    },
    "cut, replace the head": {
        "pytorch": (".fc = | .classifier = | .head = | setattr(", "nn.Linear(", ".in_features"),
        "tensorflow": ("Dense(", "training=False", "Model("),
    },
    "freeze, and verify it": {
        "pytorch": ("requires_grad = False | requires_grad_(False)", ".eval()", "named_parameters("),
        "tensorflow": (".trainable = False", "trainable_weights | trainable_variables", "training=False"),
    },
    "train": {
        "pytorch": (
            ".train()",
            "cross_entropy( | CrossEntropyLoss(",
            "zero_grad(",
            ".backward()",
            ".step()",
            "lr_scheduler.",
        ),
        "tensorflow": (
            ".compile(",
            ".fit(",
            "EarlyStopping(",
            "ModelCheckpoint(",
            "schedules. | ReduceLROnPlateau( | LearningRateScheduler(",
            "GradientTape(",
        ),
    },
    "fine-tune": {
        "pytorch": ("'params':", "'lr':"),
        "tensorflow": (".trainable = True", ".trainable = False", ".compile("),
    },
    "predict, evaluate": {
        "pytorch": (".eval()", "inference_mode("),
        "tensorflow": (".predict(", ".evaluate("),
    },
    "save, load": {
        "pytorch": ("state_dict(", "save_file( | save_model(", "torch.load(...weights_only=True"),
        "tensorflow": (".save(", ".keras", "load_model(", "save_weights( | load_weights("),
    },
    "device, precision": {
        "pytorch": (".to(device", "autocast(", "channels_last"),
        "tensorflow": ("mixed_precision", "jit_compile"),
    },
}


@dataclass(frozen=True)
class Native:
    """What was counted in the notebook of one framework."""

    calls: Counter[str]  # of the framework, by their whole names, in all code cells
    own_calls: Counter[str]  # the same, without the texts that a cell shows of the toolbox
    missing: dict[str, list[str]]  # act -> pieces of code by which it is known, and that it lacks

    @property
    def met(self) -> int:
        """How many acts of the native rule it shows."""
        return len(NATIVE_RULE) - len(self.missing)


def measure(lesson: Lesson, framework: str) -> Native:
    """Counts in the code cells of one framework's notebook."""
    cells = [cell for cell in lesson.cells if cell.kind == "code" and cell.belongs_to("en", framework)]
    whole, own = ([ast.parse(strip_magics(text)) for text in texts] for texts in (
        [cell.text for cell in cells], [cell.source for cell in cells]
    ))  # fmt: skip
    names = ALIASES[framework] | dict(pair for tree in whole for pair in _imports(tree))
    code = "\n".join(map(_plain, whole))
    missing = {
        act: lacking
        for act, pieces in NATIVE_RULE.items()
        if (lacking := [piece for piece in pieces[framework] if not _pattern(piece).search(code)])
    }
    return Native(_calls(whole, names, framework), _calls(own, names, framework), missing)


def report(lessons: list[Lesson]) -> str:
    """Two tables, what each lesson calls and which acts it shows; of a single lesson also what is missing."""
    found = {(lesson.name, name): measure(lesson, name) for lesson in lessons for name in FRAMEWORKS}
    heads = ["Lesson", "Framework", "Calls", "distinct", "without shown tools", "distinct", "Acts shown"]
    rows = [
        [
            lesson,
            FRAMEWORK_NAMES[framework],
            *(n.calls.total(), len(n.calls), n.own_calls.total(), len(n.own_calls)),
            f"{n.met} of {len(NATIVE_RULE)}",
        ]
        for (lesson, framework), n in found.items()
    ]
    columns = [f"{lesson_number(lesson)} {'PT' if framework == 'pytorch' else 'TF'}" for lesson, framework in found]
    acts = [[act, *("–" if act in n.missing else "yes" for n in found.values())] for act in NATIVE_RULE]
    parts = [markdown_table(heads, rows), markdown_table(["Act", *columns], acts)]
    if len(lessons) == 1:
        parts += [
            f"{FRAMEWORK_NAMES[framework]}, {act}, lacks: {', '.join(pieces).replace(' | ', ' or ')}"
            for (_, framework), n in found.items()
            for act, pieces in n.missing.items()
        ]
    return "\n\n".join(parts)


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each name that a cell imports, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (root, root)


def _calls(trees: list[ast.AST], names: dict[str, str], framework: str) -> Counter[str]:
    """The calls whose dotted name begins with something of the framework."""
    found: Counter[str] = Counter()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and (dotted := _dotted(node.func)):
            root, _, rest = dotted.partition(".")
            whole = names.get(root, root) + ("." + rest if rest else "")
            if whole.split(".")[0] in PACKAGES[framework]:
                found[whole] += 1
    return found


def _dotted(node: ast.AST) -> str:
    """`torch.nn.Linear` of such an expression; empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    before = _dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before else ""


def _plain(tree: ast.AST) -> str:
    """The code without comments and docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [part for part in body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
            node.body = kept or [ast.Pass()]
    return ast.unparse(tree)


def _pattern(piece: str) -> re.Pattern:
    return re.compile("|".join(re.escape(part).replace(r"\.\.\.", ".*") for part in piece.split(" | ")))

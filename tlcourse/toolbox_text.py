"""The text of the toolbox's functions, classes and constants, read from their files without importing them.

A cell `# %% framework="pytorch" shows="tlhelpers.pytorch.training.fit"` of a lesson gets the text that this module
reads, so that what the learner sees and what later lessons import are one text.
"""

import ast
import difflib
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tlhelpers
from tlcourse.errors import LessonError

PACKAGES = Path(tlhelpers.__file__).resolve().parents[1]  # the folder that holds the package tlhelpers
TOOLBOXES = ("tlhelpers.pytorch", "tlhelpers.tensorflow")
MOST_LINES = {"function": 45, "class": 60}  # what a learner reads in one piece
MOST_FOLDED_LINES = 90


@dataclass(frozen=True)
class Tool:
    """One function, class or constant of the package, as it stands in its file."""

    name: str  # such as tlhelpers.pytorch.training.fit
    kind: str  # "function", "class" or "constant"
    text: str  # with its decorators, and the comment right above it
    line: int  # where the text begins, from 1
    path: Path
    own: frozenset[str]  # what it uses of its module and of the toolbox, by whole names
    needs: frozenset[str]  # the names around it that it uses: a notebook has to define or import them
    node: ast.AST

    @property
    def module(self) -> str:
        """The module's whole name."""
        return self.name.rpartition(".")[0]

    @property
    def short(self) -> str:
        """Its name in its module."""
        return self.name.rpartition(".")[2]


def in_toolbox(name: str) -> bool:
    """Whether a dotted name lies in one of the two framework packages, where all must be shown."""
    return any(name == package or name.startswith(package + ".") for package in TOOLBOXES)


def read_tool(name: str) -> Tool:
    """Reads one object of tlhelpers.

    Args:
        name: Its whole name, such as `tlhelpers.pytorch.training.fit`.

    Raises:
        LessonError: No such module, or no such object in it.
    """
    module, _, short = name.rpartition(".")
    path = module_path(module)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    objects = dict(_objects(tree))
    if short not in objects:
        close = difflib.get_close_matches(short, objects, n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]!r}?" if close else f"It has: {', '.join(objects) or 'nothing'}."
        raise LessonError(f"expected a function, class or constant of {module}, came {short!r}. {hint}")
    node = objects[short]
    lines = text.splitlines()
    first = min(part.lineno for part in (node, *getattr(node, "decorator_list", ())))
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    shown = "\n".join(lines[first - 1 : node.end_lineno])
    own, needs = _names_used(shown, module, tree, set(objects) - {short})
    kind = {ast.FunctionDef: "function", ast.ClassDef: "class"}.get(type(node), "constant")
    return Tool(name, kind, shown, first, path, frozenset(own), frozenset(needs), node)


def module_path(module: str) -> Path:
    """The file of a module of tlhelpers.

    Raises:
        LessonError: No such module.
    """
    path = PACKAGES.joinpath(*module.split("."))
    found = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    if module.split(".")[0] == "tlhelpers" and found:
        return found[0]
    beside = {p.stem if p.is_file() else p.name for p in path.parent.glob("*") if p.suffix in (".py", "")}
    close = difflib.get_close_matches(path.name, sorted(beside), n=1, cutoff=0.5)
    hint = f"Did you mean {module.rpartition('.')[0]}.{close[0]}?" if close else "Give the whole name."
    raise LessonError(f"expected a module of tlhelpers, such as tlhelpers.metrics, came {module!r}. {hint}")


def join_texts(tools: list[Tool], body: str = "") -> str:
    """The texts of tools one below the other, then the cell's own code, with blank lines as PEP 8 asks for."""
    parts = [(tool.kind, tool.text) for tool in tools] + ([("code", body)] if body.strip() else [])
    text, before = "", ""
    for kind, part in parts:
        definition = {kind, before} & {"function", "class"}
        gap = "" if not text else "\n\n\n" if definition else "\n\n" if kind == "code" else "\n"
        text, before = text + gap + part.rstrip("\n"), kind
    return text


def check_length(tool: Tool, folded: bool) -> None:
    """Refuses what is too long to be read in one piece.

    Raises:
        LessonError: With its length and what to do.
    """
    most = MOST_FOLDED_LINES if folded and tool.kind != "constant" else MOST_LINES.get(tool.kind, MOST_FOLDED_LINES)
    length = len(tool.text.splitlines())
    if length > most:
        raise LessonError(
            f"expected at most {most} lines of a {tool.kind} that a lesson shows, came {length} of {tool.name}. "
            + ("Divide it." if folded else f'Divide it, or fold the cell with tags=["folded"] ({MOST_FOLDED_LINES}).')
        )


def _objects(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """What a module defines, by name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, node) for target in targets if isinstance(target, ast.Name))


def _names_used(text: str, module: str, tree: ast.Module, siblings: set[str]) -> tuple[set[str], set[str]]:
    """What a text uses from around it: whole names of its module and of the toolbox, and the names as they stand."""
    body = ast.parse(text)
    imports, inside = _imports(tree), _imports(body)  # a function may import late, inside itself
    used = set(_global_names(symtable.symtable(text, module, "exec")))
    own = {f"{module}.{name}" for name in used & siblings}
    for name in used & set(imports) | set(inside):
        if in_toolbox(imports[name]):
            own |= from_module([body], name, imports[name]) if is_module(imports[name]) else {imports[name]}
    return own, used & (siblings | set(imports))


def from_module(trees: list[ast.AST], name: str, module: str) -> set[str]:
    """The whole names of what code takes from a module that it knows by a name, as in `mini_resnet.MiniResNet`.

    Where the module is handed on as a value, all of it that the code mentions anywhere counts.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    taken = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == name}
    if sum(isinstance(node, ast.Name) and node.id == name for node in nodes) > sum(
        isinstance(node.value, ast.Name) and node.value.id == name for node in attributes
    ):
        mentioned = {node.attr for node in attributes} | {n.value for n in nodes if isinstance(n, ast.Constant)}
        taken |= mentioned & set(dict(_objects(ast.parse(module_path(module).read_text(encoding="utf-8")))))
    return {f"{module}.{short}" for short in taken}


def is_module(name: str) -> bool:
    """Whether a whole name is that of a module or package of tlhelpers."""
    path = PACKAGES.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _imports(tree: ast.AST) -> dict[str, str]:
    """Where each imported name of a text comes from, such as `{"F": "torch.nn.functional"}`."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                found[alias.asname or root] = alias.name if alias.asname else root
    return found


def _global_names(table: symtable.SymbolTable, top: bool = True) -> Iterator[str]:
    """The names that a text takes from outside itself."""
    for symbol in table.get_symbols():
        outside = not (symbol.is_assigned() or symbol.is_imported()) if top else symbol.is_global()
        if outside and symbol.is_referenced():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _global_names(child, top=False)

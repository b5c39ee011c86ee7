"""A function as a grader calls it: its cell, and of the other cells only what they import, define or set to a constant.

The lab's check and the grader both run a cell in this way, so that what one accepts the other can run.
"""

import ast
import builtins
from collections.abc import Iterator, Sequence

import numpy as np


def run_alone(sources: Sequence[str | None], place: int) -> dict[str, object]:
    """Runs one cell of a notebook with what it needs of the others, in a namespace of its own that has `np`.

    Args:
        sources: The source of each cell in its order; None for one without code.
        place: Which cell.

    Returns:
        The namespace. Exceptions of the code come as they are.
    """
    own = _parse(sources[place] or "", strict=True)
    offered: dict[str, ast.stmt] = {}
    everything: list[ast.stmt] = []  # from x import *
    for number, source in enumerate(sources):
        for statement in _parse(source or "").body if number != place else ():
            names = list(_names_made(statement))
            everything += [statement] * ("*" in names)
            offered.update(dict.fromkeys(names, statement))
    asked, needed = [own], []
    for tree in asked:  # grows: what is needed may need something itself
        for name in _names_used(tree) & offered.keys():
            if offered[name] not in needed:
                needed.append(offered[name])
                asked.append(offered[name])
    if _names_used(own) - offered.keys() - set(dir(builtins)):
        needed += everything
    order = list(offered.values()) + everything
    scope: dict[str, object] = {"__name__": "__main__", "np": np}
    for body in (sorted(needed, key=order.index), own.body):
        exec(compile(ast.Module(body, []), "cell", "exec"), scope)
    return scope


def cell_of(sources: Sequence[str | None], function: str) -> int | None:
    """The last cell that defines a function of this name; None where there is none."""
    for place in reversed(range(len(sources))):
        if any(function in _names_made(statement) for statement in _parse(sources[place] or "").body):
            return place
    return None


def _parse(source: str, strict: bool = False) -> ast.Module:
    """A cell as Python; IPython's own lines (`%matplotlib inline`, `!ls`) do nothing."""
    lines = [
        f"{line[: -len(line.lstrip())]}pass" if line.lstrip().startswith(("%", "!")) else line
        for line in source.splitlines()
    ]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        if strict:
            raise
        return ast.Module([], [])


def _names_made(statement: ast.stmt) -> Iterator[str]:
    """Names that an import, a definition or a constant brings."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or (alias.name if isinstance(statement, ast.ImportFrom) else alias.name.split(".")[0])
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign) and _is_constant(statement.value):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def _is_constant(value: ast.expr) -> bool:
    if isinstance(value, ast.Lambda):
        return True
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _names_used(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}

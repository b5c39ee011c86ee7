"""A function as a grader calls it: its cell, and of the other cells only what they import, define or set to a constant.

The lab's check and the grader both run a cell and compare what it returns in this way, so that what one accepts the
other accepts.
"""

import ast
import builtins
import json
import math
from collections.abc import Iterator, Sequence

import numpy as np


def run_alone(sources: Sequence[str | None], place: int) -> dict[str, object]:
    """Runs one cell of a notebook with what it needs of the others, in a namespace of its own that has `np`.

    Args:
        sources: The source of each cell in its order; None for one without code. Of what several define, the last
            before the cell counts, and only where there is none the first after it.
        place: Which cell.

    Returns:
        The namespace. Exceptions of the code come as they are.
    """
    own = _parse(sources[place] or "", strict=True)
    offered: dict[str, ast.stmt] = {}
    everything: list[ast.stmt] = []  # from x import *
    order: list[ast.stmt] = []
    for number, source in enumerate(sources):
        for statement in _parse(source or "").body if number != place else ():
            order.append(statement)
            for name in _names_made(statement):
                everything += [statement] * (name == "*")
                if number < place or name not in offered:
                    offered[name] = statement
    asked, needed = [own], []
    for tree in asked:  # grows: what is needed may need something itself
        for name in _names_used(tree) & offered.keys():
            if offered[name] not in needed:
                needed.append(offered[name])
                asked.append(offered[name])
    if _names_used(own) - offered.keys() - set(dir(builtins)):
        needed += everything
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


def as_json(value: object) -> object:
    """What a function returned, as JSON has it: arrays, tensors and tuples become lists, a set one that is sorted.

    Raises:
        TypeError, ValueError, RecursionError: JSON has nothing of the kind.
    """
    return json.loads(json.dumps(value, default=_plain, allow_nan=False))


def equal_json(came: object, expected: object, tolerance: float = 1e-3) -> bool:
    """Whether two values as `json.loads` gives them are equal: fractions to a tolerance, all else exactly.

    `True` is not 1, and NaN equals nothing. A list of another length, or an object with other keys, is unequal.
    """
    if isinstance(expected, bool) or expected is None:
        return came is expected
    if isinstance(expected, int | float):
        if isinstance(came, bool) or not isinstance(came, int | float):
            return False
        tolerance = 1e-9 if isinstance(expected, int) else tolerance  # a count, also where it came as 2.0
        try:
            return math.isclose(came, expected, rel_tol=tolerance, abs_tol=tolerance)
        except OverflowError:  # an integer that no float holds
            return False
    if type(came) is not type(expected):
        return False
    if isinstance(expected, list):
        return len(came) == len(expected) and all(map(lambda a, b: equal_json(a, b, tolerance), came, expected))
    if isinstance(expected, dict):
        return came.keys() == expected.keys() and all(equal_json(came[k], expected[k], tolerance) for k in expected)
    return came == expected


def _plain(value):
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "numpy"):  # a tensor
        return value.numpy().tolist()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _parse(source: str, strict: bool = False) -> ast.Module:
    """A cell as Python; IPython's own lines (`%matplotlib inline`, `!ls`) do nothing."""
    lines = [
        f"{line[: -len(line.lstrip())]}pass" if line.lstrip().startswith(("%", "!")) else line
        for line in source.splitlines()
    ]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
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

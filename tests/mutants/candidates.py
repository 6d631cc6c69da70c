"""Which changes of a module are tried: those of cosmic-ray that may change an answer, in an order that edits elsewhere do not disturb."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkItem

ARITHMETIC, BITS, SHIFTS = (
    {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"},
    {"BitAnd", "BitOr", "BitXor"},
    {"LShift", "RShift"},
)
SHOWN = {"__repr__", "_repr_html_"}  # functions that only show
Span = tuple[tuple[int, int], tuple[int, int]]


def sample(module: Path, size: int, seed: int) -> tuple[list[WorkItem], int]:
    """The first mutants of a module in an order by hash, and how many there are to draw from.

    A mutant's hash is of what it changes (operator, line, place in the line), not of where the line stands, so a sample lives
    through edits of other lines. Those that are no Python, or the same program, are passed over.
    """
    code = module.read_text(encoding="utf-8")
    lines, skipped = code.splitlines(), untouchable(code)
    seen: dict[str, int] = {}
    drawn: list[tuple[str, MutationSpec]] = []
    for mutation in _all(module):
        if not _telling(mutation.operator_name) or any(start <= mutation.start_pos < end for start, end in skipped):
            continue
        line = lines[mutation.start_pos[0] - 1].strip()
        what = f"{seed} {module} {mutation.operator_name} {mutation.definition_name} {line} {mutation.start_pos[1]}"
        seen[what] = seen.get(what, 0) + 1  # of equal lines in one function, and of the changes of one number
        drawn.append((hashlib.sha256(f"{what} {seen[what]}".encode()).hexdigest(), mutation))
    drawn.sort(key=lambda pair: pair[0])
    found = []
    for digest, mutation in drawn:
        if len(found) == size:
            break
        if _differs(code, mutation):
            found.append(WorkItem.single(digest[:16], mutation))
    return found, len(drawn)


def untouchable(code: str) -> list[Span]:
    """Parts of a module that cannot change an answer.

    Annotations, imports, decorators (caches, dataclasses), the signs in a signature, what is raised, the text made by f-strings,
    assertions for the type checker, and functions that only show. The conditions under which something is raised do count.
    """
    lines = code.splitlines()

    def at(line: int, byte: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:byte].decode())

    def span(node: ast.AST) -> Span:
        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)

    found: list[Span] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
            found.append(span(node))
        elif isinstance(node, ast.AnnAssign):
            found.append(span(node.annotation))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found += [span(decorator) for decorator in node.decorator_list]
            if isinstance(node, ast.FunctionDef):
                found += [span(node)] if node.name in SHOWN else _signature(node, span)
    return found


def _signature(function: ast.FunctionDef, span: object) -> list[Span]:
    """A signature without its default values."""
    defaults = [span(d) for d in (*function.args.defaults, *function.args.kw_defaults) if d is not None]
    start, gaps = span(function)[0], []
    for low, high in sorted(defaults):
        gaps.append((start, low))
        start = high
    return [*gaps, (start, span(function.body[0])[0])]


def _telling(operator: str) -> bool:
    """Whether an operator's changes are more than a crash or the same again: no shift of a float, no ``is`` for ``==``."""
    name = operator.rpartition("/")[2]
    change = re.fullmatch(r"Replace(Binary|Comparison|Unary)Operator_([A-Za-z]+)_([A-Za-z]+)", name)
    if change is None:
        return name != "RemoveDecorator"
    kind, old, new = change.groups()
    if kind == "Unary":
        return old == "Delete"
    if kind == "Comparison":
        return old.startswith("Is") or not new.startswith("Is")
    return any({old, new} <= same for same in (ARITHMETIC - {"FloorDiv", "Mod", "Pow"} | {old} & ARITHMETIC, BITS, SHIFTS))


def _all(module: Path) -> Iterator[MutationSpec]:
    with use_db(":memory:", WorkDB.Mode.create) as database:
        init([module], database, {})
        for item in database.work_items:
            yield from item.mutations


def _differs(code: str, mutation: MutationSpec) -> bool:
    changed = mutate_code(code, get_operator(mutation.operator_name)(), mutation.occurrence)
    try:
        return ast.dump(ast.parse(changed)) != ast.dump(ast.parse(code))
    except SyntaxError:
        return False

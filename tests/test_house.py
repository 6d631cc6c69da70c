"""The floors of the house: a file imports from floors below its own or from its own folder, and from no estimator's inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import labelproof

PACKAGE = Path(labelproof.__file__).parent
MOST_LINES = 400
FLOORS = (
    ("errors",),
    ("allocation", "progress", "saving", "threads", "validation"),
    ("labels", "noise"),
    ("data",),
    ("losses", "networks", "training"),
    ("methods",),
    ("estimators",),
    ("auditing",),
    ("distributed", "report"),
    ("review",),
    ("experiments",),
    ("cli",),
)
FLOOR = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}
SIDEWAYS = {  # folders of one floor that build on one another, in this direction only
    ("noise", "labels"),
    ("networks", "losses"),
    ("training", "networks"),
    ("training", "losses"),
}


def modules() -> dict[str, Path]:
    """The package's modules by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def imported(path: Path) -> list[tuple[str, int]]:
    """Modules and names that a file imports from the package, with the line; those for type checks only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for inner in branch.body
        for node in ast.walk(inner)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names if alias.name.split(".")[0] == "labelproof"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "labelproof":
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


MODULES = modules()


def module_of(name: str) -> str:
    """The module that an imported name belongs to."""
    return name if name in MODULES else name.rpartition(".")[0]


def edges() -> Iterator[tuple[str, str, str]]:
    """Importing module, imported module, and where that stands."""
    for module, path in MODULES.items():
        if module != "labelproof":
            for name, line in imported(path):
                yield module, module_of(name), f"{path.relative_to(PACKAGE)}:{line} imports {name}"


def folder(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_folder_has_a_floor():
    assert {folder(module) for module in MODULES} - {""} == set(FLOOR)


def test_no_import_runs_up_or_sideways():
    wrong = []
    for module, target, where in edges():
        here, there = folder(module), folder(target)
        if not there or here == there:
            continue
        sideways = FLOOR[here] == FLOOR[there] and (here, there) not in SIDEWAYS
        if sideways or FLOOR[there] > FLOOR[here]:
            wrong.append(where)
    assert wrong == []


def test_the_package_itself_is_no_way_round_the_floors():
    allowed = ("cli", "experiments")  # the top floors use what users type
    assert [where for module, target, where in edges() if target == "labelproof" and folder(module) not in allowed] == []


def test_no_import_goes_in_a_circle():
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for module, target, _ in edges():
        if target != module and target in graph and target != "labelproof":
            graph[module].add(target)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_estimators_know_one_another_by_their_public_classes_only():
    """And `inner`, by which an estimator holds any other in its state."""
    public = set(labelproof._HOME)
    wrong = []
    for module, path in MODULES.items():
        if folder(module) == "estimators":
            own = module.split(".")[2:3]
            for name, line in imported(path):
                parts = name.split(".")
                foreign = parts[1] == "estimators" and parts[2:3] not in (own, ["inner"]) and len(parts) > 3
                if foreign and parts[-1] not in public:
                    wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert wrong == []


def test_no_file_is_too_long_to_read():
    lines = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}

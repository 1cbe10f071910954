"""The arrows of the house: imports point down, run in no circle, and load TensorFlow in few rooms.

Read from the source, so that a late import inside a function counts as much as one at the top. What
is under `if TYPE_CHECKING:` never runs and does not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "deepmnist"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

# A module or folder directly under the package, and how high it stands. A module imports from lower
# levels, or from its own where that makes no circle.
LEVELS = {
    0: "errors contract atomic chatter machine scans tags greys images pictures ink connected "
    "rulings layout cuts expectation rejection canvas verdict roster workers order stopping "
    "rounding lock",
    1: "bundle metadata card prediction calibration model augmentation recipes batches data history"
    " runfolder devices checkpoints display muon ensemble normalization edges"
    " gradients joint synchronized distribution",
    2: "steps training evaluation classification teaching segmentation sheet reader grid annotation"
    " synthesis corrections weights replay figures transcription",
    3: "report export members delivery completion improvement service page cluster",
    4: "runs execution pretraining launcher sweeping",
    5: "cli",
}
LEVEL = {name: level for level, names in LEVELS.items() for name in names.split()}

TENSORFLOW = {"tensorflow", "keras"}
MAY_LOAD_TENSORFLOW = {
    *("model", "edges", "normalization", "augmentation", "gradients", "muon"),
    *("steps", "training", "devices", "synchronized", "distribution", "export"),
}

MAX_LINES = 350
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}


@dataclass(frozen=True)
class Import:
    """One import of a module: what of, in which line, and whether it runs as soon as it loads."""

    target: str
    line: int
    at_once: bool


def module_files(source: Path) -> dict[str, Path]:
    """Every module of the package by its dotted name; a folder's is that of its __init__.py."""
    files = {}
    for path in sorted(source.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(source).with_suffix("").parts)
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def imports(path: Path) -> list[Import]:
    """Every import of a file that can run; `from a import b` is one of a.b, module or not."""
    return list(_imports(ast.parse(path.read_text()).body, at_once=True))


def _imports(nodes: list[ast.stmt] | list[ast.AST], at_once: bool) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno, at_once)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, at_once)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            if isinstance(node.args[0], ast.Constant):
                yield Import(node.args[0].value, node.lineno, at_once)
        else:
            late = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(list(ast.iter_child_nodes(node)), at_once and not late)


def arrows(source: Path) -> dict[str, dict[str, int]]:
    """For each module, the package's modules it imports, with the line.

    Importing a.b.c from outside a.b runs a.b's __init__ first, so that is an arrow as well.
    """
    files = module_files(source)
    found: dict[str, dict[str, int]] = {name: {} for name in files}
    for name, path in files.items():
        for each in imports(path):
            target = next((known for known in _prefixes(each.target) if known in files), None)
            if target is None or target == name:
                continue
            for reached in _prefixes(target):
                if (
                    reached != PACKAGE
                    and reached in files
                    and not f"{name}.".startswith(f"{reached}.")
                ):
                    found[name].setdefault(reached, each.line)
            if target != PACKAGE:
                found[name].setdefault(target, each.line)
    return found


def _prefixes(name: str) -> list[str]:
    """a.b.c, a.b, a."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def room(name: str) -> str:
    """deepmnist.data.idx stands where deepmnist.data does."""
    return name.split(".")[1]


def upward(source: Path, level: dict[str, int]) -> list[str]:
    """Every import that points up."""
    return [
        f"line {line} of {name} (level {level[room(name)]}) imports {target} "
        f"(level {level[room(target)]})"
        for name, targets in arrows(source).items()
        if name != PACKAGE
        for target, line in targets.items()
        if level[room(target)] > level[room(name)]
    ]


def circle(source: Path) -> list[str]:
    """The modules of an import circle, first and last the same; empty where there is none."""
    graph = arrows(source)
    done: set[str] = set()

    def search(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for target in graph[name]:
            if found := search(target, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := search(name, []))), [])


MODULES = module_files(SOURCE)


# --- the house ----------------------------------------------------------------------------------


def test_every_module_has_a_level_and_every_level_s_name_a_module() -> None:
    rooms = {room(name) for name in MODULES if name != PACKAGE}
    assert rooms <= LEVEL.keys(), (
        f"without a level: {', '.join(sorted(rooms - LEVEL.keys()))}; "
        "say in tests/test_architecture.py how high it stands"
    )
    assert rooms >= LEVEL.keys(), f"gone: {', '.join(sorted(LEVEL.keys() - rooms))}"
    assert sum(len(names.split()) for names in LEVELS.values()) == len(LEVEL)


def test_imports_point_down() -> None:
    assert upward(SOURCE, LEVEL) == []


def test_imports_run_in_no_circle() -> None:
    assert " -> ".join(circle(SOURCE)) == ""


def test_the_package_itself_imports_none_of_its_modules() -> None:
    """Or importing the least of them would load them all."""
    assert arrows(SOURCE)[PACKAGE] == {}


@pytest.mark.parametrize("name", [name for name in MODULES if name != PACKAGE])
def test_tensorflow_is_imported_at_once_in_few_modules_alone(name: str) -> None:
    heavy = [
        each
        for each in imports(MODULES[name])
        if each.at_once and each.target.split(".")[0] in TENSORFLOW
    ]
    assert not heavy or room(name) in MAY_LOAD_TENSORFLOW, f"{name}: {heavy}"


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_too_long_to_show_its_layout(name: str) -> None:
    lines = len(MODULES[name].read_text().splitlines())
    assert lines <= MAX_LINES, (
        f"{name} has {lines} lines; a module past {MAX_LINES} becomes a folder"
    )


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_a_drawer(name: str) -> None:
    assert name.rpartition(".")[2].strip("_") not in DRAWERS


@pytest.mark.parametrize("name", MODULES)
def test_every_module_opens_by_saying_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text()))


# --- the reading itself, on made-up packages ----------------------------------------------------


def package(folder: Path, **modules: str) -> Path:
    """A package of modules with the given source; `a__b` is a/b.py."""
    for name, text in modules.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
    return folder


LATE = "def f():\n    if True:\n        from deepmnist import {}\n"


@pytest.mark.parametrize(
    "text",
    [
        "import deepmnist.high",
        "from deepmnist import high",
        "from deepmnist.high import name",
        "from deepmnist import low, high as h",
        LATE.format("high"),
        "class A:\n    from deepmnist import high",
        "try:\n    import deepmnist.high\nexcept ImportError:\n    pass",
        "module = importlib.import_module('deepmnist.high')",
        "if TYPE_CHECKING:\n    import deepmnist.low\nelse:\n    import deepmnist.high",
    ],
)
def test_an_import_that_points_up_is_found_in_any_form(tmp_path: Path, text: str) -> None:
    source = package(tmp_path, low=text, high="")
    assert len(upward(source, {"low": 0, "high": 1})) == 1
    assert upward(source, {"low": 1, "high": 1}) == []


def test_an_import_for_type_checkers_alone_does_not_count(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import deepmnist.{}"
    source = package(tmp_path, low=text.format("high"), high=text.format("low"))
    assert upward(source, {"low": 0, "high": 1}) == []
    assert circle(source) == []


def test_a_circle_is_found_through_late_imports_and_shown(tmp_path: Path) -> None:
    source = package(
        tmp_path, a="import deepmnist.b", b=LATE.format("c"), c="from deepmnist.a import x", d=""
    )
    assert circle(source) == ["deepmnist.a", "deepmnist.b", "deepmnist.c", "deepmnist.a"]


def test_a_circle_through_a_folder_s_own_init_is_found(tmp_path: Path) -> None:
    """b wants data.two alone, but data's __init__ runs first, and with it data.one."""
    source = package(
        tmp_path, data__one="import deepmnist.b", data__two="", b="import deepmnist.data.two"
    )
    (source / "data" / "__init__.py").write_text("from deepmnist.data import one")
    assert circle(source) == ["deepmnist.b", "deepmnist.data", "deepmnist.data.one", "deepmnist.b"]


def test_two_ways_to_one_module_are_no_circle(tmp_path: Path) -> None:
    source = package(
        tmp_path,
        a="import deepmnist.b, deepmnist.c",
        b="import deepmnist.d",
        c="import deepmnist.d",
        d="",
    )
    assert circle(source) == []


def test_only_what_runs_on_loading_is_at_once(tmp_path: Path) -> None:
    source = package(
        tmp_path, a="import keras\nclass A:\n    import keras\ndef f():\n    import keras\n"
    )
    assert [each.at_once for each in imports(source / "a.py")] == [True, True, False]

"""What a measurement depends on, as a few letters: where they are equal, it need not be made again.

That is: what was asked, the code that ran, the versions of what it ran on, and the machine. Code is
a module and every one of ours that it imports, late imports included. It is compared as Python
reads it, so that a comment or a line break changes nothing.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from deepmnist import machine, recipes

ROOT = Path(__file__).parents[1]
PLACES = {"deepmnist": ROOT / "src" / "deepmnist", "benchmarks": ROOT / "benchmarks"}
SHOWING = frozenset({"card", "display", "report"})  # they tell what was found, and change nothing
# MNIST, held to its hashes, passes through none of these; answers do not depend on how soon the
# predictor gives them, as its own tests hold.
BESIDE_TRAINING = frozenset({"digits", "download", "folder", "parquet", "resizing", "table"})
BESIDE_TRAINING |= {"rows", "shards", "streamed", "prediction"}
LENGTH = 12  # letters


def of_recipe(config: recipes.TrainingConfig) -> str:
    """Of a training run on MNIST, which includes the run of its teacher."""
    teacher = recipes.RECIPES.get(config.teacher or "")
    asked = [asdict(each) for each in (config, teacher) if each]
    return of(asked, ["deepmnist.runs"], SHOWING | BESIDE_TRAINING)


def of(asked: Any, modules: Sequence[str], without: frozenset[str] = SHOWING) -> str:
    """Of what `modules`, but for those named in `without`, do with `asked`, JSON's values."""
    ground = [asked, code(modules, without), machine.versions(), machine.describe()]
    return hashlib.sha256(json.dumps(ground, sort_keys=True).encode()).hexdigest()[:LENGTH]


def code(modules: Sequence[str], without: frozenset[str] = frozenset()) -> str:
    """SHA-256 over `modules` and all of ours that they import, but for those named in `without`.

    Of recipes.py, the recipes themselves do not count: which of them are asked for is known.
    """
    digest = hashlib.sha256()
    for path in sorted(needed(modules, without)):
        tree = ast.Module([node for node in _tree(path).body if not _is_recipe(path, node)], [])
        digest.update(f"{path.relative_to(ROOT)}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()


def needed(modules: Sequence[str], without: frozenset[str] = frozenset()) -> set[Path]:
    """The files of `modules` and of all of ours that they may import, but for some modules."""
    found: set[Path] = set()
    waiting = [file for module in modules for file in _files(module)]
    while waiting:
        path = waiting.pop()
        if path not in found and not {path.stem, path.parent.name} & without:
            found.add(path)
            waiting += [file for name in _imports(_tree(path)) for file in _files(name)]
    return found


def _files(module: str) -> Iterator[Path]:
    """The file of a module of ours, and those of the packages it lies in."""
    package, *rest = module.split(".")
    if package in PLACES:
        place = PLACES[package]
        for part in ["", *rest]:
            place = place / part
            files = (place / "__init__.py", place.with_suffix(".py"))
            yield from (file for file in files if file.exists())


def _imports(node: ast.AST) -> Iterator[str]:
    """Every module that may be loaded; `from a import b` may be one of a.b, or of a."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
        for child in ast.iter_child_nodes(node):
            yield from _imports(child)


def _is_recipe(path: Path, node: ast.stmt) -> bool:
    made = isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.DictComp)
    return made and path == PLACES["deepmnist"] / "recipes.py"


def _tree(path: Path) -> ast.Module:
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed_ns: int) -> ast.Module:
    """The file as it is since `changed_ns`."""
    return ast.parse(path.read_text())

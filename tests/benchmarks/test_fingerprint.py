"""The fingerprint: other code, configurations or grounds are other letters; a comment is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fingerprint
from deepmnist import machine, recipes

MODULE = ["house.top"]
FILES = {
    "__init__.py": "import typing\nif typing.TYPE_CHECKING:\n    from house import typed\n",
    "top.py": "from house import middle\ndef late():\n    import house.rooms.late\n",
    "middle.py": "from house.leaf import VALUE\n",
    "leaf.py": "VALUE = 1\n",
    "typed.py": "",
    "beside.py": "",
    "rooms/__init__.py": "",
    "rooms/late.py": "",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own in place of the real ones."""
    house = tmp_path / "house"
    (house / "rooms").mkdir(parents=True)
    for name, text in FILES.items():
        (house / name).write_text(text)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprint, "PLACES", {"house": house, "deepmnist": tmp_path})
    return house


def test_code_is_what_a_module_may_load_late_imports_included(house: Path) -> None:
    found = {str(path.relative_to(house)) for path in fingerprint.needed(MODULE)}
    assert found == {*FILES} - {"typed.py", "beside.py"}


@pytest.mark.parametrize("name", ["top.py", "leaf.py", "rooms/late.py", "rooms/__init__.py"])
def test_other_code_is_another_fingerprint(house: Path, name: str) -> None:
    before = fingerprint.of(1, MODULE)
    (house / name).write_text(f"{FILES[name]}\nMORE = 2\n")
    assert fingerprint.of(1, MODULE) != before


def test_comments_and_modules_that_are_not_loaded_change_nothing(house: Path) -> None:
    before = fingerprint.of(1, MODULE)
    (house / "leaf.py").write_text("# Why.\nVALUE  =  (1)\n")
    (house / "beside.py").write_text("MORE = 2\n")
    (house / "typed.py").write_text("MORE = 2\n")
    assert fingerprint.of(1, MODULE) == before


def test_a_module_left_out_changes_nothing(house: Path) -> None:
    before = fingerprint.of(1, MODULE, frozenset({"leaf"}))
    (house / "leaf.py").write_text("VALUE = 2\n")
    assert fingerprint.of(1, MODULE, frozenset({"leaf"})) == before


def test_other_versions_another_machine_another_question_are_another_fingerprint(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [fingerprint.of(1, MODULE), fingerprint.of(2, MODULE)]
    monkeypatch.setattr(machine, "versions", lambda: {"keras": "0"})
    found.append(fingerprint.of(1, MODULE))
    monkeypatch.setattr(machine, "describe", lambda: {"processor": "Abacus"})
    found.append(fingerprint.of(1, MODULE))
    assert len({*found}) == 4


def test_a_recipe_s_values_and_its_teacher_s_count_and_its_neighbours_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = recipes.RECIPES["fast"]
    taught = replace(fast, teacher="balanced", teaching=0.5)
    before = [fingerprint.of_recipe(config) for config in (fast, taught)]
    assert fingerprint.of_recipe(replace(fast, seed=1)) != before[0]
    other = replace(recipes.RECIPES["balanced"], label_smoothing=0.45)
    monkeypatch.setitem(recipes.RECIPES, "balanced", other)
    assert fingerprint.of_recipe(fast) == before[0]
    assert fingerprint.of_recipe(taught) != before[1]


def test_the_recipes_beside_one_are_no_code_of_its_run(house: Path) -> None:
    (house / "top.py").write_text("from deepmnist import recipes\n")
    path = house.parent / "recipes.py"
    path.write_text("STRIDE = 1\nFAST = Config(steps=1)\n")
    before = fingerprint.of(1, MODULE)
    path.write_text("STRIDE = 1\nFAST = Config(steps=2)\nSLOW = Config()\n")
    assert fingerprint.of(1, MODULE) == before
    path.write_text("STRIDE = 2\nFAST = Config(steps=1)\n")
    assert fingerprint.of(1, MODULE) != before


def test_what_trains_counts_and_what_shows_does_not() -> None:
    left_out = fingerprint.SHOWING | fingerprint.BESIDE_TRAINING
    names = {path.stem for path in fingerprint.needed(["deepmnist.runs"], left_out)}
    assert {"runs", "training", "model", "steps", "augmentation", "muon", "litert"} <= names
    assert not names & {"report", "display", "card", "images", "train"}

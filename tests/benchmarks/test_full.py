"""Everything is measured, and what cannot be is said at the end."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks import full, inference, ledger, recipes
from deepmnist import recipes as named


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    measured: list[str] = []

    def other(name: str, options: list[str], folder: Path) -> Path:
        measured.append(name)
        return folder

    def of_recipes(seeds: dict[str, int], baseline: int, folder: Path) -> Path:
        measured.extend(seeds)
        return folder

    monkeypatch.setattr(ledger, "measured", other)
    monkeypatch.setattr(recipes, "measure", of_recipes)
    return measured


def test_every_benchmark_and_every_recipe_is_measured(
    tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "PEERS", ("json",))
    full.main(tmp_path)
    assert {*measured} == {*full.OTHERS, *named.RECIPES}


def test_every_benchmark_that_writes_figures_is_known() -> None:
    modules = Path(full.__file__).parent.glob("*.py")
    writing = {path.stem for path in modules if "results.write(" in path.read_text()}
    assert writing == {"recipes", *full.OTHERS, *full.BY_THEMSELVES}


def test_its_extra_brings_no_reader_that_is_run_by_itself() -> None:
    """Tesseract has no wheel for some machines, and there nothing else could be measured."""
    written = tomllib.loads((Path(full.__file__).parents[1] / "pyproject.toml").read_text())
    extras = written["project"]["optional-dependencies"]
    assert [each for each in extras["bench"] if "ocr" in each or "tess" in each] == []
    assert len([each for each in extras["contenders"] if "ocr" in each]) == 2


def test_what_is_left_out_is_said_first_and_again_when_the_rest_is_done(
    tmp_path: Path,
    measured: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(inference, "PEERS", ("no_such_runtime", "json"))
    with pytest.raises(
        SystemExit, match="inference was left out, for want of no_such_runtime; run"
    ):
        full.main(tmp_path)
    assert {*measured} == {*full.OTHERS, *named.RECIPES} - {"inference"}
    told = "inference will be left out, for want of no_such_runtime\n"
    assert capsys.readouterr().out.startswith(told)

"""The table of exports says what its JSON says; the figures are those of the files."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import exports, exports_table, inference
from deepmnist.data.dataset import Dataset


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "CALLS", 1)
    monkeypatch.setattr(inference, "PAUSE_S", 0)


def test_figures_are_of_the_files(exported, tiny: Dataset, quick: None) -> None:
    made = {"onnx int8": exported("onnx", "int8"), "litert float32": exported("litert")}
    found = exports.measured(made, tiny, 1)
    assert [*found] == ["bundle", *made]
    assert found["bundle"]["same"] == 1
    for name, each in made.items():
        assert found[name]["bytes"] == each.path.stat().st_size
        assert 0 <= found[name]["same"] < 1  # another net than the one that comes along
        assert found[name]["largest_difference"] == max(
            part.difference for part in each.parity.comparisons
        )
        assert found[name]["one_image_us"]["n"] == found[name]["images_per_second"]["n"] == 1


def test_one_image_is_timed_when_litert_has_chosen_how_to_answer_it(
    exported, tiny: Dataset, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single images are first met here, and the first ones are answered by turns, as trials."""
    chosen = []

    def in_turns(timers: dict[str, Any], rounds: int) -> dict[str, Any]:
        ways = {name: timer.args[0].__self__ for name, timer in timers.items()}
        chosen.append([name for name, way in ways.items() if way in asked])
        return {name: {"median": 1.0} for name in timers}

    asked: list[Any] = []
    monkeypatch.setattr(inference, "in_turns", in_turns)
    monkeypatch.setattr(inference, "ACQUAINTED", 3)
    monkeypatch.setattr(
        inference, "one_image_us", lambda way, images: asked.append(way.__self__) or 1.0
    )
    made = {"onnx int8": exported("onnx", "int8"), "litert float32": exported("litert")}
    exports.measured(made, tiny, 1)
    assert len(asked) == 2 * 3
    assert chosen[0] == ["bundle", "litert float32"]


def test_readers_are_timed_from_the_picture_on(exported, quick: None) -> None:
    (found,) = exports.measured_readers({"r": exported("litert", "float32", "reader")}, 1).values()
    assert found["one_image_us"]["median"] > 100


def figures(**more: Any) -> dict[str, Any]:
    values = {"bytes": 2**19, "one_image_us": {"median": 1234.4}, **more}
    return {"format": "onnx", "precision": "int8", "largest_difference": 0.0421, **values}


def test_the_table_says_what_the_json_says() -> None:
    classifier = figures(accuracy=0.99584, same=0.9993, images_per_second={"median": 12_345.6})
    own = {name: value for name, value in classifier.items() if name not in
           {"format", "precision", "largest_difference"}}  # fmt: skip
    text = exports_table.written(
        {
            "classifiers": {"bundle": own, "onnx int8": classifier},
            "readers": {"onnx int8": figures()},
            "machine": {"processor": "Abacus", "cores": 2},
            "date": "2026-11-24",
            "rounds": 9,
            "acquainted": 125,
            "test_n": 10_000,
            "versions": {"python": "3", "keras": "3.15"},
            "runtimes": {"onnx": "1.23"},
        }
    )
    assert "| the bundle itself | 0.50 MiB | 99.58 % | 99.93 % |  | 1,234 µs | 12,346 |" in text
    assert "| ONNX, int8 | 0.50 MiB | 99.58 % | 99.93 % | 0.04 | 1,234 µs | 12,346 |" in text
    assert "| ONNX, int8 | 0.50 MiB | 0.04 | 1.2 ms |" in text
    assert "Abacus, 2 cores, 2026-11-24; medians of 9 turns" in text
    told = " ".join(text.split())
    assert "which had chosen how, and by LiteRT or ONNX Runtime, before it was timed" in told
    assert "keras 3.15, onnx 1.23." in told

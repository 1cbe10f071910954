"""The share of peak: the JSON holds what a run on a tiny set measures."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import flops, limits, results
from deepmnist import model, recipes
from deepmnist.data import Corpus, Dataset


@pytest.fixture
def figures(tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> dict:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    several_steps = tiny.take(np.resize(np.arange(len(tiny)), 1_200))
    monkeypatch.setattr(limits, "load", lambda *_: Corpus(several_steps, None, "tiny"))
    monkeypatch.setattr(limits, "SIZES", (64,))
    monkeypatch.setattr(limits, "CHUNK_S", 0.0)
    limits.main(recipe=["fast", "distilled"], rounds=2, profiled="fast", data_dir=None)
    return json.loads((tmp_path / "limits.json").read_text())


def test_a_recipe_s_figures_agree_with_each_other(figures: dict) -> None:
    fast = figures["recipes"]["fast"]
    assert fast["flops_per_image_step"] == flops.step(model.build(recipes.configure("fast"), 10))
    rate = fast["images_per_second_median"]
    assert fast["gflops"] == pytest.approx(rate * fast["flops_per_image_step"] / 1e9)
    assert len(fast["shares_of_peak"]) == figures["rounds"] == 2
    assert fast["share_of_peak"] > 0
    assert {*figures["peak"]} == {"float32", "bfloat16"}
    assert all(values["gflops_best"] > 0 for values in figures["peak"].values())

    profile = figures["profile"]
    assert sum(row["share"] for row in profile["layers"]) == pytest.approx(1)
    assert sum(row["ms"] for row in profile["layers"]) == pytest.approx(profile["ms_of_operations"])
    learning = [
        layer.name for layer in model.build(recipes.configure("fast"), 10).layers if layer.weights
    ]
    assert {*learning} <= {row["layer"] for row in profile["layers"]}


SHOWN = json.loads((results.FOLDER / "limits.json").read_text())["recipes"]


@pytest.mark.parametrize("name", SHOWN)
def test_the_shares_that_are_shown_are_of_the_nets_as_they_are(name: str) -> None:
    net = model.build(recipes.configure(name), 10)
    assert SHOWN[name]["flops_per_image_step"] == flops.step(net)


def test_a_taught_net_s_step_is_measured_without_its_teacher(figures: dict) -> None:
    windows = model.build(recipes.configure("distilled"), 10)
    assert figures["recipes"]["distilled"]["flops_per_image_step"] == flops.step(windows)


def test_what_augmentation_adds_is_told_of_nets_that_have_it(figures: dict) -> None:
    assert "augmentation_share" not in figures["recipes"]["fast"]
    shares = figures["recipes"]["distilled"]["augmentation_shares"]
    assert len(shares) == figures["rounds"]
    assert all(share < 1 for share in shares)


def test_every_net_that_a_recipe_trains_is_measured_once() -> None:
    found = [recipes.RECIPES[name].architecture for name in limits.of_each_net()]
    assert sorted(found) == sorted({each.architecture for each in recipes.RECIPES.values()})

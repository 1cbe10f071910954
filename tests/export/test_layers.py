"""What the first layers show: their activated maps, as an optional file of a bundle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deepmnist import bundle, ensemble, model, recipes
from deepmnist.bundle import Bundle
from deepmnist.errors import BundleError
from deepmnist.export import layers


def runner(file: bytes) -> Any:
    return Interpreter(model_content=file).get_signature_runner()


@pytest.mark.parametrize(
    ("recipe", "shapes"),
    [
        ("fast", [(1, 10, 10, 8), (1, 4, 4, 48)]),
        ("balanced", [(1, 12, 12, 16), (1, 5, 5, 64)]),
        ("tiny", [(1, 12, 12, 16), (1, 12, 12, 16)]),
        ("tutorial", [(1, 28, 28, 32), (1, 14, 14, 64)]),
    ],
)
def test_layers_are_the_activated_maps_of_the_first_two_convolutions(
    recipe: str, shapes: list[tuple[int, ...]]
) -> None:
    net = model.build(recipes.configure(recipe), 10)
    file = layers.convert(net)
    assert file is not None
    image = np.random.default_rng(0).uniform(0, 1, (1, 28, 28)).astype(np.float32)
    found = runner(file)(image=image)
    assert [found[name].shape for name in ("first", "second")] == shapes
    maps = keras.Model(net.input, layers._maps(net))(image)
    for name, expected in zip(("first", "second"), maps, strict=True):
        np.testing.assert_allclose(found[name], expected, atol=1e-4)


def test_of_several_nets_the_first_one_s_are_shown() -> None:
    nets = [model.build(recipes.configure("fast", seed=seed), 10) for seed in (1, 2)]
    average = ensemble.average(nets)
    image = np.ones((1, 28, 28), np.float32)
    of_all, of_first = (
        runner(layers.convert(net) or b"")(image=image) for net in (average, nets[0])
    )
    np.testing.assert_allclose(of_all["second"], of_first["second"], atol=1e-5)


def test_a_net_without_two_convolutions_shows_none(tmp_path: Path) -> None:
    image = keras.Input((28, 28))
    net = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(image)))
    assert layers.convert(net) is None
    assert not layers.put(net, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_layers_are_added_to_a_bundle_that_stays_as_it_was(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    assert tiny_bundle.layers is None
    layers.add(bundle.load(tmp_path / "bundle"))
    found = bundle.load(tmp_path / "bundle")
    assert found.layers == tmp_path / "bundle" / "layers.tflite"
    kept = tiny_bundle.manifest.files
    assert {name: found.manifest.files[name] for name in ("model.keras", "model.tflite")} == {
        name: kept[name] for name in ("model.keras", "model.tflite")
    }


def test_a_bundle_that_can_show_none_is_told(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    monkeypatch.setattr(layers, "convert", lambda _: None)
    with pytest.raises(BundleError, match="has no 2 convolutions to show"):
        layers.add(bundle.load(tmp_path / "bundle"))
    bundle.load(tmp_path / "bundle")

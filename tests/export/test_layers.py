"""What the first layers show: their activated maps, as an optional file of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deepmnist import ensemble, model, recipes
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

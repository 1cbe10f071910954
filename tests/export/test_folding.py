"""Normalisations go into the convolutions before them; answers, and the net itself, stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from deepmnist import recipes
from deepmnist.export.folding import folded
from deepmnist.normalization import FusedNormalization
from tests.nets import delivered

IMAGES = np.random.default_rng(0).random((5, 28, 28), np.float32)
Tensor = keras.KerasTensor


def with_a_past(net: keras.Model) -> keras.Model:
    """The net with weights and statistics as training might have left them."""
    draws = np.random.default_rng(1)
    for each in net.weights:
        if "variance" in each.path:
            each.assign(draws.uniform(0.1, 4, each.shape))
        else:
            each.assign(draws.normal(0, 0.2, each.shape))
    return net


def normalisations(net: keras.Model) -> list[FusedNormalization]:
    inner = [
        each for part in net.layers if hasattr(part, "layers") for each in normalisations(part)
    ]
    return inner + [part for part in net.layers if isinstance(part, FusedNormalization)]


def of_one_convolution(after: Callable[[Tensor], Any], **options: Any) -> keras.Model:
    image = keras.Input((28, 28), name="image")
    convolution = layers.Conv2D(4, 3, **{"use_bias": False, **options})
    return with_a_past(keras.Model(image, after(convolution(keras.ops.expand_dims(image, -1)))))


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_a_folded_net_answers_as_before_and_the_net_stays_as_it_is(recipe: str) -> None:
    net = with_a_past(delivered(recipe, 10))
    weights, answers = net.get_weights(), np.asarray(net(IMAGES, training=False))
    assert np.ptp(answers, axis=0).max() > 0.01
    found = np.asarray(folded(net)(IMAGES, training=False))
    np.testing.assert_allclose(found, answers, rtol=1e-4, atol=1e-4 * np.abs(answers).max())
    np.testing.assert_array_equal(net(IMAGES, training=False), answers)
    for before, after in zip(weights, net.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("recipe", "left"),
    [("fast", 0), ("balanced", 0), ("accurate", 0), ("ensemble", 0), ("distilled", 0), ("tiny", 6)],
)
def test_only_what_shares_its_convolution_is_left(recipe: str, left: int) -> None:
    assert len(normalisations(folded(delivered(recipe, 10)))) == left


def test_a_net_without_normalisations_is_itself() -> None:
    for net in (delivered("tutorial", 10), folded(delivered("distilled", 10))):
        assert folded(net) is net


@pytest.mark.parametrize(("between", "left"), [(layers.MaxPooling2D, 0), (layers.ReLU, 1)])
def test_a_normalisation_is_folded_over_a_pooling_alone(between: Any, left: int) -> None:
    net = of_one_convolution(lambda x: FusedNormalization()(between()(x)))
    assert len(normalisations(folded(net))) == left


def test_a_convolution_that_others_look_at_too_keeps_its_weights() -> None:
    def seen_twice(x: Tensor) -> Tensor:
        return layers.Add()([FusedNormalization()(x), x])

    def given_out(x: Tensor) -> list[Tensor]:
        pooled = layers.MaxPooling2D()(x)
        return [FusedNormalization()(pooled), pooled]

    for after in (seen_twice, given_out):
        net = of_one_convolution(after)
        assert len(normalisations(folded(net))) == 1


@pytest.mark.parametrize("options", [{"activation": "relu"}, {"use_bias": True}])
def test_a_convolution_that_does_more_than_sum_up_is_left(options: dict[str, Any]) -> None:
    net = of_one_convolution(FusedNormalization(), **options)
    assert len(normalisations(folded(net))) == 1

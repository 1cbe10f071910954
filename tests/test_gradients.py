"""The gradient of a batch: in halves or whole, it is that of the mean loss."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from deepmnist import gradients, model, recipes
from deepmnist.gradients import gradient_of

CLASSES = 10


def net_of(architecture: str, dropout: float = 0.0) -> model.keras.Model:
    """A net whose readout is not zero, so that every layer has a gradient."""
    config = recipes.configure("fast", architecture=architecture, dropout=dropout)
    net = model.build(config, CLASSES)
    readout = net.layers[-1].kernel
    readout.assign(np.random.default_rng(0).normal(0, 0.1, readout.shape))
    return net


def batch(n: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    rng = np.random.default_rng(1)
    pixels = tf.constant(rng.random((n, 28, 28), np.float32))
    return pixels, tf.one_hot(rng.integers(0, CLASSES, n), CLASSES), tf.constant(float(n))


@pytest.mark.parametrize("n", [2, 5, 8])
def test_halves_come_to_the_gradient_of_the_whole_batch(n: int) -> None:
    net = net_of("fast")
    halves, whole = (gradient_of(net, CLASSES, apart)(*batch(n)) for apart in (True, False))
    for half, expected in zip(halves, whole, strict=True):
        np.testing.assert_allclose(half, expected, rtol=1e-3, atol=1e-5)


def test_the_loss_is_the_mean_and_a_part_s_is_its_share_of_it() -> None:
    net = net_of("fast")
    pixels, targets, total = batch(6)
    expected = tf.nn.softmax_cross_entropy_with_logits(targets, net(pixels)).numpy()
    gradient = gradient_of(net, CLASSES, divisible=True)
    np.testing.assert_allclose(gradient(pixels, targets, total)[0], expected.mean(), rtol=1e-5)
    part = gradient(pixels[:2], targets[:2], total)[0]
    np.testing.assert_allclose(part, expected[:2].sum() / 6, rtol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "dropout", "divisible", "in_halves"),
    [
        ("fast", 0.0, True, True),
        ("fast", 0.0, False, False),
        ("tutorial", 0.0, True, True),
        ("tutorial", 0.5, True, False),  # a mask is drawn for the whole batch
        ("balanced", 0.0, True, False),  # it normalises over the whole batch
    ],
)
def test_only_images_that_do_not_touch_each_other_are_taken_apart(
    architecture: str,
    dropout: float,
    divisible: bool,
    in_halves: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gradients, "_in_halves", lambda gradient, classes: "halves")
    found = gradient_of(net_of(architecture, dropout), CLASSES, divisible)
    assert (found == "halves") == in_halves

"""Layers on a share of a batch do what the plain ones do on all of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from deepmnist import model, recipes
from deepmnist.normalization import FusedNormalization
from deepmnist.synchronized import SharedDropout, SynchronizedNormalization, synchronized
from deepmnist.workers import Alone, Share


class Twins(Alone):
    """One of two workers with the very same images: every sum is twice its own."""

    count = 2

    def summed(self, tensors: Sequence[Any]) -> list[Any]:
        return [_twice(tensor) for tensor in tensors]


@tf.custom_gradient
def _twice(tensor: tf.Tensor) -> Any:
    return 2 * tensor, lambda upstream: 2 * upstream  # an all-reduce's gradient is one as well


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 2.0, (8, 5, 5, 4)).astype(np.float32)


def test_statistics_are_those_of_all_workers_images(inputs: np.ndarray) -> None:
    shared, plain = SynchronizedNormalization(Twins()), FusedNormalization()
    both = np.concatenate([inputs, inputs])
    found, expected = shared(inputs, training=True), plain(both, training=True)[: len(inputs)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(shared.mean, plain.mean, rtol=1e-5)
    np.testing.assert_allclose(shared.variance, plain.variance, rtol=1e-5)


def test_gradients_flow_through_the_statistics_of_all(inputs: np.ndarray) -> None:
    weights = np.random.default_rng(1).normal(size=inputs.shape).astype(np.float32)
    both, twice = np.concatenate([inputs, inputs]), np.concatenate([weights, weights])
    found = []
    for layer, x, w in (
        (SynchronizedNormalization(Twins()), tf.constant(inputs), weights),
        (FusedNormalization(), tf.constant(both), twice),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) * w)
        found.append(tape.gradient(loss, x)[: len(inputs)])
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_normalisation_keeps_bfloat16_and_its_float32_statistics(inputs: np.ndarray) -> None:
    layer = SynchronizedNormalization(Twins(), dtype="mixed_bfloat16")
    assert layer(inputs, training=True).dtype == "bfloat16"
    assert {variable.dtype for variable in layer.variables} == {"float32"}


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_shares_of_dropout_make_up_the_mask_of_the_batch(dtype: str) -> None:
    batch = np.random.default_rng(0).normal(size=(7, 20)).astype(np.float32)
    plain = keras.layers.Dropout(0.4, seed=3, dtype=dtype)
    expected = tf.cast(plain(batch, training=True), tf.float32)
    parts = []
    for share in (Share(0, 3, 7), Share(3, 7, 7)):
        layer = SharedDropout(rate=0.4, seed=3, dtype=dtype)
        layer.share = share
        parts.append(tf.cast(layer(share.of(batch), training=True), tf.float32))
        assert np.array_equal(layer(batch), plain(batch))
    np.testing.assert_array_equal(tf.concat(parts, 0), expected)


@pytest.mark.parametrize("architecture", model.ARCHITECTURES)
def test_a_copy_has_the_variables_of_the_plain_net_in_their_order(architecture: str) -> None:
    """So that a checkpoint of one is a checkpoint of the other."""
    config = recipes.configure("tutorial", architecture=architecture)
    plain = model.build(config, 10)
    plain.set_weights([weight + 0.5 for weight in plain.get_weights()])
    copy = synchronized(plain, Twins())
    for kind in ("variables", "trainable_variables"):
        found, expected = getattr(copy, kind), getattr(plain, kind)
        assert [_name(each) for each in found] == [_name(each) for each in expected]
        assert all(map(np.array_equal, found, expected))
    images = np.random.default_rng(0).random((2, 28, 28), np.float32)
    np.testing.assert_allclose(copy(images), plain(images), rtol=1e-5)


def _name(variable: Any) -> str:
    """Keras numbers seed generators through the process."""
    return re.sub(r"generator(_\d+)?/", "generator/", variable.path)

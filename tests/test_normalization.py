"""Fused batch normalisation: Keras' values, in training and after, in less time."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from deepmnist.normalization import EPSILON, KEPT, FusedNormalization


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 2.0, (16, 5, 5, 4)).astype(np.float32)


def pair() -> tuple[FusedNormalization, keras.layers.BatchNormalization]:
    ours = FusedNormalization()
    theirs = keras.layers.BatchNormalization(momentum=KEPT, epsilon=EPSILON, scale=False)
    return ours, theirs


def test_training_gives_what_keras_own_layer_gives(inputs: np.ndarray) -> None:
    ours, theirs = pair()
    found, expected = ours(inputs, training=True), theirs(inputs, training=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_running_statistics_follow_the_batches_as_in_keras(inputs: np.ndarray) -> None:
    ours, theirs = pair()
    for factor in (1, 2, 3):
        ours(factor * inputs, training=True)
        theirs(factor * inputs, training=True)
    n = inputs[..., 0].size
    unbiased = n / (n - 1)  # the fused operation keeps the sample's variance, Keras the batch's own
    np.testing.assert_allclose(ours.mean, theirs.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(
        ours.variance.numpy() - KEPT**3,
        unbiased * (theirs.moving_variance.numpy() - KEPT**3),
        rtol=1e-4,
    )


def test_after_training_an_image_s_answer_does_not_depend_on_the_batch(inputs: np.ndarray) -> None:
    ours, _ = pair()
    ours(inputs, training=True)
    together, alone = ours(inputs), ours(inputs[:1])
    np.testing.assert_array_equal(together[:1], alone)


def test_gradients_reach_inputs_and_offset(inputs: np.ndarray) -> None:
    ours, theirs = pair()
    weights = np.random.default_rng(1).normal(size=inputs.shape).astype(np.float32)
    found = []
    for layer in (ours, theirs):
        x = tf.constant(inputs)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) * weights)
        found.append(tape.gradient(loss, [x, layer.trainable_variables[0].value]))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-4)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)


def test_mixed_precision_keeps_statistics_and_offset_in_float32(inputs: np.ndarray) -> None:
    layer = FusedNormalization(dtype="mixed_bfloat16")
    assert layer(inputs, training=True).dtype == "bfloat16"
    assert layer(inputs).dtype == "bfloat16"
    assert {variable.dtype for variable in layer.variables} == {"float32"}


def test_a_saved_layer_comes_back_with_its_statistics(inputs: np.ndarray, tmp_path) -> None:
    image = keras.Input(inputs.shape[1:])
    net = keras.Model(image, FusedNormalization()(image))
    net(inputs, training=True)
    net.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras", safe_mode=True)
    np.testing.assert_array_equal(net(inputs), loaded(inputs))

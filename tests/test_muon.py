"""Muon: kernels move along an orthogonal direction, the rest as under Adam, and all is state."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from deepmnist.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(40, 8), (8, 40), (3, 3, 4, 16), (5, 5, 1, 16)])
def test_singular_values_are_brought_near_one(shape: tuple[int, ...]) -> None:
    kernel = tf.constant(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    found = orthogonal(kernel).numpy()
    before = np.linalg.svd(kernel.numpy().reshape(-1, shape[-1]), compute_uv=False)
    after = np.linalg.svd(found.reshape(-1, shape[-1]), compute_uv=False)
    assert found.shape == shape
    assert after.max() < 1.3
    assert after.min() / after.max() > before.min() / before.max()


@pytest.mark.parametrize("shape", [(40, 8), (8, 40), (16, 16), (3, 3, 4, 16), (5, 5, 1, 32)])
@pytest.mark.parametrize("spread", [0.0, 3.0], ids=["alike", "of all sizes"])
def test_each_singular_value_goes_three_times_through_the_quintic(
    shape: tuple[int, ...], spread: float
) -> None:
    generator = np.random.default_rng(0)
    columns = np.exp(spread * generator.normal(size=shape[-1]))
    kernel = (generator.normal(size=shape) * columns).astype(np.float32)
    matrix = kernel.reshape(-1, shape[-1]).astype(np.float64)
    left, values, right = np.linalg.svd(matrix / np.linalg.norm(matrix), full_matrices=False)
    for _ in range(3):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    expected = ((left * values) @ right).reshape(shape)
    np.testing.assert_allclose(orthogonal(tf.constant(kernel)), expected, rtol=0, atol=1e-5)


def test_the_direction_does_not_depend_on_the_gradient_s_size() -> None:
    kernel = tf.constant(np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32))
    np.testing.assert_allclose(orthogonal(kernel), orthogonal(1e4 * kernel), atol=1e-4)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert np.array_equal(orthogonal(tf.zeros((4, 3))), np.zeros((4, 3)))


def net() -> keras.Model:
    image = keras.Input((6,), name="image")
    hidden = keras.layers.Dense(5, name="dense", kernel_initializer="ones")(image)
    return keras.Model(image, keras.layers.Dense(3, name="logits")(hidden))


def optimizer(**changes: float) -> Muon:
    settings = {"kernel_rate": 4.0, "momentum": 0.9, "beta_1": 0.9, "beta_2": 0.99}
    return Muon(0.1, **{**settings, "epsilon": 1e-8, **changes})


def gradients(model: keras.Model, seed: int = 0) -> list[tf.Tensor]:
    generator = np.random.default_rng(seed)
    return [
        tf.constant(generator.normal(size=variable.shape).astype(np.float32))
        for variable in model.trainable_variables
    ]


def test_biases_and_the_readout_move_as_under_adam() -> None:
    ours, theirs = net(), net()
    theirs.set_weights(ours.get_weights())
    muon, adam = optimizer(), keras.optimizers.Adam(0.1, 0.9, 0.99, 1e-8)
    for seed in range(3):
        muon.apply(gradients(ours, seed), ours.trainable_variables)
        adam.apply(gradients(theirs, seed), theirs.trainable_variables)
    found, expected = ours.get_weights(), theirs.get_weights()
    for place in (1, 2, 3):  # the hidden bias, the readout's kernel and bias
        np.testing.assert_allclose(found[place], expected[place], rtol=1e-4, atol=1e-6)
    assert not np.allclose(found[0], expected[0])


def test_a_kernel_moves_by_its_rate_along_the_orthogonal_direction() -> None:
    model = net()
    muon = optimizer()
    before = model.get_weights()[0]
    (gradient, *_) = given = gradients(model)
    muon.apply(given, model.trainable_variables)
    expected = before - 0.1 * 4.0 * orthogonal(1.9 * gradient).numpy()  # Nesterov's first look
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)


def test_its_state_is_one_slot_a_kernel_and_two_for_each_other_variable() -> None:
    model, muon = net(), optimizer()
    muon.build(model.trainable_variables)
    slots = [variable.path for variable in muon.variables if variable.path.startswith("muon/")]
    assert sum("mean" in path for path in slots) == 4
    assert sum("square" in path for path in slots) == 3

"""The given first layer: edges, each in its own direction, the same for all."""

import keras
import numpy as np
import pytest

from deepmnist.edges import LENGTH, OrientedEdges


@pytest.fixture
def kernels() -> np.ndarray:
    return np.asarray(OrientedEdges()((5, 5, 1, 8), "float32"))


def test_kernels_are_the_same_at_every_call(kernels: np.ndarray) -> None:
    assert kernels.shape == (5, 5, 1, 8)
    assert np.array_equal(kernels, OrientedEdges()((5, 5, 1, 8), "float32"))


def test_even_paper_gives_no_answer_and_all_kernels_weigh_the_same(kernels: np.ndarray) -> None:
    np.testing.assert_allclose(kernels.sum(axis=(0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(kernels, axis=(0, 1)), LENGTH, rtol=1e-6)


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_each_kernel_answers_most_to_an_edge_in_its_own_direction(
    kernels: np.ndarray, quarter: int
) -> None:
    bright_on_the_right = np.tile(np.repeat([0.0, 0.5, 1.0], [2, 1, 2]), (5, 1))
    edge = np.rot90(bright_on_the_right, -quarter)  # clockwise, as angles grow when y points down
    answers = np.tensordot(edge, kernels[:, :, 0], axes=2)
    assert answers.argmax() == 2 * quarter
    np.testing.assert_allclose(answers, -np.roll(answers, 4), atol=1e-6)


def test_a_saved_net_knows_the_initializer_again(tmp_path) -> None:
    image = keras.Input((8, 8, 1))
    layer = keras.layers.Conv2D(8, 5, kernel_initializer=OrientedEdges())
    net = keras.Model(image, layer(image))
    net.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras", safe_mode=True)
    assert np.array_equal(net.get_weights()[0], loaded.get_weights()[0])

"""ensemble.py: the mean of its members' probabilities, as one model and as one file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from scipy.ndimage import shift

from deepmnist import ensemble, model, recipes
from deepmnist.export import litert

IMAGES = np.random.default_rng(0).random((6, 28, 28), np.float32)


def nets(count: int, spread: float = 0.3) -> list[keras.Model]:
    """Small nets that answer differently; larger `spread`, surer answers."""
    found = []
    for seed in range(count):
        net = model.build(recipes.configure("fast", seed=seed), 10)
        readout = net.layers[-1].kernel
        readout.assign(np.random.default_rng(seed).normal(0, spread, readout.shape))
        found.append(net)
    return found


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def three() -> list[keras.Model]:
    return nets(3)


@pytest.fixture(scope="module")
def average(three: list[keras.Model]) -> keras.Model:
    return ensemble.average(three)


def test_its_probabilities_are_the_mean_of_its_members(
    three: list[keras.Model], average: keras.Model
) -> None:
    apart = [probabilities(net(IMAGES).numpy()) for net in three]
    assert np.abs(apart[0] - apart[1]).max() > 0.1  # or the mean would show nothing
    together = probabilities(average(IMAGES).numpy())
    np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-6)


def test_its_logits_are_the_logarithm_of_that_mean(
    three: list[keras.Model], average: keras.Model
) -> None:
    mean = np.mean([probabilities(net(IMAGES).numpy()) for net in three], axis=0)
    np.testing.assert_allclose(average(IMAGES), np.log(mean), atol=1e-5)


@pytest.mark.parametrize("number", range(5))
def test_a_view_is_the_image_moved(number: int) -> None:
    move = (0, *ensemble.VIEWS[number])
    moved = shift(IMAGES, move, order=1, mode="grid-constant")  # bilinear, paper around
    np.testing.assert_allclose(ensemble.view(IMAGES, number), moved, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_of_five_views_it_is_the_mean_over_images_moved_a_pixel_and_a_half_pixel_across(
    three: list[keras.Model], count: int
) -> None:
    turns = [(0.5, 1), (-1, 0.5), (-0.5, -1), (1, -0.5)]  # a quarter turn from each to the next
    moved = [IMAGES, *(shift(IMAGES, (0, *turn), order=1) for turn in turns)]  # bilinear
    apart = [probabilities(net(view).numpy()) for net in three[:count] for view in moved]
    together = probabilities(ensemble.average(three[:count], views=5)(IMAGES).numpy())
    np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-6)
    alone = probabilities(ensemble.average(three[:count])(IMAGES).numpy())
    assert np.abs(together - alone).max() > 0.01  # or the views would show nothing


def test_its_members_are_the_nets_it_was_made_of(
    three: list[keras.Model], average: keras.Model
) -> None:
    found = ensemble.members(average)
    assert [net.name for net in found] == ["member_1", "member_2", "member_3"]
    for net, member in zip(three, found, strict=True):
        assert np.array_equal(net(IMAGES), member(IMAGES))
    assert ensemble.members(three[0]) == []


def test_what_all_hold_impossible_has_a_finite_logit() -> None:
    logits = ensemble.average(nets(2, spread=2_000.0))(IMAGES).numpy()
    assert logits.min() < -200  # no probability in float32
    assert np.isfinite(logits).all()


def test_an_ensemble_of_one_answers_as_the_net_does(three: list[keras.Model]) -> None:
    alone = ensemble.average(three[:1])(IMAGES).numpy()
    expected = probabilities(three[0](IMAGES).numpy())
    np.testing.assert_allclose(probabilities(alone), expected, rtol=1e-5)


def test_it_has_the_shapes_of_any_model_and_the_parameters_of_all(
    three: list[keras.Model], average: keras.Model
) -> None:
    assert average.input.name == "image"
    assert average.input.shape == (None, 28, 28)
    assert average.output.shape == (None, 10)
    assert average.output.dtype == "float32"
    assert average.count_params() == sum(net.count_params() for net in three)


@pytest.mark.parametrize("views", [1, 5])
@pytest.mark.parametrize("architecture", model.ARCHITECTURES)
def test_any_architecture_is_averaged_and_comes_back_equal_from_a_file(
    tmp_path: Path, architecture: str, views: int
) -> None:
    configs = [recipes.configure("fast", architecture=architecture, seed=seed) for seed in (0, 1)]
    average = ensemble.average([model.build(config, 10) for config in configs], views)
    average.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(average(IMAGES), loaded(IMAGES))


@pytest.mark.parametrize("views", [1, 5])
def test_as_one_file_it_is_builtin_operations_with_the_same_answers(
    three: list[keras.Model], views: int
) -> None:
    average = ensemble.average(three, views)
    interpreter = Interpreter(model_content=litert.convert(average, temperature=1.5))
    found = interpreter.get_signature_runner()(image=IMAGES)["probabilities"]
    np.testing.assert_allclose(found, probabilities(average(IMAGES).numpy() / 1.5), atol=1e-5)
    (image,) = interpreter.get_input_details()
    assert image["shape_signature"].tolist() == [-1, 28, 28]
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert operations <= {
        "ADD",
        "CONCATENATION",
        "CONV_2D",
        "DELEGATE",
        "EXP",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "LOG",
        "LOG_SOFTMAX",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "PACK",
        "PAD",
        "REDUCE_MAX",
        "RELU",
        "RESHAPE",
        "SOFTMAX",
        "STRIDED_SLICE",
        "SUB",
    }

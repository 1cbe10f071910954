"""The architectures: what shapes, counts and starting weights they promise."""

import keras
import numpy as np
import pytest

from deepmnist import model, recipes

TUTORIAL_PARAMETERS = 3_274_634  # 832 + 51,264 + 3,212,288 + 10,250


@pytest.mark.parametrize("architecture", model.ARCHITECTURES)
@pytest.mark.parametrize("classes", [2, 10])
def test_every_architecture_maps_images_to_logits(architecture: str, classes: int) -> None:
    net = model.build(recipes.configure("fast", architecture=architecture), classes)
    assert net.input.name == "image"
    assert net.input.shape == (None, 28, 28)
    assert net.output.shape == (None, classes)
    assert net.output.dtype == "float32"


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_logits_stay_float32_under_mixed_precision(recipe: str) -> None:
    net = model.build(recipes.configure(recipe), 10, "mixed_bfloat16")
    assert net.output.dtype == "float32"
    assert {variable.dtype for variable in net.trainable_variables} == {"float32"}


def test_starting_weights_are_a_function_of_the_seed() -> None:
    first, again, other = (
        model.build(recipes.configure("tutorial", seed=seed), 10).get_weights()
        for seed in (3, 3, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_building_leaves_the_global_generators_alone() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    model.build(recipes.configure("fast"), 10)
    assert np.array_equal(before, np.random.get_state()[1])


def test_layers_of_one_shape_start_from_different_weights() -> None:
    net = model.build(recipes.configure("tutorial"), 1_024)
    dense, readout = (layer for layer in net.layers if isinstance(layer, keras.layers.Dense))
    assert not np.array_equal(dense.kernel[:1_024], readout.kernel)


def test_tutorial_has_the_parameters_of_the_text() -> None:
    net = model.build(recipes.configure("tutorial"), 10)
    assert net.count_params() == TUTORIAL_PARAMETERS


def test_tiny_has_no_more_parameters_than_the_smallest_net_published() -> None:
    net = model.build(recipes.configure("tiny"), 10)
    assert net.count_params() <= 6_260  # running statistics included


@pytest.mark.parametrize(
    ("recipe", "first"), [("fast", "conv2/kernel"), ("balanced", "norm1/offset")]
)
def test_edges_are_given_and_what_follows_is_learned(recipe: str, first: str) -> None:
    net = model.build(recipes.configure(recipe), 10)
    assert not net.get_layer("edges").trainable_variables
    assert net.trainable_variables[0].path == first


@pytest.mark.parametrize(("recipe", "margin"), [("fast", 2), ("balanced", 1)])
def test_nets_of_edges_see_all_but_a_margin(recipe: str, margin: int) -> None:
    net = model.build(recipes.configure(recipe), 10)
    readout = net.get_layer("logits").kernel
    readout.assign(np.random.default_rng(0).normal(size=readout.shape))
    image = np.random.default_rng(1).random((1, 28, 28), np.float32)
    bare = np.zeros_like(image)
    seen = np.s_[:, margin:-margin, margin:-margin]
    bare[seen] = image[seen]
    assert np.array_equal(net(bare), net(image))
    bare[0, margin, margin] = 9
    assert not np.array_equal(net(bare), net(image))


def test_windows_average_what_is_found_at_four_corners() -> None:
    net = model.build(recipes.configure("distilled"), 10)
    dense, readout = net.get_layer("dense"), net.get_layer("logits")
    readout.kernel.assign(np.random.default_rng(0).normal(size=readout.kernel.shape))
    image = np.random.default_rng(1).random((3, 28, 28), np.float32)
    seen = keras.Model(net.input, net.get_layer("relu4").output)(image).numpy()  # (3, 5, 5, 64)
    corners = [seen[:, down : down + 4, right : right + 4] for down in (0, 1) for right in (0, 1)]
    sums = [np.tensordot(corner, dense.kernel, 3) + dense.bias for corner in corners]
    found = np.mean(np.maximum(sums, 0), axis=0)  # (3, 64)
    np.testing.assert_allclose(net(image), found @ readout.kernel + readout.bias, atol=1e-4)


def test_tutorial_starts_as_the_text_says() -> None:
    net = model.build(recipes.configure("tutorial"), 10)
    for layer in net.layers:
        if layer.weights:
            kernel, bias = (weight.numpy() for weight in layer.weights)
            assert np.abs(kernel).max() <= 0.2  # truncated at two standard deviations of 0.1
            assert kernel.std() == pytest.approx(0.088, abs=0.01)  # what truncation leaves of 0.1
            assert (bias == np.float32(0.1)).all()


def test_tutorial_logits_can_be_negative_where_the_text_slipped() -> None:
    net = model.build(recipes.configure("tutorial"), 10)
    readout = net.layers[-1]
    assert readout.activation is keras.activations.linear
    assert (net(np.random.default_rng(0).random((8, 28, 28), np.float32)).numpy() < 0).any()


def test_a_saved_model_gives_the_same_logits_when_loaded(tmp_path) -> None:
    net = model.build(recipes.configure("fast"), 10)
    net.layers[-1].kernel.assign(np.random.default_rng(0).normal(size=net.layers[-1].kernel.shape))
    images = np.random.default_rng(1).random((4, 28, 28), np.float32)
    net.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(net(images), loaded(images))

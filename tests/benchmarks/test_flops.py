"""The counted work of a net is the work done by hand."""

import keras
import pytest
from keras import layers, ops

from benchmarks import flops
from deepmnist import model, recipes


def by_name(net: keras.Model) -> dict[str, flops.Work]:
    return {layer.layer: layer for layer in flops.count(net)}


def net(*stack: layers.Layer) -> keras.Model:
    """`stack` on an 8x8 picture of 6 channels."""
    image = keras.Input((8, 8, 6))
    x = image
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


def test_the_tutorial_s_work_is_the_one_worked_out_by_hand() -> None:
    tutorial = model.build(recipes.configure("tutorial"), 10)
    conv1 = 2 * (28 * 28 * 32) * (5 * 5 * 1)
    conv2 = 2 * (14 * 14 * 64) * (5 * 5 * 32)
    dense = 2 * 3_136 * 1_024 + 2 * 1_024 * 10
    assert flops.forward(tutorial) == conv1 + conv2 + dense == 27_767_808
    assert flops.step(tutorial) == 2 * conv1 + 3 * conv2 + 3 * dense == 82_049_024


def test_the_work_of_a_small_net_is_the_one_worked_out_by_hand() -> None:
    """Two valid convolutions and two dense layers, as `fast` was first."""
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(24, 5, name="conv1")(image)  # (24, 24, 24)
    x = layers.MaxPooling2D(name="pool1")(x)  # (12, 12, 24)
    x = layers.ReLU(name="relu1")(x)
    x = layers.Conv2D(32, 3, name="conv2")(x)  # (10, 10, 32)
    x = layers.Dense(256, "relu", name="dense")(ops.reshape(layers.MaxPooling2D()(x), (-1, 800)))
    small = keras.Model(image, layers.Dense(10)(x))
    conv1, conv2 = 2 * (24 * 24 * 24) * (5 * 5), 2 * (10 * 10 * 32) * (3 * 3 * 24)
    dense = 2 * 800 * 256 + 2 * 256 * 10
    assert flops.forward(small) == conv1 + conv2 + dense == 2_488_320
    assert flops.step(small) == 2 * conv1 + 3 * conv2 + 3 * dense == 6_773_760
    layer = by_name(small)
    assert layer["conv1"].elementwise == 24 * 24 * 24  # biases
    assert layer["pool1"].elementwise == 12 * 12 * 24 * 4  # each of four
    assert layer["relu1"].elementwise == 12 * 12 * 24
    assert layer["dense"].elementwise == 2 * 256  # biases and ReLU


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_recipe_s_net_is_counted_layer_by_layer(recipe: str) -> None:
    """A new architecture with an operation unknown here fails this test, not a table."""
    built = model.build(recipes.RECIPES[recipe], 10)
    assert flops.forward(built) < flops.step(built) <= 3 * flops.forward(built)


@pytest.mark.parametrize(
    ("layer", "work"),
    [
        (layers.Conv2D(4, 3), 2 * (6 * 6 * 4) * (3 * 3 * 6)),
        (layers.Conv2D(4, 3, padding="same"), 2 * (8 * 8 * 4) * (3 * 3 * 6)),
        (layers.Conv2D(4, 3, strides=2), 2 * (3 * 3 * 4) * (3 * 3 * 6)),
        (layers.Conv2D(4, 3, strides=2, padding="same"), 2 * (4 * 4 * 4) * (3 * 3 * 6)),
        (layers.Conv2D(4, 3, groups=2), 2 * (6 * 6 * 4) * (3 * 3 * 3)),
        (layers.Conv2D(4, (5, 1), dilation_rate=1), 2 * (4 * 8 * 4) * (5 * 1 * 6)),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), 2 * (6 * 6 * 12) * (3 * 3)),
        (layers.SeparableConv2D(4, 3), 2 * (6 * 6) * (3 * 3 * 6 + 6 * 4)),
        (layers.Dense(5), 2 * (8 * 8 * 5) * 6),
    ],
)
def test_a_layer_s_work_follows_its_shape(layer: layers.Layer, work: int) -> None:
    assert flops.forward(net(layer)) == work


def test_the_gradient_of_an_input_is_wanted_only_above_something_that_learns() -> None:
    first, second, third = (layers.Conv2D(6, 3, padding="same", name=name) for name in "abc")
    first.trainable = False
    work = 2 * (8 * 8 * 6) * (3 * 3 * 6)
    gradients = {
        name: (layer.weight_gradient, layer.input_gradient)
        for name, layer in by_name(net(first, second, third)).items()
    }
    assert (gradients["a"], gradients["b"], gradients["c"]) == ((0, 0), (work, 0), (work, work))


def test_a_layer_used_twice_works_twice_and_a_net_within_counts_its_layers() -> None:
    shared = layers.Conv2D(6, 3, padding="same")
    work = 2 * (8 * 8 * 6) * (3 * 3 * 6)
    assert flops.forward(net(shared, shared)) == 2 * work
    inner = net(layers.Conv2D(6, 3, padding="same"))
    assert flops.step(net(inner, inner)) == 2 * work + 3 * work


def test_normalisation_and_pooling_have_no_matrix_work() -> None:
    stack = net(layers.BatchNormalization(name="norm"), layers.GlobalAveragePooling2D(name="mean"))
    layer = by_name(stack)
    assert flops.step(stack) == 0
    assert (layer["norm"].elementwise, layer["mean"].elementwise) == (4 * 384, 384)


def test_a_layer_unknown_here_is_refused_rather_than_left_out() -> None:
    with pytest.raises(NotImplementedError, match=r"is a Conv2DTranspose; teach benchmarks/flops"):
        flops.count(net(layers.Conv2DTranspose(4, 3)))
    image = keras.Input((8, 8))
    product = keras.Model(image, ops.matmul(image, image))
    with pytest.raises(NotImplementedError, match="is a Matmul"):
        flops.count(product)

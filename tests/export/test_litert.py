"""The LiteRT file: the net's own answers, by names, for any number of images, from builtin ops."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deepmnist import model, recipes
from deepmnist.export import flatbuffer, functions, litert
from deepmnist.prediction.litert import check
from tests.nets import delivered

TEMPERATURE = 1.7
TOLERANCE = 1e-5  # of a probability


@pytest.fixture(scope="module", params=recipes.RECIPES)
def net(request):
    net = model.build(recipes.configure(request.param, seed=3), 10)
    readout = net.layers[-1].kernel
    readout.assign(np.random.default_rng(0).normal(0, 0.05, readout.shape))
    return net


@pytest.fixture(scope="module")
def interpreter(net) -> Interpreter:
    return Interpreter(model_content=litert.convert(net, TEMPERATURE))


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_net_there_is_is_arithmetic(recipe: str) -> None:
    check(litert.convert(delivered(recipe, 10), TEMPERATURE), "the model")


def test_names_and_shapes_survive(interpreter: Interpreter) -> None:
    (signature,) = interpreter.get_signature_list().values()
    assert signature == {"inputs": ["image"], "outputs": ["probabilities"]}
    (image,) = interpreter.get_input_details()
    assert image["shape_signature"].tolist() == [-1, 28, 28]
    assert image["dtype"] == np.float32


@pytest.mark.parametrize("n", [1, 7])
def test_probabilities_are_the_nets_at_its_temperature(net, interpreter, n: int) -> None:
    images = np.random.default_rng(n).random((n, 28, 28), np.float32)
    found = interpreter.get_signature_runner()(image=images)["probabilities"]
    expected = tf.nn.softmax(net(images, training=False) / TEMPERATURE)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert found.max() - found.min() > 0.01  # a file that lost its weights answers 0.1 throughout


def test_a_file_of_variables_answers_as_one_of_constants(net, interpreter) -> None:
    constants = litert.converted(functions.classifier(net, TEMPERATURE))
    images = np.random.default_rng(0).random((5, 28, 28), np.float32)
    found, expected = (
        each.get_signature_runner()(image=images)["probabilities"]
        for each in (interpreter, Interpreter(model_content=constants))
    )
    np.testing.assert_array_equal(found, expected)


def test_every_operation_is_builtin_and_none_juggles_shapes(interpreter: Interpreter) -> None:
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert operations <= {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DELEGATE",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "LOGISTIC",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "RELU",
        "RESHAPE",
        "SOFTMAX",
        "STRIDED_SLICE",
    }


@pytest.mark.parametrize("recipe", ["balanced", "accurate", "distilled"])
def test_no_operation_is_left_of_a_normalisation(recipe: str) -> None:
    net = model.build(recipes.configure(recipe), 10)
    for each in net.weights:
        each.assign(np.full(each.shape, 0.5))
    assert {"ADD", "MUL"}.isdisjoint(litert.operations(litert.convert(net, TEMPERATURE)))


def test_a_net_that_knows_what_is_no_digit_tells_that_apart() -> None:
    net = model.build(recipes.configure("fast", seed=3), 11)
    readout = net.layers[-1].kernel
    readout.assign(np.random.default_rng(0).normal(0, 0.3, readout.shape))
    interpreter = Interpreter(model_content=litert.convert(net, TEMPERATURE, 10))
    images = np.random.default_rng(1).random((5, 28, 28), np.float32)
    found = interpreter.get_signature_runner()(image=images)
    logits = net(images, training=False).numpy() / TEMPERATURE
    np.testing.assert_allclose(
        found["probabilities"], tf.nn.softmax(logits[:, :10]), atol=TOLERANCE
    )
    none = tf.nn.softmax(logits).numpy()[:, 10]
    np.testing.assert_allclose(found["single"], 1 - none, atol=TOLERANCE)
    assert np.ptp(none) > 0.01


@pytest.mark.parametrize("recipe", ["fast", "accurate"])
def test_in_int8_layers_compute_in_8_bits_and_what_follows_the_last_does_not(recipe: str) -> None:
    net = delivered(recipe, 10)
    draws = np.random.default_rng(0)
    for each in net.weights:  # or members would be alike, and made into one
        each.assign(draws.normal(0, 0.1, each.shape) + (1 if "variance" in each.path else 0))
    function = functions.classifier(net, TEMPERATURE)
    head = flatbuffer.head(litert.converted(function), 10)
    file = litert.quantised(function, draws.random((5, 28, 28), np.float32), head)
    found = [(name, takes) for name, takes in operations(file) if "QUANTIZE" not in name]
    layers = [takes for name, takes in found if name in ("CONV_2D", "FULLY_CONNECTED")]
    last = max(i for i, (name, _) in enumerate(found) if name == "FULLY_CONNECTED")
    ending = found[last:] + [each for each in found if each[0] == "LOG_SOFTMAX"]
    nets = 2 if recipe == "accurate" else 1
    assert layers.count("float32") == nets
    assert layers.count("int8") == len(layers) - nets
    assert {takes for _, takes in ending} == {"float32"}


def operations(file: bytes) -> list[tuple[str, str]]:
    """The name of each operation in a .tflite file, and of what type its first input is."""
    interpreter = Interpreter(
        model_content=file,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    types = {each["index"]: each["dtype"].__name__ for each in interpreter.get_tensor_details()}
    return [(each["op_name"], types[each["inputs"][0]]) for each in interpreter._get_ops_details()]

"""The one-graph reader: names, builtin operations, the same answers in both runtimes, rejection."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from deepmnist import canvas, images
from deepmnist.errors import BundleError, ConfigError
from deepmnist.export import golden, litert, reading

TEMPERATURE, THRESHOLD = 1.6, 0.4
BUILTIN = (
    "ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D CUMSUM"
    " DEPTHWISE_CONV_2D DIV EQUAL FLOOR FULLY_CONNECTED GATHER GREATER GREATER_EQUAL LESS"
    " LESS_EQUAL LOGICAL_AND MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PACK PAD REDUCE_MAX"
    " REDUCE_MIN RELU RESHAPE REVERSE_V2 ROUND SELECT_V2 SIGN SOFTMAX SQRT SQUARED_DIFFERENCE"
    " STRIDED_SLICE SUB SUM TOPK_V2 TRANSPOSE UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM"
)
PICTURES = golden.pictures()
BOUND, USUAL = 0.13, 0.02  # of full ink, mean over the 28 x 28 pixels: the worst; the median


def net_of(classes: int) -> keras.Model:
    """Whatever it answers, it depends on the whole image and is not too sure."""
    image = keras.Input((28, 28))
    flat = keras.layers.Flatten()(image)
    net = keras.Model(image, keras.layers.Dense(classes)(flat))
    kernel = np.random.default_rng(1).normal(0, 0.15, (784, classes))
    net.layers[-1].set_weights([kernel, np.zeros(classes)])
    return net


@pytest.fixture(scope="module")
def net() -> keras.Model:
    return net_of(11)


@pytest.fixture(scope="module")
def file(net: keras.Model) -> bytes:
    return reading.convert(net, TEMPERATURE, THRESHOLD)


@pytest.fixture(scope="module")
def answers(file: bytes) -> dict[str, dict[str, np.ndarray]]:
    run = Interpreter(model_content=file, num_threads=1).get_signature_runner()
    return {name: run(picture=canvas.of(picture)[np.newaxis]) for name, picture in PICTURES.items()}


def test_names_shapes_and_types(file: bytes, answers: dict) -> None:
    interpreter = Interpreter(model_content=file)
    (signature,) = interpreter.get_signature_list().values()
    assert signature["inputs"] == ["picture"]
    (picture,) = interpreter.get_input_details()
    assert (picture["dtype"], picture["shape"].tolist()) == (np.uint8, [1, 256, 256])
    found = {name: (value.dtype, value.shape) for name, value in answers["plain-3"].items()}
    assert found == {
        "probabilities": (np.float32, (1, 10)),
        "confidence": (np.float32, (1,)),
        "accepted": (np.bool_, (1,)),
        "seen": (np.uint8, (1, 28, 28)),
    }


def test_every_operation_is_builtin(file: bytes) -> None:
    counts = litert.operations(file)
    assert counts.keys() <= set(BUILTIN.split())
    assert counts["MAX_POOL_2D"] > 10


def test_litert_and_tensorflow_give_the_same(net: keras.Model, answers: dict) -> None:
    read = reading.reader(net, TEMPERATURE, THRESHOLD)
    for name, answer in answers.items():
        expected = read(tf.constant(canvas.of(PICTURES[name])[np.newaxis]))
        off = np.abs(answer["seen"].astype(int) - expected["seen"].numpy())
        assert off.max() <= 1, name
        for each in ("probabilities", "confidence"):
            np.testing.assert_allclose(answer[each], expected[each], atol=5e-3, err_msg=name)


# ---- golden pictures: what every runtime must meet ----------------------------------------------


def test_it_sees_nearly_what_prepare_sees(answers: dict) -> None:
    off = {
        name: np.abs(answer["seen"][0] - images.prepare(PICTURES[name]).astype(float)).mean() / 255
        for name, answer in answers.items()
    }
    assert max(off.values()) <= BOUND, max(off, key=lambda name: off[name])
    assert np.median(list(off.values())) <= USUAL


def test_what_it_sees_meets_the_contract(answers: dict) -> None:
    for name in answers.keys() - {"blank"}:
        seen = answers[name]["seen"][0]
        rows, columns = np.nonzero(seen)
        assert seen.max() == 255, name
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20), name
        centre = [np.average(places, weights=seen[rows, columns]) for places in (rows, columns)]
        np.testing.assert_allclose(centre, 14, atol=0.51, err_msg=name)


def test_dark_on_light_and_light_on_dark_are_seen_alike(file: bytes, answers: dict) -> None:
    run = Interpreter(model_content=file).get_signature_runner()
    for name in ("plain-2", "chalk-7", "boxed-4"):
        turned = run(picture=255 - canvas.of(PICTURES[name])[np.newaxis])
        off = np.abs(turned["seen"].astype(int) - answers[name]["seen"])
        assert off.max() <= 2, name


# ---- the answer ---------------------------------------------------------------------------------


def test_the_answer_is_the_nets_for_what_is_seen(net: keras.Model, answers: dict) -> None:
    for name, answer in answers.items():
        logits = net(answer["seen"] / np.float32(255)).numpy() / TEMPERATURE
        probabilities = tf.nn.softmax(logits[:, :10]).numpy()
        single = 1 - tf.nn.softmax(logits).numpy()[:, 10]
        confidence = probabilities.max(axis=1) * single * (name != "blank")
        np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
        np.testing.assert_allclose(answer["confidence"], confidence, atol=1e-5)
        assert answer["accepted"] == (confidence >= THRESHOLD)


def test_some_are_accepted_and_some_are_not(answers: dict) -> None:
    assert {bool(answer["accepted"][0]) for answer in answers.values()} == {True, False}


def test_a_net_of_ten_classes_takes_all_that_is_written_for_a_digit() -> None:
    read = reading.reader(net_of(10), 1.0, 0.0)
    answer = read(tf.constant(canvas.of(PICTURES["plain-5"])[np.newaxis]))
    np.testing.assert_allclose(answer["confidence"], tf.reduce_max(answer["probabilities"], 1))
    assert answer["accepted"]


@pytest.mark.parametrize("level", [0, 130, 255])
def test_a_blank_picture_is_seen_as_zeros_and_never_accepted(level: int) -> None:
    read = reading.reader(net_of(10), 1.0, 0.0)
    answer = read(tf.fill((1, 256, 256), tf.constant(level, tf.uint8)))
    assert not np.any(answer["seen"])
    assert not np.any(answer["accepted"])
    assert answer["confidence"] == 0


def test_noise_alone_is_blank() -> None:
    noise = np.random.default_rng(0).normal(150, 20, (256, 256)).clip(0, 255).astype(np.uint8)
    read = reading.reader(net_of(10), 1.0, 0.0)
    assert not np.any(read(tf.constant(noise[np.newaxis]))["seen"])


@pytest.mark.parametrize("classes", [2, 12])
def test_a_net_of_other_classes_is_refused(classes: int) -> None:
    with pytest.raises(BundleError, match=f"tells {classes} classes apart.*takes 10 digits, or 11"):
        reading.reader(net_of(classes), 1.0, 0.5)


@pytest.mark.parametrize(("temperature", "threshold"), [(0, 0.5), (-1, 0.5), (1, 1.5), (1, -0.1)])
def test_numbers_out_of_range_are_refused(net, temperature: float, threshold: float) -> None:
    with pytest.raises(ConfigError, match=r"above 0 and a threshold within 0\.\.1"):
        reading.reader(net, temperature, threshold)

"""translation.py: an ONNX file that answers as its LiteRT file does, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers, ops
from numpy.typing import NDArray

from deepmnist import bundle, ensemble, model, recipes
from deepmnist.export import flatbuffer, litert
from deepmnist.prediction import translation
from deepmnist.prediction.translation import TranslationError

SIZE = 5
NOISE = np.random.default_rng(0).random((SIZE, 28, 28), np.float32)


def net(recipe: str, seed: int = 0) -> keras.Model:
    """An untrained one, whose readout tells images apart."""
    made = model.build(recipes.configure(recipe, seed=seed), 10)
    readout, generator = made.get_layer("logits"), np.random.default_rng(seed)
    readout.set_weights([generator.normal(0, 0.1, w.shape) for w in readout.get_weights()])
    return made


def of_layer(layer: Any) -> bytes:
    """The LiteRT file of a layer between an image and ten numbers."""
    image = keras.Input((28, 28), name="image")
    found = layer(ops.expand_dims(image, -1))
    return litert.convert(keras.Model(image, layers.Dense(10)(ops.reshape(found, (-1, 784)))), 1.0)


def by_litert(file: bytes) -> list[NDArray[np.float32]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=file)
    (image,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(image["index"], NOISE.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], NOISE)
    interpreter.invoke()
    return [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]


def by_onnx_runtime(file: bytes) -> list[NDArray[np.float32]]:
    return onnxruntime.InferenceSession(file).run(None, {translation.IMAGE: NOISE})


FILES = {
    "crops and pools": lambda: litert.convert(net("fast"), 1.3),
    "normalises, with and without padding": lambda: litert.convert(net("accurate"), 1.3),
    "averages windows": lambda: litert.convert(net("distilled"), 1.3),
    "averages nets over views": lambda: litert.convert(
        ensemble.average([net("fast", 0), net("fast", 1)], views=5), 1.3
    ),
    "the shipped, which tells what is no digit": lambda: bundle.load(
        bundle.SHIPPED
    ).runtime.read_bytes(),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_translation_answers_as_its_file_does(kind: str) -> None:
    file = FILES[kind]()
    wanted = by_litert(file)
    assert max(values.std() for values in wanted) > 1e-3  # or constants would be compared
    found = by_onnx_runtime(translation.to_onnx(file, SIZE))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ["normalises, with and without padding", "averages windows"])
def test_every_activation_becomes_a_part_of_what_is_before_it(kind: str, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(translation.to_onnx(FILES[kind](), SIZE), options)
    found = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert "Conv" in found
    assert "Relu" not in found


def test_a_translation_is_valid_onnx_with_operations_of_its_own() -> None:
    file = onnx.load_from_string(translation.to_onnx(FILES["averages nets over views"](), SIZE))
    onnx.checker.check_model(file, full_check=True)
    assert {node.domain for node in file.graph.node} == {""}


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (layers.Activation("sigmoid"), "LOGISTIC"),
        (layers.ReLU(max_value=6), "RELU6|activation 3"),
    ],
)
def test_an_operation_without_a_counterpart_is_refused(layer: Any, told: str) -> None:
    with pytest.raises(TranslationError, match=told):
        translation.to_onnx(of_layer(layer), SIZE)


def test_a_convolution_with_holes_is_refused() -> None:
    file = of_layer(layers.Conv2D(1, 3, padding="same", dilation_rate=2))
    with pytest.raises(TranslationError):
        translation.to_onnx(file, SIZE)


def test_weights_in_half_precision_are_refused() -> None:
    with pytest.raises(TranslationError):
        translation.to_onnx(flatbuffer.halved(FILES["crops and pools"]()), SIZE)


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_what_is_no_file_of_litert_is_refused(damage: str) -> None:
    file = FILES["crops and pools"]()
    given = {"cut": file[: len(file) // 2], "noise": bytes(range(256)) * 9, "empty": b""}[damage]
    with pytest.raises(TranslationError):
        translation.to_onnx(given, SIZE)

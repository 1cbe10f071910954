"""An ONNX file may hold arithmetic of ONNX's own, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deepmnist import prediction, recipes
from deepmnist.errors import BundleError
from deepmnist.export import functions
from deepmnist.export.onnx import converted
from deepmnist.prediction.onnx import ARITHMETIC
from tests.nets import delivered


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def outside_in_a_constant(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="c", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))


def of_others(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Evil", ["image"], ["x"], domain="evil"))


def declared_of_others(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["x"], body=body))


def function(model: onnx.ModelProto) -> None:
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("", "F", [], [], [], opsets))


def other_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 32


def other_output(model: onnx.ModelProto) -> None:
    del model.graph.output[0]


def other_names(model: onnx.ModelProto) -> None:
    text = model.metadata_props[0].value
    model.metadata_props[0].value = text.replace('["0",', '["-1","0",')


def no_metadata(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def no_such_operation(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("NoSuchOperation", ["image"], ["x"]))


def of_much_memory(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("ConstantOfShape", ["image"], ["x"]))


def without_its_input(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Abs", ["nothing"], ["x"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (outside, "keeps data in other files"),
        (outside_in_a_constant, "keeps data in other files"),
        (of_others, "holds the operation 'Evil'; an export is arithmetic alone"),
        (declared_of_others, "operations that are not ONNX's own"),
        (function, "operations that are not ONNX's own"),
        (loop, "holds the operation 'Loop'"),
        (other_input, r"takes image float32 \(None, 32, 28\)"),
        (other_output, "and gives single"),
        (other_names, "a classifier of 11 classes"),
        (no_metadata, "does not say what it is"),
        (no_such_operation, "holds the operation 'NoSuchOperation'"),
        (of_much_memory, "holds the operation 'ConstantOfShape'"),
        (without_its_input, "cannot be run by ONNX Runtime"),
    ],
)
def test_what_no_export_holds_is_refused_in_one_line(
    exported, tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str
) -> None:
    model = onnx.load(exported("onnx").path)
    change(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=message) as caught:
        prediction.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"digits", b"deepmnist", b"Softmax", b"image"])
def test_text_that_is_no_utf8_is_refused_in_one_line(exported, tmp_path: Path, text: bytes) -> None:
    content = exported("onnx").path.read_bytes()
    assert text in content
    path = tmp_path / "m.onnx"
    path.write_bytes(content.replace(text, b"\xff" + text[1:]))
    with pytest.raises(BundleError) as caught:
        prediction.load(path)
    assert "\n" not in str(caught.value)


def test_what_runs_is_what_was_checked_though_the_file_also_begins_as_onnx_runtime_s_own(
    exported, tmp_path: Path
) -> None:
    """ONNX Runtime tells its own format by the bytes 4 to 8, which here are a producer's name."""
    content = exported("onnx").path.read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08\x12\x04ORTM" + content)
    images = np.zeros((2, 28, 28), np.uint8)
    plain = prediction.load(exported("onnx").path).predict_proba(images)
    np.testing.assert_array_equal(prediction.load(path).predict_proba(images), plain)


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_net_there_is_is_arithmetic(recipe: str) -> None:
    graph = converted(functions.classifier(delivered(recipe, 11), 1.0, 10)).graph
    assert {node.op_type for node in graph.node} <= {*ARITHMETIC.split()}

"""ONNX: operations of its own alone, for ONNX Runtime wherever that runs.

What tf2onnx makes of the reader's segment sums are tables of pixels by pixels; ONNX can scatter,
which is some hundred times faster. In float16 the weights are stored in half and computed with in
float32. In int8 layers but the last are quantised, weights a channel at a time, as samples show the
range of what passes between them; weights keep to half the range, since processors without VNNI add
two products in 16 bits, which two of full range may overflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import tf2onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from deepmnist import chatter
from deepmnist.export import functions
from deepmnist.metadata import KEY, Metadata, encoded

OPSET = 18  # the first that scatters the greatest of several
DENSE = ("Gemm", "MatMul")
LAYERS = ("Conv", *DENSE)
WEIGHTS = 1  # the place of the weights among a layer's inputs
SAMPLES = 50  # at a time


def write(
    path: Path, make: functions.Make, metadata: Metadata, samples: NDArray[np.float32]
) -> None:
    """Put an ONNX file at `path`, checked by ONNX's own checker.

    samples: images float32 (n, 28, 28) in 0..1 that int8 is fitted to.
    """
    model = converted(make(False))
    if metadata.precision == "float16":
        _halve(model)
    elif metadata.precision == "int8":
        model = quantised(model, samples, len(metadata.class_names))
    used = {node.domain for node in model.graph.node}
    declared = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]  # tf2onnx declares what it might have used
    model.opset_import.extend(declared)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, encoded(metadata).decode()
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def converted(function: functions.Function) -> onnx.ModelProto:
    """The ONNX model of a function with an input signature and no variables."""
    lowest = float(np.finfo(np.float32).min)  # TensorFlow's greatest of nothing
    with chatter.dropped():
        model, _ = tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=OPSET,
            custom_op_handlers={
                "UnsortedSegmentMax": (_scattered, ["max", lowest]),
                "UnsortedSegmentSum": (_scattered, ["add", 0.0]),
            },
        )
    return model


def _scattered(graph: Any, node: Any, name: str, args: list[float]) -> None:
    """tf2onnx calls this with `node` renamed to the reduction, which stood first among `args`."""
    values, segments = node.input[:2]
    (output,) = node.output
    shape, dtype = graph.get_shape(output), graph.get_dtype(output)
    reduction = node.type
    empty = _constant(graph, np.full(shape, args[0], np.float32))
    last = _constant(graph, np.array([-1], np.int64))
    numbers = graph.make_node("Cast", [segments], attr={"to": TensorProto.INT64}).output[0]
    places = graph.make_node("Unsqueeze", [numbers, last]).output[0]
    graph.remove_node(name)
    graph.make_node(
        "ScatterND",
        [empty, places, values],
        attr={"reduction": reduction},
        outputs=[output],
        name=name,
        shapes=[shape],
        dtypes=[dtype],
    )


def _constant(graph: Any, values: NDArray[Any]) -> str:
    return graph.make_const(tf2onnx.utils.make_name("constant"), values).output[0]


def _halve(model: onnx.ModelProto) -> None:
    """Store the weights of layers in half, and put a cast to float32 before each layer."""
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    for name in dict.fromkeys(node.input[WEIGHTS] for node in layers):
        tensor = held.get(name)
        if tensor is None or tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        cast = onnx.helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT)
        model.graph.node.insert(0, cast)


def quantised(
    model: onnx.ModelProto, samples: NDArray[np.float32], classes: int
) -> onnx.ModelProto:
    """The model with its layers in int8, all but those that give a number a class."""
    from onnxruntime import quantization

    class Samples(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[NDArray[np.float32]] = (
                samples[i : i + SAMPLES] for i in range(0, len(samples), SAMPLES)
            )

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            images = next(self.left, None)
            return None if images is None else {"image": images}

    with TemporaryDirectory() as folder, chatter.dropped():
        path = Path(folder) / "model.onnx"
        quantization.quantize_static(
            model,
            path,
            Samples(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(LAYERS),
            nodes_to_exclude=_readouts(model, classes),
            per_channel=True,
            reduce_range=True,
        )
        return onnx.load(path)


def _readouts(model: onnx.ModelProto, classes: int) -> list[str]:
    """The dense layers that give a number a class, or one more; a kernel may be as many wide."""
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in DENSE
        and node.input[WEIGHTS] in held
        and held[node.input[WEIGHTS]].dims[-1] in (classes, classes + 1)
    ]

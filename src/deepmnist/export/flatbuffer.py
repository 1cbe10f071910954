"""A .tflite file taken apart and put together: weights in half, metadata, tensors by name.

LiteRT's converter can store weights in half too, but of every constant of a graph; a reader's
preparation counts in numbers that half cannot hold. Here only what convolutions and dense layers
multiply with is stored in half. Packed again, every constant lies on 16 bytes, as the format asks.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from deepmnist.metadata import KEY
from deepmnist.prediction.litert import MAGIC

ALIGNMENT = 16  # bytes
WEIGHTS = 1  # the place of the weights among the inputs of a convolution or a dense layer
DENSE = schema.BuiltinOperator.FULLY_CONNECTED
LAYERS = (schema.BuiltinOperator.CONV_2D, DENSE)


class _Builder(flatbuffers.Builder):
    """Puts every vector on 16 bytes; Python's generated code knows no wish to."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, max(alignment, ALIGNMENT))


def labelled(file: bytes, text: bytes) -> bytes:
    """The file with `text` among its metadata, under metadata.KEY."""
    model = _unpacked(file)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text, np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return _packed(model)


def halved(file: bytes) -> bytes:
    """The file with the weights of its layers stored in float16, made float32 as it runs."""
    model = _unpacked(file)
    graph = model.subgraphs[0]
    code = _code(model, schema.BuiltinOperator.DEQUANTIZE)
    found = dict.fromkeys(
        int(operator.inputs[WEIGHTS]) for operator in _layers(model, graph)
    )  # in order, each once
    for index in found:
        tensor = graph.tensors[index]
        data = model.buffers[tensor.buffer].data
        if data is None or tensor.type != schema.TensorType.FLOAT32:
            continue
        graph.tensors.append(_stored(model, tensor, data.view(np.float32)))
        model.buffers[tensor.buffer].data = None  # no constant any more, but computed
        graph.operators.insert(0, _widening(code, len(graph.tensors) - 1, index))
    return _packed(model)


def head(file: bytes, classes: int) -> list[str]:
    """The names of the logits, and of all that is computed from them.

    Logits are what a dense layer gives as many of as there are classes, or one more. A convolution
    may have as many filters, and gives none.
    """
    model = _unpacked(file)
    graph = model.subgraphs[0]
    found: dict[int, str] = {}
    for operator in graph.operators:  # each after what it takes
        if _is_readout(model, graph, operator, classes) or found.keys() & set(operator.inputs):
            found |= {int(each): graph.tensors[each].name.decode() for each in operator.outputs}
    return [*found.values()]


def _is_readout(model: Any, graph: Any, operator: Any, classes: int) -> bool:
    width = int(graph.tensors[operator.outputs[0]].shape[-1])
    return _kind(model, operator) == DENSE and width in (classes, classes + 1)


def _stored(model: Any, tensor: Any, values: np.ndarray) -> Any:
    buffer = schema.BufferT()
    buffer.data = values.astype(np.float16).view(np.uint8)
    model.buffers.append(buffer)
    half = schema.TensorT()
    half.name, half.shape = tensor.name + b"_half", tensor.shape
    half.type, half.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
    return half


def _widening(code: int, given: int, gives: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [given], [gives]
    return operator


def _code(model: Any, operation: int) -> int:
    """The place of an operation among those that the file names, added to them."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operation
    code.version = 3  # of DEQUANTIZE: the first that takes half
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _layers(model: Any, graph: Any) -> list[Any]:
    return [each for each in graph.operators if _kind(model, each) in LAYERS]


def _kind(model: Any, operator: Any) -> int:
    return int(model.operatorCodes[operator.opcodeIndex].builtinCode)


def _unpacked(file: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(file))


def _packed(model: Any) -> bytes:
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), MAGIC)
    return bytes(builder.Output())

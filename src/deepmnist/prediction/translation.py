"""A LiteRT file as an ONNX file for batches of one size: the same arithmetic, the same weights.

It knows the operations of convolutional nets with ReLU, single or averaged over views; any other is
a TranslationError. LiteRT has channels last and ONNX first, so a convolution or pooling stands
between two transpositions; ONNX Runtime removes those that meet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

OPSET, FILE_FORMAT = 17, 8  # ONNX 1.12's, which every ONNX Runtime since 2022 runs
CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
PADDING = ("SAME_UPPER", "VALID")  # LiteRT's Padding, by number
NO_ACTIVATION, RELU = 0, 1  # LiteRT's ActivationFunctionType
OVER_PIXELS = {"CONV_2D", "MAX_POOL_2D"}  # operations that put their activation themselves
ABSENT = -1  # the number of an input that an operator does without
TO_THE_END = np.iinfo(np.int32).max  # where a slice ends that has no end
IMAGE = "image"

# What reading a flatbuffer's tables may raise where their offsets lead nowhere.
DAMAGE = (struct.error, LookupError, ArithmeticError, ValueError, TypeError, AttributeError)

Inputs: TypeAlias = Sequence[int]  # an operator's, by number
# Puts nodes for an operator with these inputs and options, and names what they give.
Writer: TypeAlias = Callable[["_Graph", Inputs, Any], str]


class TranslationError(Exception):
    """A file holds what this module does not know."""


def to_onnx(runtime: bytes, size: int) -> bytes:
    """An ONNX file from IMAGE, float32 (size, 28, 28), to a LiteRT file's outputs, in its order.

    runtime: what LiteRT has opened. TranslationError where it holds what is not known here.
    """
    from ai_edge_litert.schema_py_generated import ModelT

    try:
        model = ModelT.InitFromPackedBuf(runtime, 0)
        (subgraph,) = model.subgraphs
        graph = _Graph(model, subgraph)
        for operator in subgraph.operators:
            graph.write(operator)
        return graph.file(size)
    except DAMAGE as error:
        raise TranslationError(f"no graph that is known here: {error}") from error


class _Graph:
    """The graph of a LiteRT file, and the ONNX nodes made of it so far."""

    def __init__(self, model: Any, subgraph: Any) -> None:
        from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType

        names = {number: name for name, number in vars(BuiltinOperator).items()}
        self._kinds = [names[code.builtinCode] for code in model.operatorCodes]
        self._dtypes = {TensorType.FLOAT32: np.float32, TensorType.INT32: np.int32}
        self._buffers, self._graph = model.buffers, subgraph
        (image,) = subgraph.inputs
        self._names = {image: IMAGE}  # of tensors, by number
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def write(self, operator: Any) -> None:
        """Put nodes for an operator, and for the activation that LiteRT has made a part of it."""
        kind = self._kinds[operator.opcodeIndex]
        options = operator.builtinOptions
        if kind not in WRITERS or _activation(options) not in (NO_ACTIVATION, RELU):
            raise TranslationError(f"{kind} with activation {_activation(options)}")
        result = WRITERS[kind](self, operator.inputs, options)
        (output,) = operator.outputs
        self._names[output] = result if kind in OVER_PIXELS else self.activated(result, options)

    def activated(self, values: str, options: Any) -> str:
        """What the activation in an operator's options makes of values; its name."""
        return self.node("Relu", values) if _activation(options) == RELU else values

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Put a node of one result; its name."""
        from onnx import helper

        result = f"result_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [result], **attributes))
        return result

    def constant(self, array: NDArray[Any]) -> str:
        """Put a constant; its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def numbers(self, *numbers: int) -> str:
        """Put a constant of whole numbers, as ONNX takes shapes, axes and bounds."""
        return self.constant(np.array(numbers, np.int64))

    def value(self, tensor: int) -> NDArray[Any]:
        """Of a tensor that the file holds."""
        described = self._graph.tensors[tensor]
        data = self._buffers[described.buffer].data
        if data is None or described.type not in self._dtypes:
            raise TranslationError("a weight that is computed, or kept in fewer bits")
        return np.asarray(data).view(self._dtypes[described.type]).reshape(self.shape(tensor))

    def shape(self, tensor: int) -> list[int]:
        """Of a tensor, as the file has it: for one image."""
        found = self._graph.tensors[tensor].shape
        return [] if found is None else list(map(int, found))

    def name(self, tensor: int) -> str:
        """Of a tensor: the image, what a node gives, or a constant."""
        if tensor not in self._names:
            self._names[tensor] = self.constant(self.value(tensor))
        return self._names[tensor]

    def file(self, size: int) -> bytes:
        """All of it, for so many images at a time."""
        from onnx import TensorProto, helper

        def described(name: str, tensor: int) -> onnx.ValueInfoProto:
            shape = [size, *self.shape(tensor)[1:]]
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            "translated",
            [described(IMAGE, each) for each in self._graph.inputs],
            [described(self.name(each), each) for each in self._graph.outputs],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=FILE_FORMAT)
        return model.SerializeToString()


def _activation(options: Any) -> int:
    return int(getattr(options, "fusedActivationFunction", NO_ACTIVATION))


def _convolution(graph: _Graph, inputs: Inputs, options: Any) -> str:
    image, kernel, bias = inputs
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        raise TranslationError("a dilated convolution")
    weights = graph.constant(graph.value(kernel).transpose(CHANNELS_FIRST))

    def summed(pixels: str) -> str:
        sums = graph.node("Conv", pixels, weights, graph.name(bias), **_windows(options))
        return graph.activated(sums, options)

    return _over_pixels(graph, image, summed)


def _max_pooling(graph: _Graph, inputs: Inputs, options: Any) -> str:
    """The greatest of what the activation leaves, which is what it leaves of the greatest.

    So it is free: ONNX Runtime makes it a part of the convolution before.
    """
    size = [options.filterHeight, options.filterWidth]

    def greatest(pixels: str) -> str:
        left = graph.activated(pixels, options)
        return graph.node("MaxPool", left, kernel_shape=size, **_windows(options))

    return _over_pixels(graph, inputs[0], greatest)


def _windows(options: Any) -> dict[str, Any]:
    """How windows move over a picture, and whether beyond its border."""
    strides = [options.strideH, options.strideW]
    return {"strides": strides, "auto_pad": PADDING[options.padding]}


def _over_pixels(graph: _Graph, image: int, make: Callable[[str], str]) -> str:
    """What `make` makes of an image whose channels come first, with channels last again."""
    _, height, width, channels = graph.shape(image)
    if channels == 1:  # the same values in the same order, so that nothing is copied
        first = graph.node("Reshape", graph.name(image), graph.numbers(-1, 1, height, width))
    else:
        first = graph.node("Transpose", graph.name(image), perm=CHANNELS_FIRST)
    return graph.node("Transpose", make(first), perm=CHANNELS_LAST)


def _dense(graph: _Graph, inputs: Inputs, options: Any) -> str:
    values, weights, bias = inputs
    if len(graph.shape(values)) != 2:
        raise TranslationError("a dense layer of other than rows of values")
    more = () if bias == ABSENT else (graph.name(bias),)
    given = graph.name(values), graph.constant(graph.value(weights)), *more
    return graph.node("Gemm", *given, transB=1)


def _same(kind: str) -> Writer:
    """For an operation that both have, without options that matter here."""
    return lambda graph, inputs, options: graph.node(kind, *map(graph.name, inputs))


def _shaped(kind: str) -> Writer:
    """For one whose second input is a shape or an axis."""
    return lambda graph, inputs, options: graph.node(
        kind, graph.name(inputs[0]), graph.numbers(*graph.value(inputs[1]).ravel())
    )


def _reduced(kind: str) -> Writer:
    return lambda graph, inputs, options: graph.node(
        kind,
        graph.name(inputs[0]),
        axes=graph.value(inputs[1]).ravel().tolist(),
        keepdims=int(options.keepDims),
    )


def _softmax(graph: _Graph, inputs: Inputs, options: Any) -> str:
    if options.beta != 1:
        raise TranslationError("a softmax with a temperature of its own")
    return graph.node("Softmax", graph.name(inputs[0]), axis=-1)


def _padding(graph: _Graph, inputs: Inputs, options: Any) -> str:
    before, after = graph.value(inputs[1]).T
    return graph.node("Pad", graph.name(inputs[0]), graph.numbers(*before, *after))


def _joined(graph: _Graph, inputs: Inputs, options: Any) -> str:
    return graph.node("Concat", *map(graph.name, inputs), axis=options.axis)


def _stacked(graph: _Graph, inputs: Inputs, options: Any) -> str:
    axis = graph.numbers(options.axis)
    parts = [graph.node("Unsqueeze", graph.name(each), axis) for each in inputs]
    return graph.node("Concat", *parts, axis=options.axis)


def _slice(graph: _Graph, inputs: Inputs, options: Any) -> str:
    """Axis by axis from a start to an end; bits of masks say where these do not count."""
    if options.ellipsisMask or options.newAxisMask or options.offset:
        raise TranslationError("a slice with an ellipsis, a new axis or an offset")
    starts, ends, steps = (graph.value(each).tolist() for each in inputs[1:])
    axes, dropped = range(len(starts)), []
    for axis in axes:
        if options.beginMask >> axis & 1:
            starts[axis] = 0
        if options.shrinkAxisMask >> axis & 1:
            ends[axis] = starts[axis] + 1
            dropped.append(axis)
        elif options.endMask >> axis & 1:
            ends[axis] = TO_THE_END
    bounds = map(lambda each: graph.numbers(*each), (starts, ends, axes, steps))
    found = graph.node("Slice", graph.name(inputs[0]), *bounds)
    return graph.node("Squeeze", found, graph.numbers(*dropped)) if dropped else found


WRITERS: dict[str, Writer] = {
    "ADD": _same("Add"),
    "CONCATENATION": _joined,
    "CONV_2D": _convolution,
    "EXP": _same("Exp"),
    "EXPAND_DIMS": _shaped("Unsqueeze"),
    "FULLY_CONNECTED": _dense,
    "LOG": _same("Log"),
    "LOG_SOFTMAX": _same("LogSoftmax"),
    "MAX_POOL_2D": _max_pooling,
    "MEAN": _reduced("ReduceMean"),
    "MUL": _same("Mul"),
    "PACK": _stacked,
    "PAD": _padding,
    "REDUCE_MAX": _reduced("ReduceMax"),
    "RESHAPE": _shaped("Reshape"),
    "SOFTMAX": _softmax,
    "STRIDED_SLICE": _slice,
    "SUB": _same("Sub"),
}

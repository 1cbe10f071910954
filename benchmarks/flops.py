"""Floating-point operations of a net for one image, worked out from its layers and their shapes.

A multiplication and the addition that follows it count as two. What matrix units do (convolutions,
dense layers) is apart from what passes over memory (biases, activations, pooling, statistics): only
the former has a peak to be held to. Padding counts as pixels do, as in every published figure.

A step's backward pass is, for each convolution and dense layer, as much again for the gradient of
its weights and, where something below it learns, of its input. The loss and the optimiser are left
out: they have no matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
from keras import layers

from deepmnist.normalization import FusedNormalization

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
NORMALISATIONS = (layers.BatchNormalization, FusedNormalization)
GLOBAL_POOLS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
NORMALISATION = 4  # operations a number: less the mean, over the deviation, times scale, plus shift
MATRIX_PRODUCTS = {"Matmul", "Einsum", "Dot", "Tensordot", "Conv", "ConvTranspose", "DepthwiseConv"}
MOVES = {"InputLayer", "Reshape", "ExpandDims", "Squeeze", "Flatten", "Transpose", "Permute"}
MOVES |= {"Concatenate", "GetItem", "Pad", "ZeroPadding2D", "Cropping2D", "Identity"}


@dataclass(frozen=True)
class Work:
    """Operations of one layer for one image."""

    layer: str
    forward: int  # of matrix units, as are the two gradients
    weight_gradient: int
    input_gradient: int
    elementwise: int  # of the forward pass; the backward pass has about as many

    @property
    def step(self) -> int:
        """Matrix operations of a training step."""
        return self.forward + self.weight_gradient + self.input_gradient


def count(net: keras.Model, input_learns: bool = False) -> list[Work]:
    """The work of each layer of a functional model, first to last; of a net within, its layers'.

    input_learns: whether a gradient of the net's own input is wanted. A layer that does not learn
    has no weight gradient. NotImplementedError for a layer that multiplies matrices in a way
    unknown here, which would be left out in silence.
    """
    work: list[Work] = []
    learning = set(map(id, net.inputs)) if input_learns else set()  # tensors a gradient goes to
    for node in _nodes(net):
        wanted = any(id(tensor) in learning for tensor in node.input_tensors)
        if isinstance(node.operation, keras.Model):
            work += count(node.operation, wanted)
        else:
            work.append(_work(node, wanted))
        if wanted or _learns(node.operation):
            learning.update(map(id, node.output_tensors))
    return work


def forward(net: keras.Model) -> int:
    """Matrix operations of the answer for one image."""
    return sum(layer.forward for layer in count(net))


def step(net: keras.Model) -> int:
    """Matrix operations of a training step, for each image of its batch."""
    return sum(layer.step for layer in count(net))


def _nodes(net: keras.Model) -> Iterator[Any]:
    """Each use of each layer, input first: Keras keeps them by their distance from the output."""
    for depth in sorted(net._nodes_by_depth, reverse=True):
        yield from net._nodes_by_depth[depth]


def _learns(operation: Any) -> bool:
    return bool(getattr(operation, "trainable_weights", []))


def _work(node: Any, wanted: bool) -> Work:
    matrix = _matrix(node.operation, _numbers(node.output_tensors))
    return Work(
        node.operation.name,
        forward=matrix,
        weight_gradient=matrix if _learns(node.operation) else 0,
        input_gradient=matrix if wanted else 0,
        elementwise=_elementwise(
            node.operation, _numbers(node.input_tensors), _numbers(node.output_tensors)
        ),
    )


def _numbers(tensors: list[Any]) -> int:
    """Numbers in the tensors of one image."""
    return sum(prod(tensor.shape[1:]) for tensor in tensors)


def _matrix(operation: Any, outputs: int) -> int:
    """Twice the multiplications of one forward pass that makes `outputs` numbers."""
    if isinstance(operation, layers.SeparableConv2D):
        across, down = operation.depthwise_kernel.shape, operation.pointwise_kernel.shape
        return 2 * outputs // operation.filters * (prod(across) + prod(down))
    if isinstance(operation, layers.DepthwiseConv2D):
        return 2 * outputs * prod(operation.kernel.shape[:2])
    if isinstance(operation, layers.Conv2D | layers.Dense):  # a group's kernel has its inputs alone
        return 2 * outputs * prod(operation.kernel.shape[:-1])
    name = type(operation).__name__
    if name in MATRIX_PRODUCTS or any(len(weight.shape) > 1 for weight in _weights(operation)):
        raise NotImplementedError(
            f"{operation.name} is a {name}; teach benchmarks/flops.py its work"
        )
    return 0


def _weights(operation: Any) -> list[Any]:
    return getattr(operation, "weights", [])


def _elementwise(operation: Any, inputs: int, outputs: int) -> int:
    """Operations of one forward pass on single numbers."""
    if isinstance(operation, (*CONVOLUTIONS, layers.Dense)):
        activated = operation.activation is not keras.activations.linear
        return outputs * (operation.use_bias + activated)
    if isinstance(operation, NORMALISATIONS):
        return outputs * NORMALISATION
    if isinstance(operation, POOLS):
        return outputs * prod(operation.pool_size)
    if isinstance(operation, GLOBAL_POOLS):
        return inputs
    return 0 if type(operation).__name__ in MOVES else outputs

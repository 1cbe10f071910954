"""The gradient of a batch: one function of images and targets, which is what is differentiated.

Where images do not touch each other, a batch is taken as two halves beside each other: operations
of a small net are too small for two cores to share each, and half of all of them is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf

from deepmnist.contract import SIDE
from deepmnist.normalization import FusedNormalization

# Of pixels (n, 28, 28), targets (n, classes) and the number of images in the whole batch, of which
# these may be a part: the part's share of the mean loss, and its gradient by each variable.
Gradient = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], list[tf.Tensor]]


def gradient_of(net: keras.Model, classes: int, divisible: bool) -> Gradient:
    """The net's, in halves where that changes nothing; divisible: whether no batch is too small."""

    def gradient(pixels: tf.Tensor, targets: tf.Tensor, total: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = net(pixels, training=True)
            losses = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=logits, labels=targets).loss
            loss = tf.reduce_sum(losses) / total
        return [loss, *tape.gradient(loss, net.trainable_variables)]

    return _in_halves(gradient, classes) if divisible and _apart(net) else gradient


def _apart(net: keras.Model) -> bool:
    """Whether no layer looks at a batch as a whole, or draws for it."""
    return not any(
        isinstance(layer, FusedNormalization)
        or (isinstance(layer, keras.layers.Dropout) and layer.rate > 0)
        for layer in net.layers
    )


def _in_halves(gradient: Gradient, classes: int) -> Gradient:
    """The sum of both halves' gradients: two calls of one graph, neither of which waits."""
    shapes = (None, SIDE, SIDE), (None, classes), ()
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    half = tf.function(partial(gradient), input_signature=signature, autograph=False)

    def halves(pixels: tf.Tensor, targets: tf.Tensor, total: tf.Tensor) -> list[tf.Tensor]:
        middle = tf.shape(pixels)[0] // 2
        first = half(pixels[:middle], targets[:middle], total)
        second = half(pixels[middle:], targets[middle:], total)
        return [a + b for a, b in zip(first, second, strict=True)]

    return halves

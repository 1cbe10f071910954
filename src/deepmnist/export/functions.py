"""A trained net as a TensorFlow function without variables: what every format is converted from.

Its weights are constants inside the graph, since LiteRT's converter drops the values of variables
without a word and ONNX's would make inputs of them. Names of inputs and outputs, and shapes, are
those of prediction/graphs.py, in every format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from deepmnist.contract import SIDE

Function: TypeAlias = tf.types.experimental.PolymorphicFunction
Make: TypeAlias = Callable[[bool], Function]  # with weights stored in half, or not


def classifier(
    net: keras.Model, temperature: float, classes: int | None = None, half: bool = False
) -> Function:
    """`image` float32 (n, 28, 28) in 0..1 -> `probabilities` float32 (n, classes).

    The logits are divided by `temperature` before the softmax. A net with one logit more than
    `classes` says with the last one that this is none of them: the function then also gives
    `single` float32 (n,), the probability that it is one.
    """
    answer = frozen(net, half)

    @tf.function(
        input_signature=[tf.TensorSpec((None, SIDE, SIDE), tf.float32, name="image")],
        autograph=False,
    )
    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return _outputs(answer(image) / temperature, classes)

    return classify


def frozen(net: keras.Model, half: bool = False) -> Callable[[tf.Tensor], tf.Tensor]:
    """The net's logits of images, as a function that holds the weights as constants.

    half: weights are stored in float16, and computed with in float32.
    """
    weights, statistics = (
        [variable.numpy() for variable in variables]
        for variables in (net.trainable_variables, net.non_trainable_variables)
    )

    def constant(values: np.ndarray) -> tf.Tensor:
        if half and values.dtype == np.float32:
            return tf.cast(tf.constant(values.astype(np.float16)), tf.float32)
        return tf.constant(values)

    def logits(images: tf.Tensor) -> tf.Tensor:
        held = ([constant(values) for values in group] for group in (weights, statistics))
        return net.stateless_call(*held, images, training=False)[0]

    return logits


def _outputs(logits: tf.Tensor, classes: int | None) -> dict[str, tf.Tensor]:
    if classes is None or logits.shape[1] == classes:
        return {"probabilities": tf.nn.softmax(logits)}
    none = tf.nn.softmax(logits)[:, classes]
    return {"probabilities": tf.nn.softmax(logits[:, :classes]), "single": 1.0 - none}

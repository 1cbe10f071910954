"""A trained net as a TensorFlow function: what every format is converted from.

Of an export its weights are constants inside the graph, since ONNX's converter would make inputs of
variables. A training's own file is made from variables, which takes less memory. Normalisations are
folded into the convolutions before them (folding.py). Names of inputs and outputs, and shapes, are
those of prediction/graphs.py, in every format.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from deepmnist.contract import SIDE
from deepmnist.export.folding import folded

Function: TypeAlias = tf.types.experimental.PolymorphicFunction
Answer: TypeAlias = Callable[[tf.Tensor], tf.Tensor]  # logits of images
Make: TypeAlias = Callable[[bool], Function]  # with weights stored in half, or not


def classifier(
    net: keras.Model, temperature: float, classes: int | None = None, half: bool = False
) -> Function:
    """`image` float32 (n, 28, 28) in 0..1 -> `probabilities` float32 (n, classes).

    The logits are divided by `temperature` before the softmax. A net with one logit more than
    `classes` says with the last one that this is none of them: the function then also gives
    `single` float32 (n,), the probability that it is one.
    """
    return _classifier(frozen(net, half), temperature, classes)


def of_variables(net: keras.Model, temperature: float, classes: int | None = None) -> Function:
    """The classifier with its weights as variables."""
    return _classifier(partial(folded(net), training=False), temperature, classes)


def _classifier(answer: Answer, temperature: float, classes: int | None) -> Function:
    @tf.function(
        input_signature=[tf.TensorSpec((None, SIDE, SIDE), tf.float32, name="image")],
        autograph=False,
    )
    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return _outputs(answer(image) / temperature, classes)

    return classify


def frozen(net: keras.Model, half: bool = False) -> Answer:
    """The net's logits of images, as a function that holds the weights as constants.

    half: weights are stored in float16, and computed with in float32.
    """
    net = folded(net)
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

"""LiteRT: the file that the base install, a phone and a browser run.

Builtin operations only, so that no runtime needs TensorFlow's own; input `image` and outputs
`probabilities` and, of a net that learnt what is no digit, `single` by name; any number of images
at once.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from deepmnist import chatter
from deepmnist.contract import SIDE


def convert(net: keras.Model, temperature: float, classes: int | None = None) -> bytes:
    """A .tflite file: `image` float32 (n, 28, 28) in 0..1 -> `probabilities` float32 (n, classes).

    The logits are divided by `temperature` before the softmax. A net with one logit more than
    `classes` says with the last one that this is none of them: the file then also gives `single`
    float32 (n,), the probability that it is one.
    """
    # The converter drops the values of variables without a word, so they go in as constants.
    weights = [tf.constant(variable.numpy()) for variable in net.trainable_variables]
    statistics = [tf.constant(variable.numpy()) for variable in net.non_trainable_variables]

    @tf.function(
        input_signature=[tf.TensorSpec((None, SIDE, SIDE), tf.float32, name="image")],
        autograph=False,
    )
    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, _ = net.stateless_call(weights, statistics, image, training=False)
        return outputs(logits / temperature, classes)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [classify.get_concrete_function()], tf.Module()
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with chatter.dropped():
        return bytes(converter.convert())


def outputs(logits: tf.Tensor, classes: int | None) -> dict[str, tf.Tensor]:
    """What a file gives for logits (n, classes) or (n, classes + 1), by name."""
    if classes is None or logits.shape[1] == classes:
        return {"probabilities": tf.nn.softmax(logits)}
    none = tf.nn.softmax(logits)[:, classes]
    return {"probabilities": tf.nn.softmax(logits[:, :classes]), "single": 1.0 - none}

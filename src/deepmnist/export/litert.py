"""LiteRT: the file that the base install, a phone and a browser run.

Builtin operations only, so that no runtime needs TensorFlow's own; input `image` and outputs
`probabilities` and, of a net that learnt what is no digit, `single` by name; any number of images
at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

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
    answer = frozen(net)

    @tf.function(
        input_signature=[tf.TensorSpec((None, SIDE, SIDE), tf.float32, name="image")],
        autograph=False,
    )
    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return outputs(answer(image) / temperature, classes)

    return converted(classify)


def frozen(net: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The net's logits of images, as a function that holds the weights as constants.

    The converter drops the values of variables without a word.
    """
    weights = [tf.constant(variable.numpy()) for variable in net.trainable_variables]
    statistics = [tf.constant(variable.numpy()) for variable in net.non_trainable_variables]

    def logits(images: tf.Tensor) -> tf.Tensor:
        return net.stateless_call(weights, statistics, images, training=False)[0]

    return logits


def converted(function: tf.types.experimental.PolymorphicFunction) -> bytes:
    """A .tflite file of a function with an input signature and no variables, in builtin ops."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], tf.Module()
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


def operations(file: bytes) -> dict[str, int]:
    """How often each operation is in a .tflite file, most frequent first.

    Those that are not LiteRT's own are named as LiteRT names them: FlexAddV2, or CUSTOM's own name.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with chatter.dropped():
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=file, experimental_op_resolver_type=plain)
    names = [operation["op_name"] for operation in interpreter._get_ops_details()]
    return dict(Counter(names).most_common())

"""An ensemble as one model: the mean of what several nets hold probable.

A functional Keras model from `image` to `logits` like any of model.py's, so that calibration, files
and runtimes need not know. How its members were trained is no business of this module's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deepmnist.contract import SIDE

if TYPE_CHECKING:
    import keras


def average(nets: Sequence[keras.Model]) -> keras.Model:
    """Logits (n, classes) whose softmax is the mean of the nets' probabilities.

    nets: one or more, each from image (n, 28, 28) to logits (n, classes); their weights are shared.
    """
    import keras
    from keras import ops

    image = keras.Input((SIDE, SIDE), name="image")  # (n, 28, 28)
    members = [_renamed(net, f"member_{number}") for number, net in enumerate(nets, start=1)]
    parts = [ops.log_softmax(member(image)) for member in members]
    log_probabilities = ops.stack(parts, axis=1)  # (n, members, classes)
    # Held to the highest, or what every member holds impossible would be the logarithm of nothing.
    highest = ops.max(log_probabilities, axis=1, keepdims=True)  # (n, 1, classes)
    mean = ops.mean(ops.exp(log_probabilities - highest), axis=1)  # (n, classes)
    return keras.Model(image, ops.log(mean) + highest[:, 0], name="ensemble")


def _renamed(net: keras.Model, name: str) -> keras.Model:
    """The same layers under another name: members of one model need names of their own."""
    import keras

    return keras.Model(net.inputs[0], net.outputs[0], name=name)

"""An ensemble as one model: the mean of what several nets hold probable of several views.

A view is the image moved by about a pixel or not at all: pooling makes a net's answer depend on
where the digit lies, and the mean over views less so. Half a pixel of each move smooths the image,
as the resampling did that the nets learnt from. It costs no training and no parameter, and an
answer takes as many times as long.

A functional Keras model from `image` to `logits` like any of model.py's, so that calibration, files
and runtimes need not know. How its members were trained is no business of this module's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deepmnist.contract import SIDE

if TYPE_CHECKING:
    import keras


VIEWS = ((0, 0), (0.5, 1), (-1, 0.5), (-0.5, -1), (1, -0.5))  # pixels down and to the right


def average(nets: Sequence[keras.Model], views: int = 1) -> keras.Model:
    """Logits (n, classes) whose softmax is the mean of the nets' probabilities.

    nets: one or more, each from image (n, 28, 28) to logits (n, classes); their weights are shared.
    views: how many of VIEWS each net sees; what a move leaves open is paper.
    """
    import keras
    from keras import ops

    image = keras.Input((SIDE, SIDE), name="image")  # (n, 28, 28)
    seen = image if views == 1 else _views(image, views)  # (views * n, 28, 28)
    parts = [
        ops.log_softmax(_renamed(net, f"member_{number}")(seen))
        for number, net in enumerate(nets, start=1)
    ]
    stacked = ops.stack(parts, axis=1)  # (views * n, members, classes)
    log_probabilities = ops.reshape(stacked, (views, -1, *stacked.shape[1:]))
    # Held to the highest, or what every member holds impossible would be the logarithm of nothing.
    highest = ops.max(log_probabilities, axis=(0, 2), keepdims=True)  # (1, n, 1, classes)
    mean = ops.mean(ops.exp(log_probabilities - highest), axis=(0, 2))  # (n, classes)
    return keras.Model(image, ops.log(mean) + highest[0, :, 0], name="ensemble")


def members(net: keras.Model) -> list[keras.Model]:
    """The nets that `net` is an average of; none where it is a single net."""
    import keras

    return [part for part in net.layers if isinstance(part, keras.Model)]


def view(images: Any, number: int) -> Any:
    """The view of that number, from 0: images (n, 28, 28) moved by VIEWS[number]."""
    return _moved(_padded(images), *VIEWS[number])


def _views(image: keras.KerasTensor, count: int) -> keras.KerasTensor:
    """(n, 28, 28) -> (count * n, 28, 28), one view after another."""
    from keras import ops

    padded = _padded(image)
    return ops.concatenate([_moved(padded, *move) for move in VIEWS[:count]], axis=0)


def _padded(images: Any) -> Any:
    from keras import ops

    return ops.pad(images, ((0, 0), (1, 1), (1, 1)))  # (n, 30, 30)


def _moved(padded: Any, down: float, right: float) -> Any:
    """The image within `padded`, moved; by half a pixel, it is the mean of the moves beside it."""
    if not (float(down).is_integer() and float(right).is_integer()):
        before = _moved(padded, math.floor(down), math.floor(right))
        after = _moved(padded, math.ceil(down), math.ceil(right))
        return (before + after) * 0.5
    top, left = 1 - int(down), 1 - int(right)
    return padded[:, top : top + SIDE, left : left + SIDE]  # (n, 28, 28)


def _renamed(net: keras.Model, name: str) -> keras.Model:
    """The same layers under another name: members of one model need names of their own."""
    import keras

    return keras.Model(net.inputs[0], net.outputs[0], name=name)

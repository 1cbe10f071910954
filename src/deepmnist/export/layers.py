"""What a net's first two convolutions made of an image, for the page to show: a file of a bundle.

It is an optional one, of builtin operations as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from deepmnist import bundle, ensemble
from deepmnist.contract import SIDE
from deepmnist.export import functions, litert

SHOWN = 2  # convolution layers


def convert(net: keras.Model) -> bytes | None:
    """A .tflite file: `image` float32 (1, 28, 28) in 0..1 -> `first` and `second`.

    These are the maps of the first two convolutions once activated, float32 (1, height, width,
    maps); of several nets in one, the first one's. None where the net has no two.
    """
    shown = _maps(net)
    if len(shown) < SHOWN:
        return None
    answer = functions.frozen(keras.Model(_single(net).input, shown))

    @tf.function(
        input_signature=[tf.TensorSpec((1, SIDE, SIDE), tf.float32, name="image")],
        autograph=False,
    )
    def look(image: tf.Tensor) -> dict[str, tf.Tensor]:
        first, second = answer(image)
        return {"first": first, "second": second}

    return litert.converted(look)


def put(net: keras.Model, folder: Path) -> bool:
    """Write a net's layers into the folder of a bundle; False, and nothing, where it has none."""
    shown = convert(net)
    if shown is not None:
        (folder / bundle.LAYERS).write_bytes(shown)
    return shown is not None


def _single(net: keras.Model) -> keras.Model:
    """The net, or the first of those it is made of."""
    return next(iter(ensemble.members(net)), net)


def _maps(net: keras.Model) -> list[keras.KerasTensor]:
    """What each of the first convolutions gives, in order, once activated."""
    parts = iter(_single(net).layers)
    found = (_activated(part, parts) for part in parts if isinstance(part, keras.layers.Conv2D))
    return [output for output, _ in zip(found, range(SHOWN), strict=False)]


def _activated(convolution: keras.layers.Conv2D, after: Iterator[keras.Layer]) -> keras.KerasTensor:
    if convolution.activation is not keras.activations.linear:
        return convolution.output
    activations = keras.layers.ReLU, keras.layers.Activation
    return next(part.output for part in after if isinstance(part, activations))

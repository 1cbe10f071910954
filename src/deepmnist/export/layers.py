"""What a net's first two convolutions made of an image, for the page to show: a file of a bundle.

It is an optional one, of builtin operations as well.

    python -m deepmnist.export.layers [BUNDLE]   adds it to a bundle, or renews it
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import keras
import tensorflow as tf
import typer

from deepmnist import bundle, card, ensemble, weights
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError
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


def add(opened: bundle.Bundle) -> bundle.Bundle:
    """The same bundle with its layers beside it, written whole or not at all.

    BundleError where its net shows none; StorageError where the system refuses.
    """
    net = weights.read(opened, [len(opened.manifest.class_names) + more for more in (0, 1)])

    def fill(unfinished: Path) -> None:
        for name in opened.manifest.files:
            shutil.copy2(opened.folder / name, unfinished / name)
        (unfinished / bundle.CARD).write_text(card.render(opened.manifest), encoding="utf-8")
        if not put(net, unfinished):
            raise BundleError(
                f"{opened.weights} has no {SHOWN} convolutions to show; use it without them"
            )

    return bundle.save(opened.folder, opened.manifest, fill)


def main(model: Annotated[Path, typer.Argument(help="A bundle.")] = bundle.SHIPPED) -> None:
    """Add to a bundle, the shipped one unless told, what its first two layers show."""
    add(bundle.load(model))


if __name__ == "__main__":
    typer.run(main)

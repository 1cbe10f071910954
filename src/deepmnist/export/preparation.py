"""The preparation alone, from a picture to an image, for the page: of builtin operations as well.

It knows no net, so it is made once, by code, and comes with the package.

    python -m deepmnist.export.preparation       writes the package's file anew
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tensorflow as tf
import typer

from deepmnist import atomic, bundle, canvas
from deepmnist.contract import SIDE
from deepmnist.export import litert, reading

SHIPPED = Path(bundle.__file__).parent / "page" / "static" / "preparation.tflite"


def convert() -> bytes:
    """A .tflite file: `picture` uint8 (1, 256, 256), a canvas, -> `image` uint8 (1, 28, 28).

    What images.prepare makes of a picture, as docs/input-contract.md, "As one graph", tells it.
    """

    @tf.function(
        input_signature=[tf.TensorSpec((1, canvas.SIDE, canvas.SIDE), tf.uint8, name="picture")],
        autograph=False,
    )
    def prepare(picture: tf.Tensor) -> dict[str, tf.Tensor]:
        image = reading.prepared(tf.cast(tf.reshape(picture, picture.shape[1:]), tf.float32))
        return {"image": tf.cast(tf.reshape(image, (1, SIDE, SIDE)), tf.uint8)}

    return litert.converted(prepare)


def main(out: Annotated[Path, typer.Option(help="Where the file goes.")] = SHIPPED) -> None:
    """Write the preparation that comes with the package anew."""
    atomic.write(out, convert())


if __name__ == "__main__":
    typer.run(main)

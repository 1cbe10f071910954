"""A bundle's LiteRT files made anew of its Keras file: as they would be made today.

    python -m deepmnist.export.renewal [BUNDLE]   the shipped one unless told

An older bundle so gets what converting has learnt since, and the layers that the page shows. Its
thresholds and figures stay, since its answers do.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from deepmnist import bundle, card, weights
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError, DeepMNISTError
from deepmnist.export import layers, litert, parity
from deepmnist.prediction import LiteRTPredictor

IMAGES = 100  # of noise, which both files must answer alike
TOLERANCE = 1e-4  # largest difference of a probability; it is 1e-6 where both are of one net


def renewed(opened: bundle.Bundle) -> bundle.Bundle:
    """The same bundle with new LiteRT files, written whole or not at all.

    BundleError where they would answer otherwise than the old; StorageError where the system
    refuses.
    """
    manifest = opened.manifest
    classes = len(manifest.class_names)
    net = weights.read(opened, [classes, classes + 1])
    runtime = litert.convert(net, manifest.temperature, classes)
    difference = _difference(opened.runtime.read_bytes(), runtime, manifest.class_names)
    if not difference <= TOLERANCE:
        raise BundleError(
            f"{opened.runtime} answers otherwise than {opened.weights}, by {difference:.2g} of a "
            "probability; train the model anew"
        )

    def fill(unfinished: Path) -> None:
        for name in manifest.files:
            shutil.copy2(opened.folder / name, unfinished / name)
        (unfinished / bundle.RUNTIME).write_bytes(runtime)
        (unfinished / bundle.CARD).write_text(card.render(manifest), encoding="utf-8")
        layers.put(net, unfinished)

    return bundle.save(opened.folder, manifest, fill)


def _difference(old: bytes, new: bytes, class_names: list[str]) -> float:
    """The largest between what two LiteRT files make of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)
    one, other = (LiteRTPredictor(file, class_names) for file in (old, new))
    return parity.compared("noise", noise, one, other).difference


def main(model: Annotated[Path, typer.Argument(help="A bundle.")] = bundle.SHIPPED) -> None:
    """Make the LiteRT files of a bundle anew."""
    try:
        renewed(bundle.load(model))
    except DeepMNISTError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    typer.run(main)

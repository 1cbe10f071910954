"""The one-graph reader: its operations, its time, and how far it is from the product's own path.

    python -m benchmarks.one_graph MODEL [--wild FOLDER] [--mnist FOLDER]

Compared are labels, and the images seen, on the golden pictures, on the single digits of WILD (as
in benchmarks/reader.py) and on made-up photos (as in benchmarks/stress.py). Times
are of one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

import deepmnist.model  # noqa: F401  registers its layers
from benchmarks import reader, stress
from deepmnist import bundle, canvas, images, pictures, prediction
from deepmnist.data import load
from deepmnist.export import golden, litert, reading

Grey = NDArray[np.uint8]
N = 100  # photos of each hardship
TIMED = 100  # runs of one picture; the least is told


class Comparison:
    """The exported reader beside images.prepare and the same net."""

    def __init__(self, model: Path) -> None:
        """Convert the net of a bundle; prints the operations and the time."""
        opened = bundle.load(model)
        net = keras.models.load_model(opened.weights, compile=False, safe_mode=True)
        file = reading.convert(net, opened.manifest.temperature, threshold=0.5)
        counts = litert.operations(file)
        print(f"{len(file):,} bytes, {sum(counts.values())} operations:")
        print("  " + ", ".join(f"{name} {count}" for name, count in counts.items()))
        self.run = Interpreter(model_content=file, num_threads=1).get_signature_runner()
        self.predictor = prediction.load(model)

    def milliseconds(self, picture: Grey) -> float:
        """The least time of one picture already on its canvas."""
        given, times = canvas.of(picture)[np.newaxis], []
        for _ in range(TIMED):
            start = time.perf_counter()
            self.run(picture=given)
            times.append(time.perf_counter() - start)
        return 1_000 * min(times)

    def show(self, name: str, given: Sequence[Grey], labels: Sequence[str]) -> None:
        """One line: how many of each are wrong, how many are the same, how far what is seen is."""
        answers = [self.run(picture=canvas.of(picture)[np.newaxis]) for picture in given]
        said = np.concatenate([answer["probabilities"] for answer in answers]).argmax(axis=1)
        seen = np.concatenate([answer["seen"] for answer in answers])
        own_seen = np.stack([images.prepare(picture) for picture in given])
        own = self.predictor.predict_proba(own_seen).argmax(axis=1)
        truth = np.array([int(label) for label in labels])
        off = np.abs(seen - own_seen.astype(float)).mean(axis=(1, 2)) / 255
        print(
            f"{name:<14}{len(given):>5}  wrong: own {(own != truth).sum():>3} graph "
            f"{(said != truth).sum():>3}  same {(own == said).mean():.2%}  seen apart: median "
            f"{np.median(off):.4f}, most {off.max():.3f}"
        )


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--wild", type=Path)
    parser.add_argument("--mnist", type=Path)
    given: Any = parser.parse_args()
    compared = Comparison(given.model)
    drawn = {name: picture for name, picture in golden.pictures().items() if name != "blank"}
    print(f"{compared.milliseconds(drawn['ruled-4']):.2f} ms a picture")
    compared.show("golden", list(drawn.values()), [name[-1] for name in drawn])
    if given.wild:
        known = reader.rows(given.wild)
        for kind in reader.SINGLES:
            chosen = [row for row in known if row.kind == kind]
            read = [pictures.read(row.path) for row in chosen]
            compared.show(kind, read, [row.label for row in chosen])
    if given.mnist:
        digits = load(str(given.mnist)).training_part
        for number, hardship in enumerate(stress.HARDSHIPS):
            draw = np.random.default_rng([number, 7])
            which = draw.integers(0, len(digits.images), N)
            photos = [hardship(stress.placed(digits.images[i], draw), draw) for i in which]
            greys = [np.clip(photo, 0, 255).astype(np.uint8) for photo in photos]
            compared.show(hardship.__name__, greys, [str(digits.labels[i]) for i in which])


if __name__ == "__main__":
    main()

"""Lines that never were: strings of MNIST digits, one hardship at a time, through the reader.

    python -m benchmarks.stress_lines MNIST_FOLDER --model BUNDLE [--mistakes FOLDER]

Training images, so that no choice touches the test set; see stress.py for single digits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scores import edits
from deepmnist import annotation, prediction, reader
from deepmnist.data import load

Levels = NDArray[np.float64]
Draw = np.random.Generator
DIGIT = 60  # pixels, a digit's height


def string(images: list[NDArray[np.uint8]], draw: Draw, gap: tuple[int, int]) -> Levels:
    """Ink 0..1 of digits side by side, so many pixels of paper between them."""
    page = np.zeros((3 * DIGIT, (len(images) + 2) * DIGIT))
    place = DIGIT
    for image in images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = draw.uniform(0.85, 1.1) * DIGIT / 20
        large = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        ink = np.clip((large / 255 - 0.35) / 0.3, 0, 1)
        top = 2 * DIGIT - ink.shape[0] + int(draw.integers(-5, 6))
        spot = page[top : top + ink.shape[0], place : place + ink.shape[1]]
        np.maximum(spot, ink[:, : spot.shape[1]], out=spot)
        place += ink.shape[1] + int(draw.integers(*gap))
    return page[:, : place + DIGIT]


def plain(ink: Levels, draw: Draw) -> Levels:
    return 215 - 150 * ink


def tilted(ink: Levels, draw: Draw) -> Levels:
    height, width = ink.shape
    degrees = draw.uniform(5, 25) * draw.choice([-1, 1])
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.8)
    large = np.pad(ink, ((width // 3, width // 3), (0, 0)))
    turn[1, 2] += width // 3
    return plain(cv2.warpAffine(large, turn, large.shape[::-1]), draw)


def ruled(ink: Levels, draw: Draw) -> Levels:
    lines = np.zeros_like(ink)
    tilt = int(draw.integers(-6, 7))
    for row in (2 * DIGIT + int(draw.integers(-6, 4)), DIGIT - 10):
        cv2.line(lines, (0, row - tilt), (ink.shape[1], row + tilt), 1.0, 2, cv2.LINE_AA)
    return 215 - 150 * np.maximum(ink, draw.uniform(0.4, 1) * lines)


def shaded(ink: Levels, draw: Draw) -> Levels:
    columns = np.arange(ink.shape[1]) - draw.uniform(0.3, 0.7) * ink.shape[1]
    light = 1 - 0.5 / (1 + np.exp(-columns / draw.uniform(1, 20)))
    return plain(ink, draw) * light + draw.normal(0, 4, ink.shape)


HARDSHIPS: dict[str, tuple[tuple[int, int], Callable[[Levels, Draw], Levels]]] = {
    "apart": ((8, 30), plain),
    "close": ((1, 6), plain),
    "touching": ((-5, 2), plain),
    "overlapping": ((-12, -3), plain),
    "tilted": ((8, 30), tilted),
    "ruled": ((8, 30), ruled),
    "shaded": ((8, 30), shaded),
}


def main() -> None:
    """Print how many strings are read exactly, and the share of wrong digits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--mistakes", type=Path, help="folder for annotated pictures")
    parser.add_argument("-n", type=int, default=60, help="strings of each hardship")
    given: Any = parser.parse_args()
    predictor = prediction.load(given.model)
    digits = load(str(given.mnist)).training_part
    for number, (name, (gap, hardship)) in enumerate(HARDSHIPS.items()):
        draw = np.random.default_rng([number, 11])
        exact = wrong = total = 0
        for index in range(given.n):
            chosen = draw.integers(0, len(digits), draw.integers(3, 8))
            ink = string([digits.images[i] for i in chosen], draw, gap)
            picture = np.clip(hardship(ink, draw), 0, 255).astype(np.uint8)
            page = reader.read(picture, predictor)
            label = "".join(str(digits.labels[i]) for i in chosen)
            said = "|".join(line.text for line in page.lines)
            exact, total = exact + (said == label), total + len(label)
            wrong += edits(label, said)
            if given.mistakes and said != label:
                given.mistakes.mkdir(parents=True, exist_ok=True)
                path = given.mistakes / f"{name}-{index}-{label}-{said.replace('|', '_')}.png"
                path.write_bytes(annotation.encoded(picture, page))
        print(f"{name:<12}{exact:>4} of {given.n} exact, {wrong / total:.2%} of digits wrong")


if __name__ == "__main__":
    main()

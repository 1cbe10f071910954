"""Photographs that never were: MNIST digits on made-up paper, one hardship at a time.

    python -m benchmarks.stress MNIST_FOLDER --model BUNDLE [--mistakes FOLDER]

Tells which hardship `images.prepare` does not take, on digits the net knows: what is read wrongly
here is the preparation's fault. Training images, so that no choice touches the test set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.contact import Mistake, contact_sheet
from benchmarks.wild import Row
from deepmnist import images, prediction
from deepmnist.data import load

Grey = NDArray[np.uint8]
Levels = NDArray[np.float64]
Draw = np.random.Generator
SIDE = 120  # pixels of a made-up photo


def placed(image: Grey, draw: Draw, size: float | None = None) -> Levels:
    """Ink 0..1 of a digit, enlarged with sharp edges, somewhere in a photo of SIDE pixels."""
    side = round(SIDE * (size or draw.uniform(0.55, 0.95)))
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    ink = np.clip((large / 255.0 - 0.35) / 0.3, 0, 1)
    photo = np.zeros((SIDE, SIDE))
    top, left = draw.integers(0, SIDE - side + 1, 2)
    photo[top : top + side, left : left + side] = ink
    return photo


def plain(ink: Levels, draw: Draw) -> Levels:
    return 215 - 150 * ink


def faint(ink: Levels, draw: Draw) -> Levels:
    return 200 - 32 * cv2.GaussianBlur(ink, (0, 0), 1.2) + draw.normal(0, 3, ink.shape)


def thin(ink: Levels, draw: Draw) -> Levels:
    return 215 - 130 * cv2.erode(ink, np.ones((3, 3)), iterations=int(draw.integers(1, 3)))


def thick(ink: Levels, draw: Draw) -> Levels:
    return 215 - 150 * cv2.dilate(ink, np.ones((3, 3)), iterations=2)


def shadow(ink: Levels, draw: Draw) -> Levels:
    """A hard edge of shade across the photo, at any angle, soft over a few pixels."""
    angle, offset = draw.uniform(0, 2 * np.pi), draw.uniform(-0.3, 0.3) * SIDE
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    across = rows * np.sin(angle) + columns * np.cos(angle) - offset
    shade = 1 / (1 + np.exp(-across / draw.uniform(0.5, 6)))
    return plain(ink, draw) * (1 - draw.uniform(0.3, 0.6) * shade)


def gradient(ink: Levels, draw: Draw) -> Levels:
    angle = draw.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    return plain(ink, draw) * (0.65 + 0.6 * (rows * np.sin(angle) + columns * np.cos(angle)))


def noise(ink: Levels, draw: Draw) -> Levels:
    return 190 - 110 * ink + draw.normal(0, 14, ink.shape)


def jpeg(ink: Levels, draw: Draw) -> Levels:
    picture = np.clip(200 - 120 * ink + draw.normal(0, 4, ink.shape), 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(draw.integers(8, 25))]
    return cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], 0).astype(float)


def rules(ink: Levels, draw: Draw) -> Levels:
    """Horizontal rules a little tilted, fainter than the ink, through the digit."""
    lines = np.zeros_like(ink)
    tilt, gap = draw.uniform(-4, 4), int(draw.integers(25, 60))
    for row in range(int(draw.integers(0, gap)), SIDE, gap):
        ends = (-5, round(row - tilt)), (SIDE + 5, round(row + tilt))
        cv2.line(lines, *ends, 1.0, int(draw.integers(1, 3)), cv2.LINE_AA)
    return 215 - 150 * np.maximum(ink, draw.uniform(0.3, 0.9) * lines)


def box(ink: Levels, draw: Draw) -> Levels:
    """A frame some way in from the border, which the digit may cross."""
    lines = np.zeros_like(ink)
    low, high = draw.integers(3, 16, 2), SIDE - draw.integers(3, 16, 2)
    tilt = draw.integers(-2, 3, (4, 2))
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])]) + tilt
    closed = draw.random() < 0.6
    thickness = int(draw.integers(1, 4))
    cv2.polylines(lines, [corners.astype(np.int32)], closed, 1.0, thickness, cv2.LINE_AA)
    return 215 - 150 * np.maximum(ink, draw.uniform(0.5, 1) * lines)


def neighbours(ink: Levels, draw: Draw) -> Levels:
    """Parts of other writing, cut off by the border."""
    other = np.zeros_like(ink)
    for _ in range(2):
        x = int(draw.choice([2, SIDE - 3]))
        y = int(draw.integers(0, SIDE))
        axes = tuple(int(a) for a in draw.integers(5, 22, 2))
        cv2.ellipse(other, (x, y), axes, 0, 0, 360, 1.0, 5, cv2.LINE_AA)
    near = cv2.dilate(ink, np.ones((7, 7)))
    return 215 - 150 * np.maximum(ink, other * (near < 0.1))


def specks(ink: Levels, draw: Draw) -> Levels:
    dots = np.zeros_like(ink)
    for _ in range(12):
        cv2.circle(dots, [int(v) for v in draw.integers(0, SIDE, 2)], 2, 1.0, -1)
    return 215 - 150 * np.maximum(ink, dots)


def broken(ink: Levels, draw: Draw) -> Levels:
    """Two thin cuts through the strokes."""
    cuts = np.zeros_like(ink)
    for _ in range(2):
        ends = draw.integers(0, SIDE, (2, 2))
        cv2.line(cuts, *[[int(v) for v in end] for end in ends], 1.0, 2)
    return 215 - 150 * ink * (1 - cuts)


def chalk(ink: Levels, draw: Draw) -> Levels:
    return 60 + 150 * ink + draw.normal(0, 8, ink.shape)


def tight(ink: Levels, draw: Draw) -> Levels:
    rows, columns = np.nonzero(ink > 0.5)
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return 215 - 150 * cut


def desk(ink: Levels, draw: Draw) -> Levels:
    """The paper ends inside the photo; a dark desk shows along one or two sides."""
    light = plain(ink, draw)
    border = int(draw.integers(6, 22))
    clear = cv2.dilate(ink, np.ones((9, 9))) < 0.1
    rows, columns = np.mgrid[:SIDE, :SIDE]
    desk = (columns < border) | ((rows < border) & (draw.random() < 0.5))
    return np.where(desk & clear, 60 + draw.normal(0, 6, ink.shape), light)


HARDSHIPS: list[Callable[[Levels, Draw], Levels]] = [
    plain, faint, thin, thick, shadow, gradient, noise, jpeg, rules, box, neighbours, specks,
    broken, chalk, tight, desk,
]  # fmt: skip


def main() -> None:
    """Print how many are read rightly under each hardship."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--mistakes", type=Path, help="folder for contact sheets")
    parser.add_argument("-n", type=int, default=300, help="photos of each hardship")
    given: Any = parser.parse_args()
    predictor = prediction.load(given.model)
    digits = load(str(given.mnist)).training_part
    total = 0
    for number, hardship in enumerate(HARDSHIPS):
        draw = np.random.default_rng([number, 7])
        wrong = _wrong(hardship, predictor, digits.images, digits.labels, draw, given.n)
        total += given.n - len(wrong)
        print(f"{hardship.__name__:<12}{given.n - len(wrong):>5} of {given.n}")
        if given.mistakes:
            given.mistakes.mkdir(parents=True, exist_ok=True)
            contact_sheet(wrong, given.mistakes / f"{hardship.__name__}.png")
    print(f"{'all':<12}{total / given.n / len(HARDSHIPS):>8.2%}")


def _wrong(
    hardship: Callable[[Levels, Draw], Levels],
    predictor: prediction.Predictor,
    images_: Grey,
    labels: Grey,
    draw: Draw,
    n: int,
) -> list[Mistake]:
    chosen = draw.integers(0, len(images_), n)
    photos = [
        np.clip(hardship(placed(images_[i], draw), draw), 0, 255).astype(np.uint8) for i in chosen
    ]
    seen = np.stack([images.prepare(photo) for photo in photos])
    said = predictor.predict_proba(seen).argmax(axis=1)
    return [
        Mistake(Row(Path(str(i)), str(labels[i]), "stress", ""), str(label), image, photo)
        for i, label, image, photo in zip(chosen, said, seen, photos, strict=True)
        if label != labels[i]
    ]


if __name__ == "__main__":
    main()

"""Scores the reader on pictures of other people's writing, by kind and source.

    python -m benchmarks.reader WILD --model BUNDLE [--mistakes FOLDER] [--kinds paper line]

WILD is a folder with labels.csv (path,label,kind,source,licence). Nothing is learnt from it. Ours
only for now: no peers, no times. Kinds: single digits through `images.prepare`; `line` and `sudoku`
through the reader; `negative` by how it ranks against digits.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import images, pictures, prediction
from deepmnist.evaluation import wilson_interval

SINGLES = ("paper", "printed", "drawn")
TILE = 84  # pixels, a picture on the contact sheet
COLUMNS = 16


@dataclass(frozen=True)
class Row:
    """One line of labels.csv."""

    path: Path
    label: str
    kind: str
    source: str


@dataclass(frozen=True)
class Mistake:
    """A picture read wrongly: what it was given, what the net saw, and what was said."""

    row: Row
    said: str
    seen: NDArray[np.uint8]
    picture: NDArray[np.uint8]


def rows(folder: Path) -> list[Row]:
    """Every picture of the folder's labels.csv; source is the repository's owner."""
    with (folder / "labels.csv").open(newline="") as file:
        return [
            Row(folder / line["path"], line["label"], line["kind"], line["source"].split("/")[0])
            for line in csv.DictReader(file)
        ]


def singles(chosen: Sequence[Row], predictor: prediction.Predictor) -> list[Mistake]:
    """The single digits read wrongly."""
    if not chosen:
        return []
    given = [pictures.read(row.path) for row in chosen]
    seen = np.stack([images.prepare(picture) for picture in given])
    said = predictor.predict_proba(seen).argmax(axis=1)
    return [
        Mistake(row, str(label), image, picture)
        for row, label, image, picture in zip(chosen, said, seen, given, strict=True)
        if str(label) != row.label
    ]


def contact_sheet(mistakes: Iterable[Mistake], path: Path) -> None:
    """The pictures, each above what the net saw, with what was said, as one picture."""
    tiles = [_tile(mistake) for mistake in mistakes]
    if not tiles:
        return
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    lines = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(lines))


def _tile(mistake: Mistake) -> NDArray[np.uint8]:
    tile = np.full((2 * TILE + 14, TILE + 2), 128, np.uint8)
    for top, picture in ((0, mistake.picture), (TILE, mistake.seen)):
        scale = TILE / max(picture.shape)
        size = [max(1, round(side * scale)) for side in picture.shape[::-1]]
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        tile[top : top + size[1], : size[0]] = small
    text = f"{mistake.row.label}>{mistake.said} {mistake.row.path.stem[-6:]}"
    cv2.putText(tile, text, (1, 2 * TILE + 10), cv2.FONT_HERSHEY_PLAIN, 0.7, 0, 1)
    return tile


def _show(name: str, right: int, total: int) -> None:
    low, high = wilson_interval(right, total)
    print(f"{name:<34}{right:>5} of {total:<5}{right / total:>8.2%}  [{low:.2%}, {high:.2%}]")


def _by_source(
    chosen: Sequence[Row],
    read: Callable[[Sequence[Row]], list[Mistake]],
) -> list[Mistake]:
    mistakes = read(chosen)
    for source in sorted({row.source for row in chosen}):
        total = sum(row.source == source for row in chosen)
        wrong = sum(mistake.row.source == source for mistake in mistakes)
        _show(f"  {chosen[0].kind} {source}", total - wrong, total)
    _show(chosen[0].kind, len(chosen) - len(mistakes), len(chosen))
    return mistakes


def main() -> None:
    """Print the table; write contact sheets where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wild", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--mistakes", type=Path, help="folder for contact sheets")
    parser.add_argument("--kinds", nargs="*", default=[*SINGLES])
    given: Any = parser.parse_args()
    predictor, known = prediction.load(given.model), rows(given.wild)
    for kind in given.kinds:
        chosen = [row for row in known if row.kind == kind]
        mistakes = _by_source(chosen, lambda each: singles(each, predictor))
        if given.mistakes:
            given.mistakes.mkdir(parents=True, exist_ok=True)
            contact_sheet(mistakes, given.mistakes / f"{kind}.png")


if __name__ == "__main__":
    main()

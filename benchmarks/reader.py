"""Scores the reader on pictures of other people's writing, by kind and source.

    python -m benchmarks.reader WILD --model BUNDLE [--mistakes FOLDER] [--kinds paper line]

WILD is a folder with labels.csv (path,label,kind,source,licence). Nothing is learnt from it. Ours
only for now: no peers, no times. Single digits go through
`images.prepare`, `line` and `sudoku` through the reader; `negative` is ranked against digits.
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

from deepmnist import grid, images, pictures, prediction, reader
from deepmnist.evaluation import wilson_interval

SINGLES = ("paper", "printed", "drawn")
Grey = NDArray[np.uint8]
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


def lines(chosen: Sequence[Row], predictor: prediction.Predictor) -> list[Mistake]:
    """The pictures whose lines, joined by |, are not exactly right."""
    return _pages(chosen, lambda picture: _text(reader.read(picture, predictor), "|"))


def grids(chosen: Sequence[Row], predictor: prediction.Predictor) -> list[Mistake]:
    """The sudoku photos with a wrong cell."""
    return _pages(chosen, lambda picture: _text(grid.read_grid(picture, predictor, 9, 9), ""))


def _text(page: reader.Page, between: str) -> str:
    return between.join(line.text for line in page.lines)


def _pages(chosen: Sequence[Row], text: Callable[[Grey], str]) -> list[Mistake]:
    mistakes = []
    for row in chosen:
        picture = pictures.read(row.path)
        said = text(picture)
        print(f"  {row.path.stem}: {edits(row.label, said)} wrong of {len(row.label)}: {said}")
        if said != row.label:
            mistakes.append(Mistake(row, said, picture, picture))
    return mistakes


def edits(one: str, other: str) -> int:
    """The least number of marks to insert, drop or change (Levenshtein)."""
    row = list(range(len(other) + 1))
    for count, mark in enumerate(one, start=1):
        before, row[0] = row[0], count
        for place, wanted in enumerate(other, start=1):
            best = min(row[place] + 1, row[place - 1] + 1, before + (mark != wanted))
            before, row[place] = row[place], best
    return row[-1]


def separation(known: Sequence[Row], predictor: prediction.Predictor) -> None:
    """How well the highest probability parts digits from what is none."""
    scores: dict[bool, list[float]] = {True: [], False: []}
    for row in known:
        if row.kind in (*SINGLES, "negative"):
            seen = images.prepare(pictures.read(row.path))
            sure = float(predictor.predict_proba(seen[np.newaxis]).max()) if seen.any() else 0.0
            scores[row.kind != "negative"].append(sure)
    digits, others = np.sort(scores[True]), np.array(scores[False])
    below = np.searchsorted(digits, others, "left"), np.searchsorted(digits, others, "right")
    area = 1 - (below[0] + below[1]).sum() / (2 * len(digits) * len(others))
    level = digits[int(0.05 * len(digits))]
    print(f"negative: AUROC {area:.4f}; at 95 % of digits {(others >= level).mean():.2%} accepted")


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


HOW = {kind: singles for kind in SINGLES} | {"line": lines, "sudoku": grids}


def main() -> None:
    """Print the table; write contact sheets where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wild", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--mistakes", type=Path, help="folder for contact sheets")
    parser.add_argument("--kinds", nargs="*", default=[*HOW])
    given: Any = parser.parse_args()
    predictor, known = prediction.load(given.model), rows(given.wild)
    for kind in given.kinds:
        chosen = [row for row in known if row.kind == kind]
        mistakes = _by_source(chosen, lambda each, read=HOW[kind]: read(each, predictor))
        if given.mistakes:
            given.mistakes.mkdir(parents=True, exist_ok=True)
            contact_sheet(mistakes, given.mistakes / f"{kind}.png")
    separation(known, predictor)


if __name__ == "__main__":
    main()

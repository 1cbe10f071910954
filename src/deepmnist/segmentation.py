"""A line of writing cut into digits: several ways, of which a predictor's probabilities choose.

Strokes that lie over each other belong together; wide strokes may be cut (cuts.py). Neighbouring
parts form candidates, a predictor judges each, and dynamic programming picks the cheapest way to
read all ink of the line, as readers of postcodes and amounts have long done. This module knows no
files and makes no answers; reader.py does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import cuts, expectation, images, layout, rejection
from deepmnist.errors import PictureError
from deepmnist.expectation import Expectation, Walk
from deepmnist.ink import Ink, alone, padded
from deepmnist.layout import Piece, joined
from deepmnist.prediction import Predictor

MOST_CANDIDATES = 5_000  # in a picture: about ten for each of 500 digits
MOST_TOGETHER = 6  # neighbouring parts that are tried as one digit
LEAST_SEEN = 64  # pixels: a smaller piece is enlarged before its strokes are measured

# A candidate costs -log of the probability that it is that digit, and these, in nats.
LEAST_PROBABILITY = 1e-3
CUT_COST = 0.3  # a cut, and as much again for each stroke width of ink it crosses
GAP_COST = 6.0  # strokes apart taken together, times the gap in digits' heights
TOGETHER_COST = 0.3  # strokes apart taken together
WIDE, WIDE_COST = 1.1, 6.0  # of its height: wider is unlikely
SHORT, SHORT_COST = 0.6, 8.0  # of a digit's height: shorter is unlikely


@dataclass(frozen=True)
class Candidate:
    """A piece taken for one digit, what the net would see of it, and what it says."""

    piece: Piece
    seen: NDArray[np.uint8]  # (28, 28)
    probabilities: NDArray[np.float32]  # (classes,), if it is one digit
    single: float  # the probability that it is one digit


@dataclass(frozen=True)
class _Part:
    """A piece that is not divided further; `cut` is the cost of parting it from its left."""

    piece: Piece
    cut: float = 0.0


Span = tuple[int, int]  # parts from the first up to before the second


@dataclass(frozen=True)
class Reading:
    """A candidate read as one of the classes."""

    candidate: Candidate
    digit: int  # index of the class


def digits(
    lines: Sequence[Sequence[Piece]],
    ink: Ink,
    size: float,
    predictor: Predictor,
    expected: Expectation = expectation.ANYTHING,
) -> list[list[Reading] | None]:
    """For each line its digits, left to right, that fit what is expected; None where none do.

    `size` is a digit's usual height in pixels. PictureError where what is expected takes more work
    than a Walk may.
    """
    rows = _rows(lines, ink, size)
    spans = [_spans(row, size) for row in rows]
    judged = iter(_judged(_unions(rows, spans), ink, predictor))
    walk = Walk(expected, len(predictor.class_names))
    chosen = []
    for row, found in zip(rows, spans, strict=True):
        known = {span: next(judged) for span in found}
        chosen.append(_cheapest(row, known, size, walk))
    return chosen


def tried(lines: Sequence[Sequence[Piece]], ink: Ink, size: float) -> list[Piece]:
    """Every piece that `digits` may take for one digit; fewer parts come before more."""
    rows = _rows(lines, ink, size)
    return _unions(rows, [_spans(row, size) for row in rows])


def _rows(lines: Sequence[Sequence[Piece]], ink: Ink, size: float) -> list[list[_Part]]:
    return [
        [part for piece in _stacked(line) for part in _parts(piece, ink, size)] for line in lines
    ]


def _unions(rows: Sequence[Sequence[_Part]], spans: Sequence[Sequence[Span]]) -> list[Piece]:
    wanted = [
        [part.piece for part in row[start:stop]]
        for row, found in zip(rows, spans, strict=True)
        for start, stop in found
    ]
    _check_bounded(wanted)
    return list(map(joined, wanted))


def _check_bounded(wanted: Sequence[list[Piece]]) -> None:
    if len(wanted) > MOST_CANDIDATES:
        raise PictureError(
            f"what is in the picture could be parted into {len(wanted):,} digits; at most "
            f"{MOST_CANDIDATES:,} candidates are tried; crop it to the digits that matter"
        )
    layout.check_area(map(layout.area, wanted))


def _judged(unions: list[Piece], ink: Ink, predictor: Predictor) -> list[Candidate]:
    if not unions:
        return []
    seen = np.stack([image_of(piece, ink) for piece in unions])
    found = rejection.scores(predictor, seen)
    return list(map(Candidate, unions, seen, found.probabilities, map(float, found.single)))


def image_of(piece: Piece, ink: Ink) -> NDArray[np.uint8]:
    """What the net sees of a piece, uint8 (28, 28)."""
    rows, columns = slice(piece.top, piece.bottom), slice(piece.left, piece.right)
    levels, mask = padded(ink.levels[rows, columns], 2), padded(piece.mask, 2)
    scale = LEAST_SEEN / max(mask.shape)
    if scale <= 1:
        return images.of_strokes(levels, mask)
    levels = alone(levels, mask)  # by its own ink: a line may be fainter than others
    size = [max(1, round(side * scale)) for side in mask.shape[::-1]]
    enlarged = cv2.resize(levels, size, interpolation=cv2.INTER_CUBIC)
    return images.of_strokes(np.clip(enlarged, 0, 1).astype(np.float32), enlarged > 0.5)


# ---- parts --------------------------------------------------------------------------------------


def _stacked(line: Sequence[Piece]) -> list[Piece]:
    """Pieces that lie over each other are one: the bar of a 5, the two rings of an 8."""
    found: list[Piece] = []
    for piece in line:
        while found and _lie_over(found[-1], piece):
            piece = joined([found.pop(), piece])
        found.append(piece)
    return found


def _lie_over(one: Piece, other: Piece) -> bool:
    columns = min(one.right, other.right) - max(one.left, other.left)
    rows = min(one.bottom, other.bottom) - max(one.top, other.top)
    shorter, taller = sorted((one.height, other.height))
    return columns > 0.6 * min(one.width, other.width) and (
        rows < 0.5 * shorter or shorter < 0.6 * taller
    )


def _parts(piece: Piece, ink: Ink, size: float) -> list[_Part]:
    stroke = max(ink.width, 1.0)
    if piece.width < max(0.7 * min(size, piece.height), 4 * stroke):
        return [_Part(piece)]
    found = cuts.find(piece, stroke, size)
    costs = [0.0, *(CUT_COST * (1 + cut.ink / stroke) for cut in found)]
    parts = map(_Part, cuts.divided(piece, found), costs)
    return [part for part in parts if part.piece.mask.any()]


# ---- the cheapest way ---------------------------------------------------------------------------


def _spans(row: Sequence[_Part], size: float) -> list[Span]:
    """Which neighbours are tried as one digit: few, and not wider than two digits."""
    return [
        (start, stop)
        for start in range(len(row))
        for stop in range(start + 1, min(start + MOST_TOGETHER, len(row)) + 1)
        if stop == start + 1 or _width(row[start:stop]) <= 1.6 * size
    ]


def _width(parts: Sequence[_Part]) -> int:
    return max(part.piece.right for part in parts) - min(part.piece.left for part in parts)


# Ways to a place in a line: one, the cheapest, for each state of what is expected.
WAY = np.dtype(
    [
        ("cost", np.float64),  # nats
        ("state", np.int32),  # its number in the walk
        ("digit", np.int32),  # the last one,
        ("start", np.int32),  # the place it begins at,
        ("before", np.int32),  # and which of the ways to there it goes on
    ]
)
Ways = NDArray[np.void]


def _cheapest(
    row: Sequence[_Part], known: dict[Span, Candidate], size: float, walk: Walk
) -> list[Reading] | None:
    """The readings that together take every part of a line and fit, at the least cost."""
    ways = [np.zeros(1, WAY)]
    for stop in range(1, len(row) + 1):
        longer = []
        for start in range(max(0, stop - MOST_TOGETHER), stop):
            if candidate := known.get((start, stop)):
                shape = row[start].cut + _shape_cost(row[start:stop], candidate.piece, size)
                longer.append(_longer(ways[start], start, candidate, shape, walk))
        ways.append(_best_of(np.concatenate(longer)))
    ends = np.flatnonzero([walk.accepts(state) for state in ways[-1]["state"]])
    if not len(ends):
        return None
    return _readings(ways, known, ends[ways[-1]["cost"][ends].argmin()])


def _longer(ways: Ways, start: int, candidate: Candidate, shape: float, walk: Walk) -> Ways:
    """All ways by a place and one candidate more, read as each digit that may follow."""
    digits = _tried(candidate, walk.expected)
    reached = walk.after(ways["state"])[:, digits]
    before, chosen = np.nonzero(reached >= 0)
    doubts = np.array([_doubt(candidate, digit) for digit in digits])
    longer = np.empty(len(before), WAY)
    longer["cost"] = ways["cost"][before] + shape + doubts[chosen]
    longer["state"] = reached[before, chosen]
    longer["digit"] = np.array(digits)[chosen]
    longer["start"], longer["before"] = start, before
    return longer


def _best_of(ways: Ways) -> Ways:
    """The cheapest to each state."""
    ordered = ways[np.lexsort((ways["cost"], ways["state"]))]
    return ordered[np.diff(ordered["state"], prepend=-1) > 0]


def _readings(ways: list[Ways], known: dict[Span, Candidate], last: int) -> list[Reading]:
    """Those of one of the ways to the end of the line, from the first."""
    found, stop = [], len(ways) - 1
    while stop:
        way = ways[stop][last]
        start = int(way["start"])
        found.append(Reading(known[start, stop], int(way["digit"])))
        stop, last = start, way["before"]
    return found[::-1]


def _tried(candidate: Candidate, expected: Expectation) -> list[int]:
    if expected is expectation.ANYTHING:
        return [int(candidate.probabilities.argmax())]
    return list(range(len(candidate.probabilities)))


def _doubt(candidate: Candidate, digit: int) -> float:
    right = candidate.single * float(candidate.probabilities[digit])
    return -math.log(max(right, LEAST_PROBABILITY))


def _shape_cost(parts: Sequence[_Part], piece: Piece, size: float) -> float:
    wide = max(0.0, piece.width / max(piece.height, 0.8 * size) - WIDE)
    short = max(0.0, SHORT - piece.height / size)
    together = sum(_together_cost(one, other, size) for one, other in pairwise(parts))
    return WIDE_COST * wide + SHORT_COST * short + together


def _together_cost(one: _Part, other: _Part, size: float) -> float:
    if other.cut:  # one stroke, left whole
        return 0.0
    gap = max(0, other.piece.left - one.piece.right)
    return TOGETHER_COST + GAP_COST * gap / size

"""Where one connected stroke may be two digits that touch: cuts from top to bottom.

A cut is the path of least ink through a column of the middle row; it may lean, so that slanted
digits are cut along their slant. Which cuts are made is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepmnist.ink import Mask
from deepmnist.layout import Piece

CUTS_A_DIGIT = 4  # tried for each digit's height of a piece's width
LEAN_COST = 0.25  # pixels of ink that one step aside counts as
DEAREST = 4.0  # stroke widths of ink: a cut through more is none
MARGIN = 0.18  # of a digit's height: what a cut takes off is not narrower
APART = 0.15  # of a digit's height, from cut to cut


@dataclass(frozen=True)
class Cut:
    """A path from top to bottom: the first column right of it for each row, and its ink."""

    columns: NDArray[np.int32]  # (height,)
    ink: float  # pixels of ink on the way


def find(piece: Piece, stroke: float, size: float) -> list[Cut]:
    """The cheapest few cuts, left to right; stroke width and a digit's height in pixels."""
    costs, paths = _through_middle(piece.mask)
    margin = max(2, round(MARGIN * size))
    most = max(2, round(CUTS_A_DIGIT * piece.width / size))
    chosen: list[int] = []
    for column in sorted(_valleys(costs), key=lambda valley: float(costs[valley])):
        inside = margin <= column < piece.width - margin
        clear = all(abs(column - other) >= APART * size for other in chosen)
        if inside and clear and costs[column] <= DEAREST * stroke and len(chosen) < most:
            chosen.append(column)
    return [Cut(paths[column], float(costs[column])) for column in sorted(chosen)]


def _valleys(costs: NDArray[np.float64]) -> list[int]:
    """The columns that cost no more than any two to the side; of a flat valley its middle."""
    padded = np.pad(costs, 2, constant_values=np.inf)
    least = np.min([padded[shift : shift + len(costs)] for shift in range(5)], axis=0)
    columns = np.flatnonzero(costs <= least)
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    return [int(run[len(run) // 2]) for run in runs if len(run)]


def divided(piece: Piece, cuts: list[Cut]) -> list[Piece]:
    """The parts between the cuts, left to right; a part without ink is left out of none."""
    columns = np.arange(piece.width)
    edges = [np.zeros(piece.height, np.int32), *(cut.columns for cut in cuts)]
    edges.append(np.full(piece.height, piece.width, np.int32))
    parts = []
    for left, right in pairwise(edges):
        between = (columns >= left[:, np.newaxis]) & (columns < right[:, np.newaxis])
        parts.append(_trimmed(piece, piece.mask & between))
    return parts


def _trimmed(piece: Piece, mask: Mask) -> Piece:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return Piece(piece.top, piece.left, np.zeros((1, 1), np.bool_))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Piece(piece.top + int(rows[0]), piece.left + int(columns[0]), mask[box])


def _through_middle(mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """For each column of the middle row, the ink of the cheapest path through it, and the path."""
    middle = len(mask) // 2
    upper_cost, upper = _towards(mask[: middle + 1])
    lower_cost, lower = _towards(mask[middle:][::-1])
    costs = upper_cost + lower_cost - mask[middle]
    return costs, np.hstack([upper, lower[:, ::-1][:, 1:]])


def _towards(mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Cheapest paths from the first row to each column of the last: cost and columns by row."""
    height, width = mask.shape
    total = np.full(width + 2, np.inf)
    total[1:-1] = mask[0]
    steps = np.zeros((height, width), np.int8)
    for row in range(1, height):
        straight, aside = total[1:-1], total + LEAN_COST
        cheaper = np.minimum(straight, aside[:-2])
        cheapest = np.minimum(cheaper, aside[2:])
        steps[row] = np.where(cheapest < cheaper, 1, np.where(cheaper < straight, -1, 0))
        total[1:-1] = cheapest + mask[row]
    paths = np.empty((width, height), np.int32)
    paths[:, -1] = np.arange(width)
    for row in range(height - 1, 0, -1):
        paths[:, row - 1] = paths[:, row] + steps[row, paths[:, row]]
    return total[1:-1], paths

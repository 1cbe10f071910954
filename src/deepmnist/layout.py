"""Where writing lies in a picture: connected strokes, the tilt of the lines, the lines.

What cannot be a digit by its size or shape is left out here: specks, edges of the page, blots. The
size of a digit is taken from the picture itself. This module knows no net; segmentation.py makes
digits of what lies in a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist.connected import AREA, HEIGHT, WIDTH, components
from deepmnist.errors import PictureError
from deepmnist.ink import Ink, Mask, padded

MAX_PIECES = 1_500  # connected strokes: about three for each of 500 digits
MAX_AREA = 50_000_000  # pixels of their boxes: twenty times the largest picture that is read

SPECK = 0.25  # of a digit's height: what is smaller in both directions is a speck
TALLEST = 2.2  # digits' heights: what is taller is a drawing, or the edge of the page
WIDEST = 8.0  # digits' heights: a string of touching digits may be wide
BLOT = 3.5  # stroke widths: what is thicker throughout is no stroke


@dataclass(frozen=True)
class Piece:
    """Strokes that belong together: a mask and where its corner lies, in pixels of the ink."""

    top: int
    left: int
    mask: Mask

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.mask.shape[0])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.mask.shape[1])

    @property
    def bottom(self) -> int:
        """The row below the lowest."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column after the last."""
        return self.left + self.width

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the box's middle."""
        return self.top + self.height / 2, self.left + self.width / 2


def area(pieces: list[Piece]) -> int:
    """Pixels of the box around several."""
    top, left, bottom, right = _around(pieces)
    return (bottom - top) * (right - left)


def joined(pieces: list[Piece]) -> Piece:
    """One piece of several."""
    top, left, bottom, right = _around(pieces)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for piece in pieces:
        rows = slice(piece.top - top, piece.bottom - top)
        mask[rows, piece.left - left : piece.right - left] |= piece.mask
    return Piece(top, left, mask)


def _around(pieces: list[Piece]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the box around several."""
    return (
        min(piece.top for piece in pieces),
        min(piece.left for piece in pieces),
        max(piece.bottom for piece in pieces),
        max(piece.right for piece in pieces),
    )


# ---- connected strokes --------------------------------------------------------------------------


def pieces(ink: Ink) -> list[Piece]:
    """The connected strokes that may be digits or parts of them, left to right.

    PictureError where there are more than MAX_PIECES, or their boxes have more than MAX_AREA.
    """
    labels, stats = components(ink.strokes)
    size = digit_height(ink)
    large = np.flatnonzero(stats[:, [WIDTH, HEIGHT]].max(axis=1) >= SPECK * size)
    chosen = large[large > 0]  # 0 is the paper
    if len(chosen) > MAX_PIECES:
        raise PictureError(
            f"the picture holds {len(chosen):,} separate strokes; at most {MAX_PIECES:,} are read; "
            "crop it to the digits that matter"
        )
    check_area(stats[chosen, WIDTH] * stats[chosen, HEIGHT])
    found = [
        Piece(top, left, labels[top : top + height, left : left + width] == index)
        for index, (left, top, width, height, _) in zip(chosen, stats[chosen], strict=True)
    ]
    fitting = [piece for piece in found if _may_be_digits(piece, size, ink)]
    return sorted(fitting, key=lambda piece: piece.left)


def check_area(areas: Iterable[int]) -> None:
    """PictureError where boxes lie over each other so that their masks would fill the memory."""
    total = sum(map(int, areas))
    if total > MAX_AREA:
        raise PictureError(
            f"what could be digits lies over each other: the boxes around have {total:,} pixels; "
            f"at most {MAX_AREA:,} are read; crop the picture to the digits that matter"
        )


def digit_height(ink: Ink) -> float:
    """Pixels: the height that half of all ink lies below; 0 for no ink.

    Edges of the page and boxes around other strokes are left out, unless there is nothing else.
    """
    boxes = components(ink.strokes)[1][1:]
    boxes = boxes[np.argsort(-boxes[:, AREA])][:MAX_PIECES]
    inside = [box for box in boxes if not _along_border(box, ink.strokes.shape)]
    digits = [box for box in inside if not _around_another(box, boxes)]
    chosen = sorted(digits or inside or boxes, key=lambda box: int(box[HEIGHT]))
    if not chosen:
        return 0.0
    areas = np.cumsum([box[AREA] for box in chosen])
    return float(chosen[int(np.searchsorted(areas, areas[-1] / 2))][HEIGHT])


def _around_another(box: NDArray[np.int64], boxes: NDArray[np.int64]) -> bool:
    """Whether strokes of a fair size lie within the box, as a digit does in a form's."""
    left, top, width, height, _ = box
    within = (boxes[:, 0] > left) & (boxes[:, 1] > top)
    within &= boxes[:, 0] + boxes[:, 2] < left + width
    within &= boxes[:, 1] + boxes[:, 3] < top + height
    return bool((within & (boxes[:, HEIGHT] > SPECK * height)).any())


def _along_border(row: NDArray[np.int64], shape: tuple[int, ...]) -> bool:
    """Whether it touches the picture's border and runs along half of it."""
    left, top, width, height, _ = row
    touches_side = left <= 1 or left + width >= shape[1] - 1
    touches_end = top <= 1 or top + height >= shape[0] - 1
    return bool((touches_side and height > shape[0] / 2) or (touches_end and width > shape[1] / 2))


def _may_be_digits(piece: Piece, size: float, ink: Ink) -> bool:
    if piece.height > TALLEST * size or piece.width > WIDEST * size:
        return False
    distances = cv2.distanceTransform(
        padded(piece.mask, 1).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3
    )
    return float(np.median(distances[distances > 0])) < BLOT * max(ink.width, 1) / 4 + 1


# ---- tilt ---------------------------------------------------------------------------------------

TILT_REACH = 3.0  # digits' heights from one digit to its neighbour in the line
TILT_SPREAD = 14.0  # degrees: neighbours that lie in more various directions show no line
LEAST_TILT = 4.0  # degrees: less is the writer's own hand, and the lines are found all the same


def tilt(found: list[Piece], size: float) -> float:
    """Degrees by which lines fall to the right (-75 .. 75); 0 where none is clear."""
    large = [piece.centre for piece in found if piece.height >= 0.5 * size]
    if len(large) < 3:
        return 0.0
    centres = np.array(large)
    angles = [angle for index in range(len(centres)) if (angle := _to_right(centres, index, size))]
    if len(angles) < 2:
        return 0.0
    middle = float(np.median(angles))
    spread = float(np.median(np.abs(np.array(angles) - middle)))
    return middle if spread <= TILT_SPREAD and LEAST_TILT <= abs(middle) <= 75 else 0.0


def _to_right(centres: NDArray[np.float64], index: int, size: float) -> float | None:
    """Degrees down to the nearest neighbour on the right."""
    rows, columns = (centres - centres[index]).T
    distances = np.hypot(rows, columns)
    candidates = (columns > 0.25 * np.abs(rows)) & (distances < TILT_REACH * size)
    candidates[index] = False
    if not candidates.any():
        return None
    nearest = int(np.flatnonzero(candidates)[distances[candidates].argmin()])
    return float(np.degrees(np.arctan2(rows[nearest], columns[nearest])))


# ---- lines --------------------------------------------------------------------------------------

SAME_LINE = 0.55  # of a digit's height: neighbours' middles differ by less


def lines(found: list[Piece], size: float) -> list[list[Piece]]:
    """Pieces line by line, top to bottom, each left to right.

    Small pieces (dots, broken strokes) join the line they lie in; alone they are no line.
    """
    rows: list[list[Piece]] = []
    large = [piece for piece in found if piece.height >= 0.5 * size]
    for piece in sorted(large, key=lambda each: each.left):
        near = [(abs(row[-1].centre[0] - piece.centre[0]), row) for row in rows]
        distance, row = min(near, key=lambda pair: pair[0], default=(np.inf, []))
        if distance < SAME_LINE * size:
            row.append(piece)
        else:
            rows.append([piece])
    for piece in found:
        if piece.height < 0.5 * size:
            _joined_to_line(piece, rows, size)
    ordered = sorted(rows, key=lambda row: float(np.mean([each.centre[0] for each in row])))
    return [sorted(row, key=lambda piece: piece.left) for row in ordered]


def _joined_to_line(piece: Piece, rows: list[list[Piece]], size: float) -> None:
    """Add a small piece to the line that has a digit near it."""
    near = [(_apart(piece, each), row) for row in rows for each in row]
    distance, row = min(near, key=lambda pair: pair[0], default=(np.inf, []))
    if distance < 0.3 * size:
        row.append(piece)


def _apart(one: Piece, other: Piece) -> float:
    """Pixels between two boxes; 0 where they overlap."""
    rows = max(0, one.top - other.bottom, other.top - one.bottom)
    columns = max(0, one.left - other.right, other.left - one.right)
    return float(np.hypot(rows, columns))

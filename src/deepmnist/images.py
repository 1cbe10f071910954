"""The input contract: any picture of one digit becomes an image as MNIST was made.

An image is uint8 (28, 28): 0 is paper, 255 is ink, the digit's longest side is 20 pixels and its
centre of mass lies at pixel (14, 14). docs/input-contract.md tells each step with its reason.
Plain image arithmetic, nothing is learnt. This module knows no files (pictures.py decodes them)
and no model, and it takes all strokes in a picture for one digit.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import ink, rulings
from deepmnist.contract import BOX, CENTRE, INK, SIDE
from deepmnist.errors import PictureError

WORK_SIDE = 224  # pixels; a picture with a longer side is reduced to this one first
RULING = 0.6  # of the shorter side: lines so long may be of a form, not of the digit
LEAST_SIDE = 128  # pixels; a smaller one is enlarged, so that thresholds find edges between pixels

Grey = NDArray[np.uint8]  # 0..255
Levels = NDArray[np.float32]  # 0 paper .. 1 full stroke
Mask = NDArray[np.bool_]


def prepare(picture: Grey) -> Grey:
    """The image, uint8 (28, 28), of the one digit in a grey picture, uint8 (height, width).

    Dark on light and light on dark give the same image. A picture that already meets the contract
    keeps its pixels (see `meets_contract`; where it is dark on light, it is inverted). A picture
    with nothing in it, be it all of one level, too faint or mere noise, gives an image of zeros.
    PictureError where the array is no grey picture.
    """
    check(picture)
    for image in (picture, INK - picture):
        if meets_contract(image):
            return image.copy()
    found = ink.find(picture, LEAST_SIDE, WORK_SIDE)
    found = rulings.removed(found, RULING * min(found.strokes.shape))
    return of_strokes(found.levels, _digit(found.strokes))


def of_strokes(levels: Levels, strokes: Mask) -> Grey:
    """The image, uint8 (28, 28), of a digit whose ink is known (see ink.Ink); zeros for none.

    Levels float32 and strokes bool have one shape, (height, width); what is not near a stroke of
    the mask stays out of the image.
    """
    if not strokes.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    return _centred(_boxed(*_cropped(levels, strokes)))


def check(picture: Grey) -> None:
    """PictureError unless an array is a grey picture, uint8 (height, width) with a pixel."""
    if picture.dtype != np.uint8 or picture.ndim != 2 or picture.size == 0:
        raise PictureError(
            f"an array of {picture.dtype} and shape {picture.shape} is no grey picture; prepare "
            "takes uint8 (height, width); deepmnist.pictures.read gives that for a file"
        )


# ---- what already is an image -------------------------------------------------------------------

# Measured: each of MNIST's 70,000 images lies within these three.
LEAST_PEAK = 250  # of 255
LEAST_BOX = 19  # pixels; a few of MNIST's lost their faintest row
CENTRE_TOLERANCE = 0.5  # pixels, since MNIST's digits were moved by whole ones


def meets_contract(image: Grey) -> bool:
    """Whether uint8 (height, width), light on dark, already is an image as MNIST was made.

    It is if it has 28 x 28 pixels, its brightest is at least 250, the box around all that is
    above 0 has a longest side of 19 or 20 pixels, and the centre of mass lies within half a
    pixel of (14, 14) in both directions.
    """
    if image.shape != (SIDE, SIDE) or image.max() < LEAST_PEAK:
        return False
    rows, columns = _bounds(image > 0)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    row, column = _centre_of_mass(image)
    off_centre = max(abs(row - CENTRE), abs(column - CENTRE))
    return LEAST_BOX <= longest <= BOX and off_centre <= CENTRE_TOLERANCE


# ---- which strokes are the digit ----------------------------------------------------------------

FRAME_SHARE = 0.5  # a connected stroke with more of its pixels in the strip is a frame, no digit
SPECK_SHARE = 0.1  # of the largest stroke's pixels: what has fewer is a speck


def _digit(mask: Mask) -> Mask:
    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    areas = np.bincount(labels[mask], minlength=count)
    in_strip = np.bincount(labels[mask & ink.strip(mask.shape)], minlength=count)
    candidates = np.where(in_strip > FRAME_SHARE * areas, 0, areas)
    if candidates.max() <= SPECK_SHARE * areas.max():
        candidates = areas  # cropped tightly, or joined to its frame: better both than neither
    kept = candidates > SPECK_SHARE * candidates.max()
    return np.asarray(kept[labels], np.bool_)


# ---- level, size and place ----------------------------------------------------------------------

STROKE = 2.5 / BOX  # MNIST's median stroke width, as a share of the digit's longest side


def _cropped(levels: Levels, strokes: Mask) -> tuple[Levels, Mask]:
    """Levels and strokes inside the digit's bounding box; one pixel around the strokes stays."""
    box = _bounds(strokes)
    levels, strokes = levels[box], np.ascontiguousarray(strokes[box])
    return ink.alone(levels, strokes), strokes


def _boxed(levels: Levels, strokes: Mask) -> Levels:
    """The digit with its longest side at 20 pixels.

    Strokes thinner than MNIST's are thickened first: reduced as they are they would turn to haze.
    """
    levels, strokes = _manageable(levels, strokes)
    missing = STROKE * max(levels.shape) - ink.stroke_width(strokes)
    radius = max(0, round(missing / 2))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    thick = cv2.dilate(ink.padded(levels, radius), pen).astype(np.float32)
    return np.clip(ink.resized(thick, BOX / max(thick.shape)), 0, 1)


PEN_SIDE = 160  # pixels: in a larger digit the pen that thickens would take long


def _manageable(levels: Levels, strokes: Mask) -> tuple[Levels, Mask]:
    """A large digit reduced to PEN_SIDE, each new pixel the fullest of those it stands for."""
    scale = PEN_SIDE / max(levels.shape)
    if scale >= 1:
        return levels, strokes
    square = np.ones((math.ceil(1 / scale),) * 2, np.uint8)
    levels = ink.resized(cv2.dilate(levels, square).astype(np.float32), scale)
    return levels, levels > 0.5


def _centred(levels: Levels) -> Grey:
    """The 28 x 28 image with the digit's centre of mass at (14, 14), or as near as it fits."""
    height, width = levels.shape
    row, column = _centre_of_mass(levels)
    top = min(max(0, round(CENTRE - row)), SIDE - height)
    left = min(max(0, round(CENTRE - column)), SIDE - width)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.rint(INK * levels / levels.max())
    return image


def _centre_of_mass(levels: Grey | Levels) -> tuple[float, float]:
    rows, columns = levels.sum(1, dtype=np.float64), levels.sum(0, dtype=np.float64)
    total = rows.sum()
    row, column = rows @ np.arange(len(rows)) / total, columns @ np.arange(len(columns)) / total
    return float(row), float(column)


def _bounds(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

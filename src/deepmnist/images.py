"""The input contract: any picture of one digit becomes an image as MNIST was made.

An image is uint8 (28, 28): 0 is paper, 255 is ink, the digit's longest side is 20 pixels and its
centre of mass lies at pixel (14, 14). docs/input-contract.md tells each step with its reason.
Plain image arithmetic, nothing is learnt. This module knows no files (pictures.py decodes them)
and no model, and it takes all strokes in a picture for one digit.
"""

from __future__ import annotations

from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import BOX, CENTRE, INK, SIDE
from deepmnist.errors import PictureError

WORK_SIDE = 512  # pixels; a picture with a longer side is reduced to this one first

Grey = NDArray[np.uint8]  # 0..255
Ink = NDArray[np.float32]  # 0 paper .. 1 full stroke
Mask = NDArray[np.bool_]
Levels = TypeVar("Levels", Grey, Ink)


def prepare(picture: Grey) -> Grey:
    """The image, uint8 (28, 28), of the one digit in a grey picture, uint8 (height, width).

    Dark on light and light on dark give the same image. A picture that already meets the contract
    keeps its pixels (see `meets_contract`; where it is dark on light, it is inverted). A picture
    with nothing in it, be it all of one level, too faint or mere noise, gives an image of zeros.
    PictureError where the array is no grey picture.
    """
    _check(picture)
    for image in (picture, INK - picture):
        if meets_contract(image):
            return image.copy()
    light_on_dark = picture if paper_is_dark(picture) else INK - picture
    ink = ink_above_paper(_resized(light_on_dark, min(WORK_SIDE, max(picture.shape))))
    strokes = find_strokes(ink)
    if not strokes.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    return _centred(_boxed(*_cropped(ink, strokes)))


def _check(picture: Grey) -> None:
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


# ---- polarity: which side is paper --------------------------------------------------------------

STRIP = 1 / 8  # of each side: the strip along the border, where paper shows and frames lie


def paper_is_dark(picture: Grey) -> bool:
    """Whether the strip along the border is darker (its median) than the whole (its mean).

    The median overlooks a frame or a grid line, as long as it fills less than half of the strip.
    """
    return bool(np.median(picture[_strip(picture.shape)]) < picture.mean())


def _strip(shape: tuple[int, ...]) -> Mask:
    height, width = shape
    rows, columns = max(1, round(height * STRIP)), max(1, round(width * STRIP))
    strip = np.ones((height, width), np.bool_)
    strip[rows : height - rows, columns : width - columns] = False
    return strip


# ---- paper: what light falls on it --------------------------------------------------------------

PAPER_SIDE = 64  # pixels, the longest side of the copy on which the paper's level is estimated
PAPER_WINDOW = 33  # pixels of that copy: wider than any stroke, so that paper shows in each window


def ink_above_paper(light_on_dark: Grey) -> Grey:
    """How much lighter than its paper each pixel is: uint8 (height, width), 0 is paper.

    The paper's level is a morphological opening (lightest of the darkest nearby), smoothed: it
    follows light that falls unevenly, and no stroke.
    """
    height, width = light_on_dark.shape
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (PAPER_WINDOW, PAPER_WINDOW))
    paper = cv2.morphologyEx(_resized(light_on_dark, PAPER_SIDE), cv2.MORPH_OPEN, window)
    paper = cv2.blur(paper, (PAPER_WINDOW // 2, PAPER_WINDOW // 2))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.subtract(light_on_dark, paper), np.uint8)


# ---- strokes: which pixels are the digit --------------------------------------------------------

LEAST_CONTRAST = 16  # levels of 255 between ink and paper; anything fainter is the paper's grain
NOISE_FACTOR = 3  # ink stands out from paper by this many times the usual step between neighbours
FRAME_SHARE = 0.5  # a connected stroke with more of its pixels in the strip is a frame, no digit
SPECK_SHARE = 0.1  # of the largest stroke's pixels: what has fewer is a speck


def find_strokes(ink: Grey) -> Mask:
    """The pixels of the digit's strokes, bool (height, width); none where there is no digit.

    Otsu's threshold, without frames along the border and without specks.
    """
    level, _ = cv2.threshold(ink, 0, INK, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = ink > level
    if mask.all() or not mask.any() or _is_grain(ink, mask):
        return np.zeros_like(mask)
    return _without_frames_and_specks(mask)


def _is_grain(ink: Grey, mask: Mask) -> bool:
    contrast = ink[mask].mean() - ink[~mask].mean()
    steps = [np.abs(np.diff(ink.astype(np.int16), axis=axis)).ravel() for axis in (0, 1)]
    noise = np.median(np.concatenate(steps))
    return bool(contrast < max(LEAST_CONTRAST, NOISE_FACTOR * noise))


def _without_frames_and_specks(mask: Mask) -> Mask:
    labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
    areas = np.bincount(labels.ravel())
    areas[0] = 0  # the paper
    in_strip = np.bincount(labels[_strip(mask.shape)], minlength=len(areas))
    candidates = np.where(in_strip > FRAME_SHARE * areas, 0, areas)
    if candidates.max() <= SPECK_SHARE * areas.max():
        candidates = areas  # cropped tightly, or joined to its frame: better both than neither
    kept = candidates > SPECK_SHARE * candidates.max()
    return np.asarray(kept[labels], np.bool_)


# ---- level, size and place ----------------------------------------------------------------------

STROKE = 2.5 / BOX  # MNIST's median stroke width, as a share of the digit's longest side


def _cropped(ink: Grey, strokes: Mask) -> tuple[Ink, Mask]:
    """Ink and strokes inside the digit's bounding box; the median stroke pixel becomes 1."""
    halo = cv2.dilate(strokes.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # soft edges stay
    paper = np.median(ink[~halo]) if not halo.all() else 0
    full = max(np.median(ink[strokes]) - paper, 1)
    levels = np.where(halo, np.clip((ink - paper) / full, 0, 1), 0)
    box = _bounds(strokes)
    return levels[box].astype(np.float32), strokes[box]


def _boxed(levels: Ink, strokes: Mask) -> Ink:
    """The digit with its longest side at 20 pixels.

    Strokes thinner than MNIST's are thickened first: reduced as they are they would turn to haze.
    """
    missing = STROKE * max(levels.shape) - _stroke_width(strokes)
    radius = max(0, round(missing / 2))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    thick = cv2.dilate(np.pad(levels, radius), pen)
    return _resized(np.asarray(thick, np.float32), BOX)


def _stroke_width(strokes: Mask) -> float:
    """Mean width in pixels: across a band of width w, distances to paper average (w + 2) / 4."""
    distances = cv2.distanceTransform(np.pad(strokes, 1).astype(np.uint8), cv2.DIST_L2, 3)
    return 4 * float(distances[distances > 0].mean()) - 2


def _centred(levels: Ink) -> Grey:
    """The 28 x 28 image with the digit's centre of mass at (14, 14), or as near as it fits."""
    height, width = levels.shape
    row, column = _centre_of_mass(levels)
    top = min(max(0, round(CENTRE - row)), SIDE - height)
    left = min(max(0, round(CENTRE - column)), SIDE - width)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.rint(INK * levels / levels.max())
    return image


def _centre_of_mass(levels: Grey | Ink) -> tuple[float, float]:
    rows, columns = levels.sum(1, dtype=np.float64), levels.sum(0, dtype=np.float64)
    total = rows.sum()
    row, column = rows @ np.arange(len(rows)) / total, columns @ np.arange(len(columns)) / total
    return float(row), float(column)


def _bounds(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _resized(levels: Levels, longest: int) -> Levels:
    height, width = levels.shape
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR  # area: no pixel is skipped
    return cast(Levels, cv2.resize(levels, size, interpolation=how))

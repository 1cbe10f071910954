"""Ink on paper: which pixels of a grey picture are strokes, whatever the light and the paper.

A picture becomes dark on light, and light that falls unevenly is divided out. Plain image
arithmetic, nothing is learnt. This module knows no digits: rulings.py takes out lines and boxes,
images.py makes one digit of what is left, segmentation.py many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist.contract import INK

Grey = NDArray[np.uint8]  # 0..255
Levels = NDArray[np.float32]  # 0 paper .. 1 full stroke
Mask = NDArray[np.bool_]
AnyLevels = TypeVar("AnyLevels", Grey, Levels)
AnyPixels = TypeVar("AnyPixels", Grey, Levels, Mask)

STRIP = 1 / 8  # of each side: the strip along the border, where paper shows and frames lie


@dataclass(frozen=True)
class Ink:
    """What is written in a picture of (height, width) pixels."""

    levels: Levels  # (height, width), 0 paper .. 1 a full stroke; soft edges in between
    strokes: Mask  # (height, width), the pixels of strokes
    width: float  # pixels, the usual width of a stroke; 0 where there is none

    def only(self, kept: Mask) -> Ink:
        """The same picture with these strokes alone."""
        return replace(self, strokes=self.strokes & kept)


def find(picture: Grey, least: int, most: int) -> Ink:
    """The ink in a grey picture, uint8 (height, width), dark on light or light on dark.

    A picture whose longest side is above `most` pixels is reduced to it, one below `least` is
    enlarged, so that thresholds find edges between pixels; what is returned has the new size.
    """
    longest = max(picture.shape)
    scale = min(max(longest, least), most) / longest
    light_paper = resized(picture, scale)
    if paper_is_dark(light_paper):
        light_paper = resized(np.asarray(255 - picture, np.uint8), scale)
    grain = max(1, round(scale))  # pixels from which on neighbours differ by noise
    darkness = _darkness(light_paper, _paper(light_paper, _rough_window(light_paper.shape)))
    width = stroke_width(_strokes(darkness, grain))
    if width > 0:
        window = _odd(np.clip(STROKES_A_WINDOW * width, 9, _rough_window(light_paper.shape)))
        darkness = _darkness(light_paper, _paper(light_paper, window))
    strokes = _strokes(darkness, grain)
    return Ink(_levels(darkness, strokes), strokes, stroke_width(strokes))


def resized(levels: AnyLevels, scale: float) -> AnyLevels:
    """The same picture in another size: by area when reduced, cubic when enlarged."""
    if scale == 1:
        return levels
    height, width = levels.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC  # area: no pixel is skipped
    return cast(AnyLevels, cv2.resize(levels, size, interpolation=how))


# ---- polarity: which side is paper --------------------------------------------------------------


POLARITY_SIDE = 96  # pixels, the longest side of the copy on which polarity is judged
NEARBY = 1 / 4  # of the longest side: a level is compared with those so near (a deviation)
SKEW_CLEAR = 2.0  # skewness from which on there is no doubt which side the ink is on
BORDER_CLEAR = 0.4  # standard deviations off the mean from which on a side of the border is sure
BORDER_WEIGHT = 0.3  # of what the four sides say, against the skewness


def paper_is_dark(picture: Grey) -> bool:
    """Whether ink is lighter than paper, in a grey picture, uint8 (height, width).

    Two witnesses. Ink is rarer than paper, so levels, each against those nearby, are skewed
    towards it: that holds in shade and on a dark desk. And each of the four strips along the
    border (is its median darker than the mean of the whole?) shows paper: that knows a thick
    digit that fills its picture.
    """
    return _dark_paper_vote(picture) > 0


def _dark_paper_vote(picture: Grey) -> float:
    if picture.min() == picture.max():
        return 0.0
    small = resized(picture.astype(np.float32), min(1, POLARITY_SIDE / max(picture.shape)))
    return _skewness(small) / SKEW_CLEAR + BORDER_WEIGHT * _border_is_dark(small)


def _skewness(picture: Levels) -> float:
    """Of levels against those nearby: below 0 where few are much darker; within SKEW_CLEAR."""
    off = (picture - _nearby(picture)).astype(np.float64)
    off -= off.mean()
    squares = off * off
    spread = float(squares.mean()) ** 1.5
    skewness = float((squares * off).mean()) / spread if spread > LEAST_SPREAD else 0.0
    return float(np.clip(skewness, -SKEW_CLEAR, SKEW_CLEAR))


LEAST_SPREAD = 1e-6  # levels cubed: below it all levels are one
NEARBY_SIDE = 24  # pixels: what is so smooth is told on a copy of this size


def _nearby(picture: Levels) -> Levels:
    """Each pixel's surroundings: a wide blur, taken on a small copy."""
    height, width = picture.shape
    small = resized(picture, min(1, NEARBY_SIDE / max(picture.shape)))
    reach = NEARBY * max(small.shape)
    smooth = cv2.GaussianBlur(small, (0, 0), reach, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR))


def _border_is_dark(picture: Levels) -> float:
    """-1 where all four sides are lighter than the whole, 1 where all are darker."""
    height, width = picture.shape
    rows, columns = max(1, round(height * STRIP)), max(1, round(width * STRIP))
    sides = picture[:rows], picture[-rows:], picture[:, :columns], picture[:, -columns:]
    clear = max(BORDER_CLEAR * float(picture.std()), 1e-3)
    mean = float(picture.mean())
    votes = [min(max((mean - median(side)) / clear, -1.0), 1.0) for side in sides]
    return sum(votes) / len(votes)


def strip(shape: tuple[int, ...]) -> Mask:
    """The pixels, bool (height, width), of the strip along the border of a picture."""
    height, width = shape
    rows, columns = max(1, round(height * STRIP)), max(1, round(width * STRIP))
    mask = np.ones((height, width), np.bool_)
    mask[rows : height - rows, columns : width - columns] = False
    return mask


# ---- paper: what light falls on it --------------------------------------------------------------

ROUGH_WINDOW = 1 / 2  # of the longest side: wider than any stroke, but as wide as many shadows
STROKES_A_WINDOW = 4  # wider than a stroke where two cross, narrower than a shadow
PAPER_REACH = 17  # pixels: a wider window is applied to a copy, reduced until it is so wide
LEAST_PAPER = 24  # of 255: in deeper shade than this a share of the light means nothing


def _rough_window(shape: tuple[int, ...]) -> int:
    return _odd(max(9, max(shape) * ROUGH_WINDOW))


def _paper(light_paper: Grey, window: int) -> Levels:
    """The paper's own level at each pixel: the lightest of the darkest nearby, smoothed a little.

    A closing keeps the edges of whatever is wider than its window, such as a shadow.
    """
    height, width = light_paper.shape
    scale = min(1.0, PAPER_REACH / window)
    small = resized(light_paper, scale)
    reach = _odd(window * scale)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _pen(reach))
    paper = cv2.blur(paper.astype(np.float32), (max(1, reach // 3), max(1, reach // 3)))
    paper = np.maximum(paper, np.float32(LEAST_PAPER))
    return np.asarray(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR))


def _darkness(light_paper: Grey, paper: Levels) -> Levels:
    """The share of the light that each pixel swallows: float32, 0 paper .. 1 black."""
    light = cv2.divide(light_paper, paper, dtype=cv2.CV_32F)
    return np.asarray(np.clip(1 - light, 0, 1, out=light))


# ---- strokes ------------------------------------------------------------------------------------

LEAST_CONTRAST = 0.06  # share of the light that ink swallows; anything fainter is paper's grain
SAMPLE = 5_000  # pixels of which a median is taken, where a picture has more
NOISE_FACTOR = 3  # ink stands out from paper by this many times the usual step between neighbours


def _strokes(darkness: Levels, grain: int) -> Mask:
    """The pixels of strokes; none where nothing stands out from the paper's grain."""
    threshold = max(_otsu(darkness), LEAST_CONTRAST)
    mask = darkness > threshold
    if mask.all() or not mask.any() or _is_grain(darkness, mask, grain):
        return np.zeros_like(mask)
    return np.asarray(mask, np.bool_)


def _otsu(darkness: Levels) -> float:
    eight_bits = cv2.convertScaleAbs(darkness, alpha=255)
    return cv2.threshold(eight_bits, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0] / 255


def _is_grain(darkness: Levels, mask: Mask, grain: int) -> bool:
    inked, strokes = cv2.mean(darkness, mask.view(np.uint8))[0], np.count_nonzero(mask)
    paper = (float(darkness.sum(dtype=np.float64)) - inked * strokes) / (mask.size - strokes)
    return bool(inked - paper < max(LEAST_CONTRAST, NOISE_FACTOR * _noise(darkness, grain)))


def _noise(darkness: Levels, grain: int) -> float:
    """The usual step from a pixel to its neighbours, `grain` pixels away."""
    some = _sample(darkness.shape)
    down = darkness[grain:][some] - darkness[:-grain][some]
    right = darkness[:, grain:][some] - darkness[:, :-grain][some]
    return median(np.abs(np.concatenate([down, right], axis=None)))


def _sample(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """About SAMPLE of a picture's pixels, evenly spaced: a median needs no more."""
    every = max(1, round(math.sqrt(shape[0] * shape[1] / SAMPLE)))
    return np.s_[::every, ::every]


def stroke_width(strokes: Mask) -> float:
    """Mean width in pixels: across a band of width w, distances to paper average (w + 2) / 4."""
    if not strokes.any():
        return 0.0
    distances = cv2.distanceTransform(padded(strokes, 1).view(np.uint8), cv2.DIST_L2, 3)
    return max(1.0, 4 * float(distances[distances > 0].mean()) - 2)


def _levels(darkness: Levels, strokes: Mask) -> Levels:
    """Paper 0 and the median stroke pixel 1; one pixel around the strokes keeps its grey."""
    if not strokes.any():
        return np.zeros_like(darkness)
    halo, some = near(strokes), _sample(darkness.shape)
    bare = darkness[some][~halo[some]]
    paper = median(bare) if bare.size else 0.0
    full = max(median(darkness[strokes]) - paper, 1 / 255)
    levels = (darkness - np.float32(paper)) * np.float32(1 / full)
    return np.asarray(np.clip(levels, 0, 1, out=levels) * halo)


def median(levels: Levels) -> float:
    """The middle one of any number but none, or the mean of two, so that a negative's mirrors it.

    NumPy's own takes ten times as long on the few pixels there are.
    """
    middle = levels.size // 2
    ordered = np.partition(levels, middle, axis=None)
    lower = ordered[middle] if levels.size % 2 else ordered[:middle].max()
    return (float(lower) + float(ordered[middle])) / 2


def padded(picture: AnyPixels, margin: int) -> AnyPixels:
    """The same with `margin` rows and columns of nothing on every side."""
    height, width = picture.shape
    larger = np.zeros((height + 2 * margin, width + 2 * margin), picture.dtype)
    larger[margin : margin + height, margin : margin + width] = picture
    return cast(AnyPixels, larger)


def alone(levels: Levels, strokes: Mask) -> Levels:
    """Levels of some strokes and one pixel around them, full where their own median is."""
    full = max(median(levels[strokes]), 1 / INK)
    return np.clip(levels / np.float32(full), 0, 1) * near(strokes)


def near(strokes: Mask) -> Mask:
    """The strokes and one pixel around them."""
    return cv2.dilate(strokes.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)


def _pen(diameter: int) -> Grey:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)))


def _odd(length: float) -> int:
    return 2 * int(length / 2) + 1

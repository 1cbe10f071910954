"""From grey to darkness: which side is paper, what light falls on it, what share ink swallows.

The steps and constants are those of deepmnist.ink, on pictures of SIDE pixels; where ink.py takes
any window, the graph chooses among a few.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from deepmnist import ink
from deepmnist.export.graph import pixels
from deepmnist.export.graph.pixels import Picture

SIDE = 128  # pixels, of the picture in which strokes are found

# Windows in pixels of the half-size picture, and up to which stroke width each is taken.
HALF_WINDOWS = ((5, 3.0), (7, 4.0), (9, 5.5), (13, 7.5), (17, 10.0))
QUARTER_WINDOWS = ((13, 14.0), (17, np.inf))


def light(picture: Picture) -> Picture:
    """The picture, dark on light, from one of either polarity."""
    small = pixels.halved(picture)
    vote = _skewness(small) / ink.SKEW_CLEAR + ink.BORDER_WEIGHT * _border_is_dark(small)
    dark = tf.cast(vote > 0, tf.float32)
    return dark * 255 + picture * (1 - 2 * dark)


def _skewness(picture: Picture) -> tf.Tensor:
    off = picture - pixels.between(_nearby(picture.shape[0]), picture)
    off -= tf.reduce_mean(off)
    square = off * off
    variance = tf.reduce_mean(square)
    cubed = variance * tf.sqrt(variance)
    skewness = tf.reduce_mean(square * off) / tf.maximum(cubed, 1e-6)
    return tf.clip_by_value(skewness, -ink.SKEW_CLEAR, ink.SKEW_CLEAR)


def _nearby(side: int) -> np.ndarray:
    """Weights (side, side) of a Gaussian blur that repeats the border."""
    deviation = ink.NEARBY * side
    reach = int(4 * deviation)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
    matrix = np.zeros((side, side))
    for row in range(side):
        places = np.clip(np.arange(row - reach, row + reach + 1), 0, side - 1)
        np.add.at(matrix[row], places, weights / weights.sum())
    return matrix


def _border_is_dark(picture: Picture) -> tf.Tensor:
    strip = round(picture.shape[0] * ink.STRIP)
    turned = tf.transpose(picture)
    sides = picture[:strip], picture[-strip:], turned[:strip], turned[-strip:]
    flat = tf.stack([tf.reshape(side, [-1]) for side in sides])
    half = flat.shape[1] // 2  # of an even number
    median = tf.reduce_mean(tf.math.top_k(flat, half + 1)[0][:, half - 1 :], axis=1)
    mean = tf.reduce_mean(picture)
    spread = tf.sqrt(tf.reduce_mean(tf.square(picture - mean)))
    clear = tf.maximum(ink.BORDER_CLEAR * spread, 1e-3)
    return tf.reduce_mean(tf.clip_by_value((mean - median) / clear, -1, 1))


def rough_darkness(half: Picture) -> Picture:
    """The share of light swallowed, in the half-size picture, whatever the strokes' width."""
    paper = pixels.closed(pixels.halved(half), 17)
    return _darkness(half, pixels.between(pixels.doubling(SIDE // 4, 5), paper))


def darkness(light: Picture, half: Picture, width: tf.Tensor) -> Picture:
    """The share of light swallowed, 0..1, against paper in a window of four stroke widths."""
    quarter = pixels.halved(half)
    double = pixels.doubling(SIDE // 4, 5)
    papers = [(pixels.closed(half, window), most) for window, most in HALF_WINDOWS]
    papers += [
        (pixels.between(double, pixels.closed(quarter, window)), most)
        for window, most in QUARTER_WINDOWS
    ]
    chosen, low = tf.zeros_like(half), tf.constant(-np.inf)
    for paper, most in papers:
        fits = tf.cast(width > low, tf.float32) * tf.cast(width <= most, tf.float32)
        chosen, low = chosen + fits * paper, most
    return _darkness(light, pixels.between(pixels.doubling(SIDE // 2, 3), chosen))


def _darkness(light: Picture, paper: Picture) -> Picture:
    return tf.clip_by_value(1 - light / tf.maximum(paper, ink.LEAST_PAPER), 0, 1)

"""From darkness to strokes: Otsu's threshold, grain, stroke width, levels.

The steps and constants are those of deepmnist.ink. The width of strokes is told by their area and
their outline instead of by distances, and medians by a histogram.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from deepmnist import ink
from deepmnist.export.graph import pixels
from deepmnist.export.graph.pixels import Picture

LEVELS = 256


def found(darkness: Picture, grain: int) -> Picture:
    """1 where strokes are; all 0 where nothing stands out from the paper's grain.

    `grain` is how far apart pixels are compared for noise.
    """
    threshold = tf.maximum(_otsu(histogram(darkness)), ink.LEAST_CONTRAST)
    mask = pixels.above(darkness, threshold)
    return mask * _stands_out(darkness, mask, grain)


def histogram(darkness: Picture, mask: Picture | None = None) -> tf.Tensor:
    """Pixels (of the mask) of each of 256 levels, float32 (256,)."""
    levels = tf.cast(tf.reshape(darkness, [-1]) * (LEVELS - 1) + 0.5, tf.int32)
    counted = tf.ones_like(darkness) if mask is None else mask
    return tf.math.unsorted_segment_sum(tf.reshape(counted, [-1]), levels, LEVELS)


def _otsu(counts: tf.Tensor) -> tf.Tensor:
    levels = tf.constant(np.arange(LEVELS), tf.float32)
    share = counts / tf.reduce_sum(counts)
    below, moment = tf.cumsum(share), tf.cumsum(share * levels)
    rest = tf.maximum(below * (1 - below), 1e-9)
    between = tf.square(moment[-1] * below - moment) / rest
    return tf.cast(tf.argmax(between, output_type=tf.int32), tf.float32) / (LEVELS - 1)


def _stands_out(darkness: Picture, mask: Picture, grain: int) -> tf.Tensor:
    """1 or 0. Less than a third of the contrast is the median step if half of all are less."""
    inked, pixel_count = tf.reduce_sum(mask), float(np.prod(darkness.shape))
    dark = tf.reduce_sum(darkness * mask)
    rest = tf.reduce_sum(darkness) - dark
    contrast = dark / tf.maximum(inked, 1) - rest / tf.maximum(pixel_count - inked, 1)
    coarse = darkness[::grain, ::grain]
    steps = tf.abs(coarse[1:] - coarse[:-1]), tf.abs(coarse[:, 1:] - coarse[:, :-1])
    noisy = [tf.reduce_mean(pixels.above(step, contrast / ink.NOISE_FACTOR)) for step in steps]
    clear = (inked > 0) & (inked < pixel_count) & (contrast >= ink.LEAST_CONTRAST)
    return tf.cast(clear & (noisy[0] + noisy[1] < 1), tf.float32)


def width(mask: Picture) -> tf.Tensor:
    """Pixels across a stroke: twice the area by the outline, told from crossings in four ways."""
    area = tf.reduce_sum(mask)
    padded = tf.pad(mask, ((1, 1), (1, 1)))
    straight = _changes(padded[1:], padded[:-1]) + _changes(padded[:, 1:], padded[:, :-1])
    falling = _changes(padded[1:, 1:], padded[:-1, :-1])
    rising = _changes(padded[1:, :-1], padded[:-1, 1:])
    outline = math.pi / 8 * (straight + (falling + rising) / math.sqrt(2))
    return 2 * area / tf.maximum(outline, 1)


def _changes(one: Picture, other: Picture) -> tf.Tensor:
    return tf.reduce_sum(tf.abs(one - other))


def median(counts: tf.Tensor) -> tf.Tensor:
    """The level, 0..1, that half of a histogram's pixels lie below."""
    half = tf.reduce_sum(counts) / 2
    return tf.reduce_sum(tf.cast(tf.cumsum(counts) < half, tf.float32)) / (LEVELS - 1)


def levels(darkness: Picture, mask: Picture) -> Picture:
    """Paper 0 and the median stroke pixel 1; one pixel around the strokes keeps its grey."""
    halo = pixels.greatest(mask, 3, 3)
    paper = median(histogram(darkness, 1 - halo))
    full = tf.maximum(median(histogram(darkness, mask)) - paper, 1 / (LEVELS - 1))
    return halo * tf.clip_by_value((darkness - paper) / full, 0, 1)

"""From a digit's levels to the 28 x 28 pixels the net sees: stroke width, size, place.

The digit is first brought to a frame of one size, where strokes are thickened by one of a few
rounds; then to its 20 pixels and to its centre of mass. Each resize is two products of weights.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from deepmnist import images
from deepmnist.contract import BOX, CENTRE, INK, SIDE
from deepmnist.export.graph import pixels
from deepmnist.export.graph.pixels import Picture

DIGIT = 40  # pixels, the longest side of the digit in the frame
TIE = 1e-3  # pixels: a symmetric digit of 20 lies between two places; the first is taken
MARGIN = 4  # pixels around it: half of the most it is thickened by, and a few
FRAME = DIGIT + 2 * MARGIN
THICKEST = 6  # pixels: the most that is added, more than an eighth of DIGIT


def image(levels: Picture, mask: Picture, width: tf.Tensor) -> Picture:
    """Grey 0..255, whole numbers, float32 (28, 28); zeros where the mask is empty.

    `width` is that of the strokes, in pixels.
    """
    top, height = _extent(tf.reduce_max(mask, axis=1))
    left, breadth = _extent(tf.reduce_max(mask, axis=0))
    longest = tf.maximum(height, breadth)
    framed = _framed(levels, (top, height), (left, breadth), longest)
    scale = DIGIT / longest
    added = tf.round(tf.maximum(images.STROKE * longest - width, 0) * scale)
    thick = _thickened(framed, added)
    before = tf.math.ceil(added / 2)
    size = added + tf.stack([height, breadth]) * scale
    return _placed(thick, MARGIN - before, size, DIGIT + added)


def _extent(line: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The first of a line's ones, and how far it is to the last; at least one pixel."""
    side = line.shape[0]
    places = tf.constant(np.arange(side), tf.float32)
    first = side - tf.reduce_max(line * (side - places))
    stop = tf.reduce_max(line * (places + 1))
    return first, tf.maximum(stop - first, 1)


def _framed(
    levels: Picture,
    rows: tuple[tf.Tensor, tf.Tensor],
    columns: tuple[tf.Tensor, tf.Tensor],
    longest: tf.Tensor,
) -> Picture:
    step, side = longest / DIGIT, levels.shape[0]
    inside = _inside(rows, side)[:, tf.newaxis] * _inside(columns, side)
    down = pixels.shares(rows[0] - MARGIN * step, step, FRAME, side)
    across = pixels.shares(columns[0] - MARGIN * step, step, FRAME, side)
    return tf.matmul(tf.matmul(down, levels * inside), across, transpose_b=True)


def _inside(extent: tuple[tf.Tensor, tf.Tensor], side: int) -> tf.Tensor:
    places = tf.constant(np.arange(side) + 0.5, tf.float32)
    return pixels.above(places, extent[0]) * (1 - pixels.above(places, extent[0] + extent[1]))


def _thickened(framed: Picture, added: tf.Tensor) -> Picture:
    """Strokes wider by so many pixels (whole, 0..THICKEST)."""
    chosen = framed * tf.cast(added < 1, tf.float32)
    for more in range(1, THICKEST + 1):
        wanted = added >= more if more == THICKEST else tf.equal(added, more)
        chosen += pixels.rounded(framed, more + 1) * tf.cast(wanted, tf.float32)
    return chosen


def _placed(thick: Picture, start: tf.Tensor, size: tf.Tensor, longest: tf.Tensor) -> Picture:
    """The digit at its 20 pixels, moved by whole ones; size is (height, width) in the frame."""
    pixel_count = tf.maximum(tf.round(size * BOX / longest), 1)  # rows, columns of the small digit
    step = size / pixel_count
    places = tf.constant(np.arange(FRAME) + 0.5, tf.float32)
    total = tf.maximum(tf.reduce_sum(thick), 1e-6)
    mass = [tf.reduce_sum(tf.reduce_sum(thick, axis=axis) * places) / total for axis in (1, 0)]
    centre = (tf.stack(mass) - start) / step - 0.5
    near = tf.round(CENTRE - centre - TIE)
    moved = tf.minimum(tf.maximum(near, 0), SIDE - pixel_count)
    first = start - moved * step
    down, across = (pixels.shares(first[axis], step[axis], SIDE, FRAME) for axis in (0, 1))
    small = tf.matmul(tf.matmul(down, thick), across, transpose_b=True)
    peak = tf.maximum(tf.reduce_max(small), 1e-6)
    return tf.floor(INK * small / peak + 0.5)

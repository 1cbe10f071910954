"""Connected strokes, how far they reach, and which of them are the digit.

Each pixel points to the highest-numbered pixel of the mask around it; pointers are followed by
doubling, and trees that touch are joined, ROUNDS times. A stroke that winds more often than that
stays in parts, each judged by itself.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from deepmnist import images, ink
from deepmnist.export.graph import bands, pixels
from deepmnist.export.graph.bands import Edges
from deepmnist.export.graph.pixels import Picture

ROUNDS = 3  # joins of trees that touch: each at least halves their number
FOLLOWED_FIRST = 6  # doublings: a path of 64 pixels
FOLLOWED = 2  # doublings after a join: a path of four trees


def digit(mask: Picture, weights: Picture, edges: Edges) -> Picture:
    """The strokes of a mask, 1 in float32 (side, side), that are the digit.

    Frames along the border and specks are not; a stroke's area is the sum of its weights.
    """
    labels = labelled(mask)
    flat, count = tf.reshape(weights * mask, [-1]), int(np.prod(mask.shape))
    strip = tf.reshape(bands.strip(edges, mask.shape[0], ink.STRIP, 1), [-1])
    areas = tf.math.unsorted_segment_sum(flat, labels, count)
    in_strip = tf.math.unsorted_segment_sum(flat * strip, labels, count)
    inner = areas * pixels.above(images.FRAME_SHARE * areas, in_strip - 1e-3)
    enough = tf.reduce_max(inner) > images.SPECK_SHARE * tf.reduce_max(areas)
    candidates = tf.where(enough, inner, areas)
    kept = pixels.above(candidates, images.SPECK_SHARE * tf.reduce_max(candidates))
    return tf.reshape(tf.gather(kept, labels), mask.shape) * mask


def reaches(mask: Picture) -> tuple[tf.Tensor, tf.Tensor]:
    """How far to the left and to the right each stroke reaches; float32 (2, side, side) each.

    The first counts the columns from a stroke's first one to the picture's right border, the second
    those from the left border to its last one; 0 where no stroke is. Of the two pictures in each,
    the second is turned over: there the same is told of rows.
    """
    side = mask.shape[0]
    labels = labelled(mask)
    places = np.arange(side)
    far = np.stack(np.broadcast_arrays(side - places, places + 1, *_upright(side, places)), axis=2)
    flat = tf.constant(far.reshape(-1, 4), tf.float32) * tf.reshape(mask, (-1, 1))
    furthest = tf.math.unsorted_segment_max(flat, labels, side * side)
    reach = tf.reshape(tf.gather(furthest, labels) * tf.reshape(mask, (-1, 1)), (side, side, 4))
    by_kind = tf.transpose(reach, (2, 0, 1))
    return (
        tf.stack([by_kind[0], tf.transpose(by_kind[2])]),
        tf.stack([by_kind[1], tf.transpose(by_kind[3])]),
    )


def _upright(side: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (side - places)[:, np.newaxis], (places + 1)[:, np.newaxis]


def labelled(mask: Picture) -> tf.Tensor:
    """For each pixel, int32 (height * width,), a pixel that stands for its stroke; 0 on paper."""
    size = int(np.prod(mask.shape))
    numbers = tf.constant(np.arange(size).reshape(mask.shape), tf.float32)
    pointers = _followed(_flat(pixels.greatest(numbers * mask, 3, 3) * mask), FOLLOWED_FIRST)
    pointers *= _flat(mask)  # paper points to pixel 0, which may be of a stroke and point on
    for _ in range(ROUNDS):
        around = pixels.greatest(tf.reshape(tf.cast(pointers, tf.float32), mask.shape), 3, 3) * mask
        joined = tf.math.unsorted_segment_max(tf.reshape(around, [-1]), pointers, size)
        joined = tf.maximum(joined, 0)  # what nothing points to is the least number there is
        pointers = tf.gather(_followed(tf.cast(joined, tf.int32), FOLLOWED), pointers)
    return pointers


def _flat(numbers: Picture) -> tf.Tensor:
    return tf.cast(tf.reshape(numbers, [-1]), tf.int32)


def _followed(pointers: tf.Tensor, times: int) -> tf.Tensor:
    """Each pointer further along its path, twice as far each time; paths climb, so they end."""
    for _ in range(times):
        pointers = tf.gather(pointers, pointers)
    return pointers

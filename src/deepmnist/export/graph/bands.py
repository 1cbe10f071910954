"""Where on the canvas the picture lies: what canvas.py filled up beside it is told by its flatness.

A band is flat to the last level, there is one of the same breadth on the other side, and none above
and below: so the flat paper around a digit that was drawn with a mouse is no band. Frames, cut-off
neighbours and the ends of rulings lie at the picture's own edge.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import tensorflow as tf

from deepmnist.export.graph import pixels
from deepmnist.export.graph.pixels import Picture

Edges: TypeAlias = tf.Tensor  # float32 (2, 2): first and last (not in it) of columns, of rows; 0..1
LIKE = 1.5  # pixels: bands beside each other's picture differ by less


def edges(canvas: Picture) -> Edges:
    """The picture's edges, as shares of the canvas's side."""
    side = float(canvas.shape[0])
    ends = [_lively(canvas, axis) for axis in (0, 1)]
    first, stop = (tf.stack(each) for each in zip(*ends, strict=True))
    alike = pixels.above(LIKE, tf.abs(first + stop - side))
    full = pixels.above(0.5, first) * pixels.above(stop, side - 0.5)
    bands = alike * tf.reverse(full, axis=[0])
    return tf.stack([first * bands, side + (stop - side) * bands], axis=1) / side


def _lively(canvas: Picture, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The first column or row that is not of one level, and the one after the last."""
    side = canvas.shape[0]
    places = tf.constant(np.arange(side), tf.float32)
    spread = tf.reduce_max(canvas, axis=axis) - tf.reduce_min(canvas, axis=axis)
    lively = pixels.above(spread, 0.5)
    return side - tf.reduce_max(lively * (side - places)), tf.reduce_max(lively * (places + 1))


def strip(edges: Edges, side: int, share: float, least: float) -> tf.Tensor:
    """1 along the picture's edges, float32 (side, side): `share` of each side, `least` pixels."""
    places = tf.constant(np.arange(side) + 0.5, tf.float32)
    inside = []
    for first, stop in ((edges[axis, 0] * side, edges[axis, 1] * side) for axis in (0, 1)):
        breadth = tf.maximum(tf.round((stop - first) * share), least)
        inside.append(pixels.above(places, first + breadth) * pixels.above(stop - breadth, places))
    return 1 - inside[0] * inside[1][:, tf.newaxis]

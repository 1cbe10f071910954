"""Pixel arithmetic on one picture, written so that LiteRT runs it fast.

A picture is float32 (height, width), of a size that is known when the graph is made. LiteRT's pools
work on many channels at once and slowly on one: rows are pooled with the columns as channels, and
columns by turning the picture over. Nothing here knows ink or digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

Picture: TypeAlias = tf.Tensor  # float32 (height, width)


def tallest(picture: Picture, rows: int) -> Picture:
    """Each pixel the greatest of `rows` above and below it (of an even number, one more below).

    Pictures may come several at once, (n, height, width).
    """
    if rows == 1:
        return picture
    *_, height, width = picture.shape
    columns_as_channels = tf.reshape(picture, (-1, height, 1, width))
    pooled = tf.nn.max_pool2d(columns_as_channels, (rows, 1), (1, 1), "SAME")
    return tf.reshape(pooled, picture.shape)


def greatest(picture: Picture, rows: int, columns: int) -> Picture:
    """A dilation by a rectangle."""
    if columns == 1:
        return tallest(picture, rows)
    return tf.transpose(tallest(tf.transpose(tallest(picture, rows)), columns))


def rounded(picture: Picture, diameter: int) -> Picture:
    """A dilation by a disc, or what three rectangles make of one."""
    middle, narrow = max(1, round(0.75 * diameter)), max(1, round(0.4 * diameter))
    sides = [(diameter, narrow), (middle, middle), (narrow, diameter)]
    sides = list(dict.fromkeys((_like(a, diameter), _like(b, diameter)) for a, b in sides))
    found = greatest(picture, *sides[0])
    for side in sides[1:]:
        found = tf.maximum(found, greatest(picture, *side))
    return found


def _like(side: int, diameter: int) -> int:
    """As even or odd as the diameter, so that all rectangles have one middle."""
    return min(diameter, side + (side - diameter) % 2)


def closed(picture: Picture, diameter: int) -> Picture:
    """What is darker than its surroundings and narrower than a disc becomes as light as they."""
    return -rounded(-rounded(picture, diameter), diameter)


def halved(picture: Picture) -> Picture:
    """Half the size; each pixel the mean of four."""
    return _pooled(picture, tf.nn.avg_pool2d)


def halved_to_greatest(picture: Picture) -> Picture:
    """Half the size; each pixel the greatest of four."""
    return _pooled(picture, tf.nn.max_pool2d)


def _pooled(picture: Picture, pool: Callable[..., tf.Tensor]) -> Picture:
    """Half the size; each pixel what `pool` makes of four."""
    return tf.transpose(_pooled_rows(tf.transpose(_pooled_rows(picture, pool)), pool))


def _pooled_rows(picture: Picture, pool: Callable[..., tf.Tensor]) -> Picture:
    height, width = picture.shape
    columns_as_channels = tf.reshape(picture, (1, height, 1, width))
    pooled = pool(columns_as_channels, (2, 1), (2, 1), "VALID")
    return tf.reshape(pooled, (height // 2, width))


def doubled(picture: Picture) -> Picture:
    """Twice the size; each pixel becomes four."""
    height, width = picture.shape
    spread = tf.reshape(picture, (height, 1, width, 1)) * tf.ones((1, 2, 1, 2))
    return tf.reshape(spread, (2 * height, 2 * width))


def between(rows: np.ndarray, picture: Picture) -> Picture:
    """rows @ picture @ rows.T, for a constant matrix of weights of a square picture's rows."""
    weights = tf.constant(rows, tf.float32)
    return tf.matmul(tf.matmul(weights, picture), weights, transpose_b=True)


def doubling(side: int, blur: int) -> np.ndarray:
    """Weights (2 side, side) that blur by a box of `blur` pixels and double, linearly between."""
    reach = blur // 2
    repeated = np.pad(np.eye(side), ((reach, reach), (0, 0)), "edge")
    blurred = np.mean([repeated[step : step + side] for step in range(2 * reach + 1)], axis=0)
    places = np.clip((np.arange(2 * side) + 0.5) / 2 - 0.5, 0, side - 1)
    before = np.minimum(places.astype(int), side - 2)
    share = (places - before)[:, np.newaxis]
    return np.asarray((1 - share) * blurred[before] + share * blurred[before + 1])


def above(picture: Picture | float, level: tf.Tensor | float) -> Picture:
    """1 where a pixel is above a level, otherwise 0."""
    return tf.cast(tf.greater(picture, level), tf.float32)


def shares(starts: tf.Tensor, step: tf.Tensor, count: int, side: int) -> tf.Tensor:
    """Weights (count, side) of area sampling: each of `count` new pixels is `step` old ones long.

    The first begins at `starts` (pixels from the edge). A step below one reads between pixels,
    linearly.
    """
    step = tf.reshape(step, (1, 1))
    length = tf.maximum(step, 1.0)
    middles = tf.reshape(starts, (1, 1)) + step * tf.constant(
        np.arange(count)[:, np.newaxis] + 0.5, tf.float32
    )
    first = tf.constant(np.arange(side)[np.newaxis], tf.float32)
    stop = tf.minimum(middles + length / 2, first + 1)
    return tf.maximum(stop - tf.maximum(middles - length / 2, first), 0) / length

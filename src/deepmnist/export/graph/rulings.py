"""Rule lines and form boxes taken out of strokes, as deepmnist.rulings does it, without fitting.

On a picture of half size, every level line through each row in SLOPES directions is looked up at
once, block by block of its columns; upright lines are level ones of the picture turned over. Its
length, its ends and what touches it are judged for every line, and those that are rulings are drawn
back. A lookup is a depthwise convolution with one 1 a channel. This module knows no digits.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import tensorflow as tf

from deepmnist import images, rulings
from deepmnist.export.graph import bands, components, pixels
from deepmnist.export.graph.bands import Edges
from deepmnist.export.graph.pixels import Picture

BLOCK = 4  # columns that are looked up as one
SLOPES = 9  # from -STEEPEST to STEEPEST rows a column: a row apart at a line's end
COVERED = 0.5  # of a line's blocks, at least, hold a piece of a ruling
THICKEST = 7  # pixels: what is so thick is no ruling
TOUCH = 2  # pixels: what is so near to a trace touches it
GAP = 7  # pixels: strokes that crossed a ruling are joined across so many

Pair: TypeAlias = tf.Tensor  # float32 (2, side, side): a picture, and the same turned over
Lines: TypeAlias = tf.Tensor  # float32 (2, side, SLOPES, 1): something of the line through each row


def gone(strokes: Picture, width: tf.Tensor, edges: Edges) -> Picture:
    """1 where rulings are to be taken out of strokes; what crosses them is spared.

    `width` is that of the strokes, in pixels of this picture.
    """
    met = _looked_up(_blocks(_runs(_paired(strokes))))
    start, stop, found = _placed(met, edges)
    trace = _drawn(start, stop, found)
    rest = strokes * (1 - _both(trace))
    tall = tf.reduce_sum(tf.reduce_max(rest, axis=1)) >= rulings.LEAST_REST * width
    found *= _passing(start, stop, _touching(trace, rest), width, edges) * tf.cast(tall, tf.float32)
    taken = _drawn(start, stop, found)
    rest = _paired(strokes * (1 - _both(taken)))
    joined = _turned(pixels.tallest(_turned(pixels.tallest(rest, GAP)), 3))
    joined = -_turned(pixels.tallest(_turned(pixels.tallest(-joined, GAP)), 3))
    return _both(taken) * (1 - _both(joined * taken))


def _paired(picture: Picture) -> Pair:
    return tf.stack([picture, tf.transpose(picture)])


def _both(pair: Pair) -> Picture:
    return tf.maximum(pair[0], tf.transpose(pair[1]))


def _turned(pair: Pair) -> Pair:
    return tf.transpose(pair, (0, 2, 1))


def _runs(pair: Pair) -> Pair:
    """What runs level for a segment and is not thick; a row wider, above and below."""
    segment = round(images.RULING * rulings.SEGMENT * pair.shape[1])
    wider = pixels.tallest(pair, 3)
    level = _turned(pixels.tallest(-pixels.tallest(-_turned(wider), segment), segment))
    around = THICKEST  # rows of paper, or a ruling along the border would be thick
    padded = tf.pad(wider, ((0, 0), (around, around), (0, 0)))
    thickest = THICKEST + 2
    blots = pixels.tallest(-pixels.tallest(-padded, thickest), thickest)[:, around:-around]
    return level * (1 - blots)


# ---- looking lines up ---------------------------------------------------------------------------


def _shifts(side: int) -> np.ndarray:
    """Rows down from a line's middle to where it is in each block, int (SLOPES, blocks)."""
    slopes = np.linspace(-rulings.STEEPEST, rulings.STEEPEST, SLOPES)
    middles = np.arange(side // BLOCK) * BLOCK + (BLOCK - side) / 2
    return np.rint(slopes[:, np.newaxis] * middles).astype(int)


def _kernel(shifts: np.ndarray) -> tf.Tensor:
    """One channel for each slope and block, which takes what is `shifts` rows further down."""
    most, flat = int(np.abs(shifts).max()), shifts.ravel()
    kernel = np.zeros((2 * most + 1, 1, len(flat), 1), np.float32)
    kernel[most + flat, 0, np.arange(len(flat)), 0] = 1
    return tf.constant(kernel)


def _blocks(pair: Pair) -> tf.Tensor:
    """(2, side, blocks): the greatest of each block's columns."""
    _, height, side = pair.shape
    turned = tf.reshape(_turned(pair), (2, side, 1, height))
    pooled = tf.nn.max_pool2d(turned, (BLOCK, 1), (BLOCK, 1), "VALID")
    return _turned(tf.reshape(pooled, (2, side // BLOCK, height)))


def _looked_up(blocks: tf.Tensor) -> tf.Tensor:
    """(2, side, SLOPES, blocks): what each line meets in each block."""
    _, side, count = blocks.shape
    rows = tf.reshape(tf.concat([blocks] * SLOPES, axis=2), (2, side, 1, SLOPES * count))
    met = tf.nn.depthwise_conv2d(rows, _kernel(_shifts(side)), (1, 1, 1, 1), "SAME")
    return tf.reshape(met, (2, side, SLOPES, count))


def _drawn(start: Lines, stop: Lines, found: Lines) -> Pair:
    """1 where the lines found are, from start to stop (blocks)."""
    _, side, _, _ = found.shape
    count = side // BLOCK
    inside = tf.reshape(_span(start, stop) * found, (2, side, 1, SLOPES * count))
    traces = tf.nn.depthwise_conv2d(inside, _kernel(-_shifts(side)), (1, 1, 1, 1), "SAME")
    blocks = tf.reduce_max(tf.reshape(traces, (2, side, SLOPES, count)), axis=2)
    spread = tf.reshape(blocks, (2, side, count, 1)) * tf.ones((1, 1, 1, BLOCK))
    return tf.reshape(spread, (2, side, side))


def _span(start: Lines, stop: Lines) -> tf.Tensor:
    """(2, side, SLOPES, blocks): 1 in the blocks from start to stop."""
    count = start.shape[1] // BLOCK
    middles = tf.constant(np.arange(count) + 0.5, tf.float32)
    return tf.nn.relu(tf.sign(middles - start) * tf.sign(stop - middles))


# ---- which lines are rulings --------------------------------------------------------------------


def _placed(met: tf.Tensor, edges: Edges) -> tuple[Lines, Lines, Lines]:
    """Start, stop (blocks) and 1 for lines that are long and end where a ruling may.

    That is: run all across; or have both ends at the border or on another line; or lie near the
    border and have one end there.
    """
    _, side, _, count = met.shape
    start, stop = _ends(met)
    lengths = count * (edges[:, 1] - edges[:, 0])  # of the picture's sides, in blocks
    long = pixels.above(stop - start, images.RULING * tf.reduce_min(lengths) - 0.5)
    long *= pixels.above(tf.reduce_sum(met, axis=3, keepdims=True), COVERED * (stop - start))
    long *= _longest(long * (stop - start))
    ends = _looked_up(_endings(_drawn(start, stop, long), edges)) * met
    places = tf.constant(np.arange(count), tf.float32)
    first, last = (_flag(far * met, ends) for far in (count - places, places + 1))
    fits = tf.maximum(first * last, tf.maximum(first, last) * _near_edge(side, edges))
    whole = pixels.above(stop - start, tf.reshape(rulings.WHOLE * lengths, (2, 1, 1, 1)))
    return start, stop, long * tf.maximum(fits, whole)


def _longest(lengths: Lines) -> Lines:
    """1 for lines as long as any near them: others leave a ruling's thickness at a slant."""
    _, side, _, _ = lengths.shape
    rows = tf.reshape(tf.reduce_max(lengths, axis=2), (2, side, 1))
    most = tf.reshape(pixels.tallest(rows, THICKEST), (2, side, 1, 1))
    return pixels.above(lengths, most - 1.5)


def _near_edge(side: int, edges: Edges) -> Lines:
    """1 for lines in the outer part of the picture."""
    across = tf.reverse(edges, axis=[0])  # level lines are near an edge by their row
    first, stop = across[:, :1], across[:, 1:]
    middle = (tf.constant((np.arange(side) + 0.5)[np.newaxis] / side, tf.float32) - first) / (
        stop - first
    )
    near = pixels.above(rulings.EDGE_ZONE, tf.minimum(middle, 1 - middle))
    return tf.reshape(near, (2, side, 1, 1))


def _ends(met: tf.Tensor) -> tuple[Lines, Lines]:
    """The first block a line meets a ruling in, and the one after the last."""
    count = met.shape[3]
    places = tf.constant(np.arange(count), tf.float32)
    start = count - tf.reduce_max(met * (count - places), axis=3, keepdims=True)
    return start, tf.reduce_max(met * (places + 1), axis=3, keepdims=True)


def _endings(crossing: Pair, edges: Edges) -> tf.Tensor:
    """(2, side, blocks): 1 where a ruling may well end: at the border, or on a line across."""
    border = bands.strip(edges, crossing.shape[1], rulings.BORDER, 1)
    across = _turned(tf.reverse(crossing, axis=[0]))
    wide = _turned(pixels.tallest(_turned(across), 1 + 2 * rulings.BEND))
    return _blocks(tf.maximum(wide, _paired(border)))


def _flag(far: tf.Tensor, flag: tf.Tensor) -> Lines:
    """The flag (0 or 1) of the block where `far`, in whole numbers, is greatest."""
    greatest = tf.reduce_max(2 * far + flag, axis=3, keepdims=True)
    return greatest - 2 * tf.floor(greatest / 2)


def _touching(trace: Pair, rest: Picture) -> list[Pair]:
    """How far to the left and right what touches a trace reaches, on all its thickness."""
    near = [pixels.tallest(reach, 1 + 2 * TOUCH) * trace for reach in components.reaches(rest)]
    return [pixels.tallest(reach, 1 + 2 * THICKEST) * trace for reach in near]


def _passing(
    start: Lines, stop: Lines, touching: list[Pair], margin: tf.Tensor, edges: Edges
) -> Lines:
    """1 for each line that goes on past all that touches it by a margin (pixels), at both ends.

    The margin is the writing's stroke width: the bar of a 7 ends where its stem does.
    """
    side, span = start.shape[1], _span(start, stop)
    first, last = (_looked_up(_blocks(reach)) for reach in touching)
    left, right = (tf.reduce_max(each * span, axis=3, keepdims=True) for each in (first, last))
    limits = tf.reshape(edges * side, (2, 1, 1, 2))
    begin = tf.maximum(BLOCK * start, limits[..., :1])
    end = tf.minimum(BLOCK * stop, limits[..., 1:])
    past_left = pixels.above(side - begin - margin, left - 0.5)
    return past_left * pixels.above(end - margin, right - 0.5)

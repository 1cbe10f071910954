"""Connected strokes in the graph are OpenCV's; frames and specks are told from digits."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from deepmnist.export.graph import components

SIDE = 64
WHOLE = tf.constant([[0.0, 1.0], [0.0, 1.0]])


def mask_of(seed: int) -> np.ndarray:
    """Curved strokes, some of which cross."""
    draw, mask = np.random.default_rng(seed), np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(4):
        points = np.cumsum(draw.integers(-14, 15, (6, 2)), axis=0) + draw.integers(8, 56, 2)
        cv2.polylines(mask, [points.astype(np.int32)], False, 1, int(draw.integers(1, 4)))
    return mask


def labels_of(mask: np.ndarray) -> np.ndarray:
    return components.labelled(tf.constant(mask, tf.float32)).numpy().reshape(mask.shape)


@pytest.mark.parametrize("seed", range(20))
def test_strokes_are_connected_as_opencv_connects_them(seed: int) -> None:
    mask = mask_of(seed)
    found, (count, expected) = labels_of(mask), cv2.connectedComponents(mask, connectivity=8)
    pairs = set(zip(found[mask > 0].tolist(), expected[mask > 0].tolist(), strict=True))
    assert len(pairs) == count - 1
    assert not found[mask == 0].any()


def test_a_stroke_in_the_first_corner_is_one_of_its_own() -> None:
    """Paper is numbered 0, and so is the first pixel."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:8] = mask[30:40, 20:30] = 1
    labels = labels_of(mask)
    assert len(np.unique(labels)) == 3


def digit_of(mask: np.ndarray) -> np.ndarray:
    given = tf.constant(mask, tf.float32)
    return components.digit(given, given, WHOLE).numpy()


def test_specks_and_frames_are_no_digit() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:44, 28:34] = 1
    digit = mask.copy()
    mask[10:12, 50:52] = 1  # a speck
    mask[:, :4] = 1  # an edge
    np.testing.assert_array_equal(digit_of(mask), digit)


def test_where_only_specks_would_remain_the_frame_is_kept() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, :4] = 1
    mask[30:32, 30:32] = 1
    kept = digit_of(mask)
    assert kept[:, :4].all()
    assert not kept[30, 30]


def test_how_far_strokes_reach_is_told_for_columns_and_for_rows() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[10:20, 5:9] = 1
    first, last = (each.numpy() for each in components.reaches(tf.constant(mask, tf.float32)))
    assert (SIDE - first[0, 12, 6], last[0, 12, 6]) == (5, 9)
    assert (SIDE - first[1, 6, 12], last[1, 6, 12]) == (10, 20)
    assert not first[0, 30, 30]

"""Connected strokes and their boxes are OpenCV's own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deepmnist.connected import AREA, HEIGHT, LEFT, TOP, WIDTH, components

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@settings(deadline=None)
@given(MASKS)
def test_labels_and_boxes_are_those_that_opencv_counts(mask: NDArray[np.bool_]) -> None:
    labels, boxes = components(mask)
    _, wanted, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    np.testing.assert_array_equal(labels, wanted)
    np.testing.assert_array_equal(boxes[1:], stats[1:])
    assert not boxes[0].any()


@settings(deadline=None)
@given(MASKS)
def test_a_turned_mask_has_turned_boxes(mask: NDArray[np.bool_]) -> None:
    boxes, turned = components(mask)[1], components(mask.T)[1]
    order = [TOP, LEFT, HEIGHT, WIDTH, AREA]
    assert sorted(boxes[:, order].tolist()) == sorted(turned.tolist())


@pytest.mark.parametrize("density", [0.02, 0.5, 0.98])
def test_a_large_mask_has_the_boxes_that_opencv_counts(density: float) -> None:
    mask = np.random.default_rng(0).random((200, 317)) < density
    stats = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    np.testing.assert_array_equal(components(mask)[1][1:], stats[1:])

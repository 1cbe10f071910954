"""Strokes in the graph: the threshold is OpenCV's, medians and widths are what they are called."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from deepmnist.export.graph import strokes


def darkness_of(seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    levels = draw.normal(0.05, 0.02, (128, 128))
    levels[40:90, 50:62] = draw.normal(draw.uniform(0.3, 0.9), 0.05, (50, 12))
    return levels.clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
def test_otsu_s_threshold_is_opencv_s(seed: int) -> None:
    darkness = darkness_of(seed)
    found = strokes._otsu(strokes.histogram(tf.constant(darkness)))
    eight_bits = np.floor(darkness * 255 + 0.5).astype(np.uint8)
    expected = cv2.threshold(eight_bits, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    assert round(float(found) * 255) == expected


def test_strokes_are_found_and_noise_is_not() -> None:
    found = strokes.found(tf.constant(darkness_of(0)), 4).numpy()
    assert found[40:90, 50:62].all()
    assert found.sum() == 600
    noise = np.random.default_rng(0).normal(0.2, 0.1, (128, 128)).clip(0, 1)
    assert not strokes.found(tf.constant(noise, tf.float32), 4).numpy().any()


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90])
@pytest.mark.parametrize("width", [4, 8, 12])
def test_a_band_is_as_wide_as_it_is_whatever_its_slant(angle: float, width: int) -> None:
    rows, columns = np.mgrid[-64:64, -64:64] + 0.5
    across = rows * np.cos(np.radians(angle)) + columns * np.sin(np.radians(angle))
    band = tf.constant(np.abs(across) < width / 2, tf.float32)
    assert float(strokes.width(band)) == pytest.approx(width, rel=0.2)


def test_the_median_of_a_histogram() -> None:
    levels = np.random.default_rng(0).random((128, 128), np.float32) ** 2
    found = strokes.median(strokes.histogram(tf.constant(levels)))
    assert float(found) == pytest.approx(np.median(levels), abs=1 / 255)


def test_no_strokes_have_no_width() -> None:
    assert float(strokes.width(tf.zeros((128, 128)))) == 0

"""Digits drawn by code in one plain hand, and a predictor that reads them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import images

Grey = NDArray[np.uint8]

HEIGHT, WIDTH = 48, 34  # pixels of a digit, the width at most
PEN = 5
FONT, SCALE = cv2.FONT_HERSHEY_SIMPLEX, 2.1


def write(page: Grey, text: str, left: int, top: int, gap: int = 18, ink: int = 40) -> None:
    """Draw digits into a page, left to right, each WIDTH and the gap after the one before."""
    for mark in text:
        cv2.putText(page, mark, (left - 3, top + HEIGHT - 2), FONT, SCALE, ink, PEN, cv2.LINE_AA)
        left += WIDTH + gap


def page(*lines: str, gap: int = 18, paper: int = 220, ink: int = 40) -> Grey:
    """A page of lines, with room around them."""
    width = 120 + max(map(len, lines)) * (WIDTH + gap)
    picture = np.full((80 + len(lines) * (HEIGHT + 40), width), paper, np.uint8)
    for number, line in enumerate(lines):
        write(picture, line, 60, 60 + number * (HEIGHT + 40), gap, ink)
    return picture


class PlainHandPredictor:
    """Knows this hand's digits by the nearest of them; far from all it is unsure."""

    class_names = tuple("0123456789")

    def __init__(self) -> None:
        known = np.stack([images.prepare(page(mark)) for mark in self.class_names])
        self.known = self._soft(known / 255.0)

    def predict_proba(self, given: NDArray[np.uint8 | np.floating]) -> NDArray[np.float32]:
        levels = given / (255.0 if given.dtype == np.uint8 else 1.0)
        off = ((self._soft(levels)[:, np.newaxis] - self.known) ** 2).sum(axis=2)
        least = off.min(axis=1, keepdims=True)
        weights = np.exp(least - off)
        certainty = np.clip(1.6 - least / 40, 0.02, 1)
        sure = weights / weights.sum(axis=1, keepdims=True)
        return (certainty * sure + (1 - certainty) / 10).astype(np.float32)

    @staticmethod
    def _soft(levels: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.stack([cv2.GaussianBlur(each, (0, 0), 1).ravel() for each in levels])

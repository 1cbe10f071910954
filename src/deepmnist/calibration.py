"""Calibration: one temperature, fitted on validation images, that makes probabilities honest.

Dividing logits by a temperature changes no answer, only how sure it sounds. Guo et al., "On
Calibration of Modern Neural Networks", 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TEMPERATURES = (0.05, 20.0)  # a fit that wants more than this has a broken model behind it


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """The temperature that minimises the cross-entropy of logits (n, classes) with labels (n,)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows = np.arange(len(labels))

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return float(-log_softmax(scaled, axis=1)[rows, labels].mean())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(cross_entropy, bounds=(low, high), method="bounded").x))

"""A first layer that needs no learning: edges in evenly spaced directions.

Nets that read images learn such filters first (Krizhevsky et al., 2012); given them from the start
the layer needs no gradient, nor does anything before it, which leaves out a third of a small net's
step. They read digits as well as learned ones do (docs/experiments.md).
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

WIDTH = 1.0  # of the Gaussian, pixels: a pen's stroke is two to three wide
LENGTH = 0.5  # of each filter, as a vector: its answers stay near those of drawn weights


@keras.saving.register_keras_serializable("deepmnist")
class OrientedEdges(keras.initializers.Initializer):
    """Kernels (side, side, 1, n): a Gaussian's slope in each of n directions around the circle."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The kernels; the same at every call."""
        side, directions = shape[0], shape[-1]
        across = np.arange(side) - (side - 1) / 2
        angles = 2 * math.pi * np.arange(directions) / directions
        x, y = across[None, :, None], across[:, None, None]
        slopes = (x * np.cos(angles) + y * np.sin(angles)) * np.exp(-(x**2 + y**2) / (2 * WIDTH**2))
        kernels = LENGTH * slopes / np.linalg.norm(slopes, axis=(0, 1))
        return keras.ops.convert_to_tensor(kernels[:, :, None, :], dtype)

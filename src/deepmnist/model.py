"""Every architecture, each a function that reads top to bottom with the shape at the line's end.

Each returns a functional Keras model from `image`, float32 (n, 28, 28) with ink in 0..1, to
`logits`, float32 (n, classes). Probabilities, temperature and file formats belong to others.
Weights are drawn from `seed` alone, so that a configuration names its starting point.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import keras
from keras import layers, ops
from keras.initializers import Constant, HeNormal, TruncatedNormal

from deepmnist.contract import SIDE
from deepmnist.recipes import TrainingConfig

SEEDS_A_RUN = 1_000  # initializers and masks draw from seed * 1,000 upwards, one each


def build(config: TrainingConfig, classes: int, dtype: str = "float32") -> keras.Model:
    """The configured architecture with fresh weights; `dtype` is a Keras dtype policy's name."""
    image = keras.Input((SIDE, SIDE), name="image")  # (n, 28, 28)
    seeds = itertools.count(config.seed * SEEDS_A_RUN)
    logits = ARCHITECTURES[config.architecture](image, classes, config.dropout, seeds, dtype)
    return keras.Model(image, logits, name=config.architecture)


def tutorial(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """Deep MNIST, to the letter, but for its text's slip: the logits are the fourth layer's own.

    The text feeds the third layer's sums to the last ReLU and takes ReLU's outputs for logits, so
    that no class could ever score below zero; here the readout is linear, as its figures imply.
    """

    def weights() -> dict[str, object]:
        kernel = TruncatedNormal(stddev=0.1, seed=next(seeds))
        return {"kernel_initializer": kernel, "bias_initializer": Constant(0.1)}

    def convolution(filters: int, name: str) -> keras.Layer:
        shape = {"filters": filters, "kernel_size": 5, "padding": "same", "activation": "relu"}
        return layers.Conv2D(**shape, **weights(), dtype=dtype, name=name)

    x = ops.expand_dims(image, -1)  # (n, 28, 28, 1)
    x = convolution(32, "conv1")(x)  # (n, 28, 28, 32)
    x = layers.MaxPooling2D(dtype=dtype, name="pool1")(x)  # (n, 14, 14, 32)
    x = convolution(64, "conv2")(x)  # (n, 14, 14, 64)
    x = layers.MaxPooling2D(dtype=dtype, name="pool2")(x)  # (n, 7, 7, 64)
    x = ops.reshape(x, (-1, 7 * 7 * 64))  # (n, 3136)
    x = layers.Dense(1_024, "relu", **weights(), dtype=dtype, name="dense")(x)  # (n, 1024)
    x = layers.Dropout(dropout, seed=next(seeds), dtype=dtype, name="dropout")(x)  # (n, 1024)
    return layers.Dense(classes, **weights(), dtype="float32", name="logits")(x)  # (n, classes)


def fast(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """The least that reads 99 of 100: two pixels of margin go, since MNIST's digits fill 20."""
    middle = image[:, 2:-2, 2:-2]  # (n, 24, 24)
    return _pooled(middle, (16, 32, 64), classes, dropout, seeds, dtype)


def balanced(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """The same on the whole image, twice as wide."""
    return _pooled(image, (32, 64, 128), classes, dropout, seeds, dtype)


def _pooled(
    image: keras.KerasTensor,
    widths: tuple[int, int, int],
    classes: int,
    dropout: float,
    seeds: Iterator[int],
    dtype: str,
) -> keras.KerasTensor:
    """Few, wide operations: on a processor each small one costs more to start than to compute.

    Pooling before the activation gives the same values and leaves ReLU a quarter of the work.
    Shapes for an image of side s = 28, and for one of s = 24.
    """

    def weights() -> HeNormal:
        return HeNormal(seed=next(seeds))

    first, second, third = widths
    x = ops.expand_dims(image, -1)  # (n, s, s, 1)
    x = layers.Conv2D(first, 5, kernel_initializer=weights(), dtype=dtype, name="conv1")(x)
    x = layers.MaxPooling2D(dtype=dtype, name="pool1")(x)  # (n, 12, 12, first), (n, 10, 10, first)
    x = layers.ReLU(dtype=dtype, name="relu1")(x)
    x = layers.Conv2D(second, 3, kernel_initializer=weights(), dtype=dtype, name="conv2")(x)
    x = layers.MaxPooling2D(dtype=dtype, name="pool2")(x)  # (n, 5, 5, second), (n, 4, 4, second)
    x = layers.ReLU(dtype=dtype, name="relu2")(x)
    x = ops.reshape(x, (-1, math.prod(x.shape[1:])))  # (n, 25 * second), (n, 16 * second)
    x = layers.Dense(third, "relu", kernel_initializer=weights(), dtype=dtype, name="dense")(x)
    x = layers.Dropout(dropout, seed=next(seeds), dtype=dtype, name="dropout")(x)  # (n, third)
    return layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name="logits")(x)


ARCHITECTURES: dict[str, Callable[..., keras.KerasTensor]] = {
    "balanced": balanced,
    "fast": fast,
    "tutorial": tutorial,
}

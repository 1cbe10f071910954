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
from keras.initializers import Constant, HeNormal, Initializer, TruncatedNormal

from deepmnist.contract import SIDE
from deepmnist.edges import OrientedEdges
from deepmnist.normalization import FusedNormalization
from deepmnist.recipes import TrainingConfig

SEEDS_A_RUN = 1_000  # layers are seeded from seed * 1,000 upwards, one each


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
    """The least that reads 99 of 100.

    Two pixels of margin go, since MNIST's digits fill 20. The first layer is given, not learned, so
    the way back ends at the second.
    """
    x = _edges(image, dtype, margin=2, side=5, directions=8)  # (n, 10, 10, 8)
    x = layers.ReLU(dtype=dtype, name="relu1")(x)
    x = _convolution(48, 3, HeNormal(seed=next(seeds)), dtype, "conv2", use_bias=True)(x)
    x = layers.MaxPooling2D(dtype=dtype, name="pool2")(x)  # (n, 4, 4, 48)
    x = layers.ReLU(dtype=dtype, name="relu2")(x)
    return _readout(_flat(x), 64, classes, dropout, seeds, dtype)


def balanced(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """Edges again, twice as many, of all but a margin; where each begins to count is learned."""
    x = _edges(image, dtype, margin=1, side=3, directions=16)  # (n, 12, 12, 16)
    x = _rectified(x, 1, dtype)
    x = _block(x, 64, 3, 2, seeds, dtype)  # (n, 5, 5, 64)
    return _readout(_flat(x), 128, classes, dropout, seeds, dtype)


def accurate(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """Two convolutions more, each where a pooling has made the picture small."""
    x = _four_convolutions(image, (32, 32, 48, 96), seeds, dtype)  # (n, 5, 5, 96)
    return _readout(_flat(x), 96, classes, dropout, seeds, dtype)


def wide(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """More channels and twice the work: a little better where many such nets are averaged."""
    x = _four_convolutions(image, (32, 64, 64, 128), seeds, dtype)  # (n, 5, 5, 128)
    return _readout(_flat(x), 128, classes, dropout, seeds, dtype)


def windows(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """As many convolutions, narrower, and four looks at what they found.

    The dense layer looks through a window that misses a row and a column of the last picture, at
    each corner, and its four answers are averaged: four views that share all before.
    """
    x = _four_convolutions(image, (16, 32, 48, 64), seeds, dtype)  # (n, 5, 5, 64)
    kernel = HeNormal(seed=next(seeds))
    dense = {"activation": "relu", "kernel_initializer": kernel, "name": "dense"}
    x = layers.Conv2D(64, 4, **dense, dtype=dtype)(x)  # (n, 2, 2, 64)
    x = layers.GlobalAveragePooling2D(dtype=dtype, name="windows")(x)  # (n, 64)
    return _logits(x, classes, dropout, seeds, dtype)


def reader(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """Three convolutions, each twice as wide as the one before: the model that goes along."""
    x = ops.expand_dims(image, -1)  # (n, 28, 28, 1)
    x = _block(x, 32, 5, 1, seeds, dtype)  # (n, 12, 12, 32)
    x = _block(x, 64, 3, 2, seeds, dtype)  # (n, 5, 5, 64)
    x = _block(x, 128, 3, 3, seeds, dtype, pool=False)  # (n, 5, 5, 128)
    return _readout(_flat(x), 96, classes, dropout, seeds, dtype)


def tiny(
    image: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """Depth without weights: two kernels, each used three times over, with a way around each use.

    Every use has a normalisation of its own, which is all that sets them apart. The readout is told
    the mean of each quarter of the picture, since where a stroke lies tells what it is.
    """
    x = ops.expand_dims(image, -1)  # (n, 28, 28, 1)
    x = _convolution(16, 5, HeNormal(seed=next(seeds)), dtype, "conv1")(x)
    x = layers.MaxPooling2D(dtype=dtype, name="pool1")(x)  # (n, 12, 12, 16)
    x = _normalised(x, dtype, "stem")
    x = _refined(x, 3, next(seeds), dtype, "coarse")  # (n, 12, 12, 16)
    x = layers.MaxPooling2D(dtype=dtype, name="pool2")(x)  # (n, 6, 6, 16)
    x = _refined(x, 3, next(seeds), dtype, "fine")  # (n, 6, 6, 16)
    x = _convolution(14, 1, HeNormal(seed=next(seeds)), dtype, "mix")(x)
    x = _normalised(x, dtype, "mixed")  # (n, 6, 6, 14)
    x = layers.AveragePooling2D(3, dtype=dtype, name="quarters")(x)  # (n, 2, 2, 14)
    return _logits(_flat(x), classes, dropout, seeds, dtype)


def _edges(
    image: keras.KerasTensor, dtype: str, *, margin: int, side: int, directions: int
) -> keras.KerasTensor:
    """A first layer that is given: edges in so many directions, each the strongest of four places.

    Filters are of `side` pixels; `margin` pixels at each border go unseen. Pooling before the
    activation gives the same values and leaves what follows a quarter of the work.
    """
    middle = ops.expand_dims(image[:, margin:-margin, margin:-margin], -1)
    edges = _convolution(directions, side, OrientedEdges(), dtype, "edges")
    edges.trainable = False
    return layers.MaxPooling2D(dtype=dtype, name="pool1")(edges(middle))


def _four_convolutions(
    image: keras.KerasTensor, widths: tuple[int, int, int, int], seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    first, second, third, last = widths
    x = ops.expand_dims(image, -1)  # (n, 28, 28, 1)
    x = _block(x, first, 5, 1, seeds, dtype)  # (n, 12, 12, first)
    x = _block(x, second, 3, 2, seeds, dtype, pool=False)  # (n, 12, 12, second)
    x = _block(x, third, 3, 3, seeds, dtype)  # (n, 5, 5, third)
    return _block(x, last, 3, 4, seeds, dtype, pool=False)  # (n, 5, 5, last)


def _refined(
    x: keras.KerasTensor, times: int, seed: int, dtype: str, name: str
) -> keras.KerasTensor:
    """One 3x3 convolution applied `times` over, each time added to what it was given."""
    convolution = _convolution(x.shape[-1], 3, HeNormal(seed), dtype, name, padding="same")
    for use in range(1, times + 1):
        found = _normalised(convolution(x), dtype, f"{name}{use}")
        x = layers.Add(dtype=dtype, name=f"{name}{use}_sum")([x, found])
    return x


def _normalised(x: keras.KerasTensor, dtype: str, name: str) -> keras.KerasTensor:
    """Normalisation and SiLU, which a small net uses better than ReLU."""
    x = FusedNormalization(dtype=dtype, name=f"{name}_norm")(x)
    return layers.Activation("silu", dtype=dtype, name=f"{name}_silu")(x)


def _block(
    x: keras.KerasTensor,
    filters: int,
    side: int,
    number: int,
    seeds: Iterator[int],
    dtype: str,
    pool: bool = True,
) -> keras.KerasTensor:
    """Convolution, normalisation, ReLU; pooled, what follows is a quarter of the work.

    Without pooling the picture keeps its size.
    """
    kernel, padding = HeNormal(seed=next(seeds)), "valid" if pool else "same"
    x = _convolution(filters, side, kernel, dtype, f"conv{number}", padding)(x)
    if pool:
        x = layers.MaxPooling2D(dtype=dtype, name=f"pool{number}")(x)
    return _rectified(x, number, dtype)


def _rectified(x: keras.KerasTensor, number: int, dtype: str) -> keras.KerasTensor:
    """Normalisation and ReLU."""
    x = FusedNormalization(dtype=dtype, name=f"norm{number}")(x)
    return layers.ReLU(dtype=dtype, name=f"relu{number}")(x)


def _convolution(
    filters: int,
    side: int,
    kernel: Initializer,
    dtype: str,
    name: str,
    padding: str = "valid",
    use_bias: bool = False,
) -> keras.Layer:
    return layers.Conv2D(
        filters,
        side,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=kernel,
        dtype=dtype,
        name=name,
    )


def _flat(x: keras.KerasTensor) -> keras.KerasTensor:
    """(n, h, w, c) -> (n, h * w * c), every size named, so that no file computes it again."""
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))


def _readout(
    x: keras.KerasTensor,
    width: int,
    classes: int,
    dropout: float,
    seeds: Iterator[int],
    dtype: str,
) -> keras.KerasTensor:
    """A dense layer, then logits."""
    kernel = HeNormal(seed=next(seeds))
    x = layers.Dense(width, "relu", kernel_initializer=kernel, dtype=dtype, name="dense")(x)
    return _logits(x, classes, dropout, seeds, dtype)


def _logits(
    x: keras.KerasTensor, classes: int, dropout: float, seeds: Iterator[int], dtype: str
) -> keras.KerasTensor:
    """Dropout, then logits that start at zero and stay in float32."""
    x = layers.Dropout(dropout, seed=next(seeds), dtype=dtype, name="dropout")(x)
    return layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name="logits")(x)


ARCHITECTURES: dict[str, Callable[..., keras.KerasTensor]] = {
    "accurate": accurate,
    "balanced": balanced,
    "fast": fast,
    "reader": reader,
    "tiny": tiny,
    "tutorial": tutorial,
    "wide": wide,
    "windows": windows,
}

"""The two layers that see a batch as a whole, for a worker that holds only its share of one.

Normalisation takes its statistics over all workers' images, dropout draws for all of them: so what
a net learns does not depend on how many workers there are. A net is copied with these in place of
its own for training alone; what is saved is the plain one.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from deepmnist.normalization import EPSILON, KEPT, FusedNormalization
from deepmnist.workers import Share, Workers


def synchronized(net: keras.Model, workers: Workers) -> keras.Model:
    """A copy of `net`, weights and names included, that trains on shares as on whole batches."""

    def copied(layer: Any) -> Any:
        if isinstance(layer, FusedNormalization):
            return SynchronizedNormalization(workers, **layer.get_config())
        if isinstance(layer, keras.layers.Dropout):
            return SharedDropout(**layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(net, clone_function=copied)
    copy.set_weights(net.get_weights())
    return copy


class SynchronizedNormalization(FusedNormalization):
    """FusedNormalization whose statistics are of all workers' images."""

    def __init__(self, workers: Workers, **settings: Any) -> None:
        super().__init__(**settings)
        self.workers = workers

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The normalised inputs, same shape; `training` only within workers.run."""
        if not training:
            return super().call(inputs, training=False)
        mean, variance, unbias = self._statistics(tf.cast(inputs, tf.float32))
        scale = tf.math.rsqrt(variance + EPSILON)
        shift = self.offset.value - mean * scale
        self.mean.assign(KEPT * self.mean.value + (1 - KEPT) * mean)
        self.variance.assign(KEPT * self.variance.value + (1 - KEPT) * unbias * variance)
        return tf.cast(tf.cast(inputs, tf.float32) * scale + shift, inputs.dtype)

    def _statistics(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mean and variance of each channel, and what makes the latter the fused one's."""
        sums = tf.reduce_sum(values, (0, 1, 2)), tf.reduce_sum(tf.square(values), (0, 1, 2))
        n = tf.cast(tf.size(values[..., 0]), tf.float32)
        total, squares, n = self.workers.summed([*sums, n])
        mean = total / n
        return mean, tf.maximum(squares / n - tf.square(mean), 0.0), n / tf.maximum(n - 1.0, 1.0)


class SharedDropout(keras.layers.Dropout):
    """Dropout whose mask is drawn for the whole batch, of which this worker's share is used.

    In training it must have been told the `share` that its inputs are.
    """

    share: Share

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The inputs, in training some of them zero and the others scaled."""
        if not training:
            return inputs
        ones = tf.ones((self.share.total, *inputs.shape[1:]), inputs.dtype)
        return inputs * self.share.of(super().call(ones, training=True))

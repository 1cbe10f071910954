"""Batch normalisation by TensorFlow's one fused operation.

Keras' own layer spells it out in a dozen small operations, which on a processor take a third of a
step; the fused one takes next to nothing (docs/experiments.md). No scale is learned: where a ReLU
and another layer's weights follow, those scale as well; `tiny`, of SiLU, has no weights to spare.
Statistics are those of the batch at hand; where several workers share it, synchronized.py takes
them over all of it.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

EPSILON = 1e-3  # added to the variance
KEPT = 0.9  # share of the running statistics that a step leaves as they are


@keras.saving.register_keras_serializable("deepmnist")
class FusedNormalization(keras.layers.Layer):
    """Mean zero and deviation one for each channel of (n, h, w, c), then a learned offset.

    In training the statistics are the batch's; otherwise the running ones, of the steps so far.
    The output has the inputs' dtype; offset and statistics are float32.
    """

    def build(self, shape: Any) -> None:
        """Make the offset and the running statistics."""
        channels = (shape[-1],)
        exact = {"shape": channels, "autocast": False}  # float32, whatever the layer computes in
        self.offset = self.add_weight(**exact, initializer="zeros", name="offset")
        self.mean = self.add_weight(**exact, initializer="zeros", trainable=False, name="mean")
        self.variance = self.add_weight(
            **exact, initializer="ones", trainable=False, name="variance"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The normalised inputs, same shape."""
        if not training:
            return self._by_running_statistics(inputs)
        ones = tf.ones(inputs.shape[-1])
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, ones, self.offset.value, epsilon=EPSILON
        )
        self.mean.assign(KEPT * self.mean.value + (1 - KEPT) * mean)
        self.variance.assign(KEPT * self.variance.value + (1 - KEPT) * variance)
        return outputs

    def compute_output_shape(self, shape: Any) -> Any:
        """The inputs' shape."""
        return shape

    def factor_and_term(self) -> tuple[Any, Any]:
        """What it comes to after training: each channel times the one, then plus the other.

        Both float32 (c,); the factors are positive.
        """
        factor = tf.math.rsqrt(self.variance.value + EPSILON)
        return factor, self.offset.value - self.mean.value * factor

    def _by_running_statistics(self, inputs: Any) -> Any:
        factor, term = self.factor_and_term()
        return inputs * tf.cast(factor, inputs.dtype) + tf.cast(term, inputs.dtype)

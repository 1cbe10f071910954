"""Muon: momentum whose direction is made orthogonal, for kernels; Adam for everything else.

A kernel's update is its Nesterov momentum with all singular values brought near one, so that no
direction is starved (Jordan et al., "Muon: an optimizer for hidden layers", 2024). Biases and the
readout, `logits`, have no such structure to use and take Adam's update.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# The quintic a x + b x^3 + c x^5 whose repeats pull every singular value towards one (same source).
QUINTIC = (3.4445, -4.7750, 2.0315)
REPEATS = 3  # enough here: five gave no better accuracy, and cost as much again
TINY = 1e-14


class Muon(keras.optimizers.Optimizer):
    """Muon for kernels at `kernel_rate` times the learning rate, Adam for the rest."""

    def __init__(
        self,
        learning_rate: Any,
        kernel_rate: float,
        momentum: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name="muon")
        self.kernel_rate, self.momentum = kernel_rate, momentum
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: list[Any]) -> None:
        """Make the slots: a momentum for each kernel, two moments for each other variable."""
        if self.built:
            return
        super().build(variables)
        self.means, self.squares = [], []
        for variable in variables:
            self.means.append(self._slot(variable, "mean"))
            needs_square = not _is_kernel(variable)
            self.squares.append(self._slot(variable, "square") if needs_square else None)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One update of one variable, by its kind."""
        place = self._get_variable_index(variable)
        mean, square = self.means[place], self.squares[place]
        rate = tf.cast(learning_rate, tf.float32)
        if square is None:
            variable.assign_sub(self._kernel_step(gradient, self.kernel_rate * rate, mean))
        else:
            self._adam_step(gradient, variable, rate, mean, square)

    def _slot(self, variable: Any, name: str) -> Any:
        return self.add_variable_from_reference(variable, name=name)

    def _kernel_step(self, gradient: Any, rate: Any, mean: Any) -> Any:
        mean.assign(self.momentum * mean.value + gradient)
        ahead = gradient + self.momentum * mean.value  # Nesterov's look
        rows, columns = math.prod(ahead.shape[:-1]), ahead.shape[-1]
        return orthogonal(ahead, rate * math.sqrt(max(1.0, columns / rows)))

    def _adam_step(self, gradient: Any, variable: Any, rate: Any, mean: Any, square: Any) -> None:
        """TensorFlow's one operation for it: twenty small ones take longer to trace and to run."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.value.handle,
            v=square.value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def orthogonal(kernel: tf.Tensor, scale: Any = 1.0) -> tf.Tensor:
    """`kernel`, read as a matrix of its inputs by its outputs, with singular values near `scale`.

    Each repeat multiplies the matrix by a polynomial of its Gram matrix. All of these commute, so
    that the repeats are done with Gram matrices, which are small, and the large one is met twice:
    the norm that it is divided by, and the scale, are left to the small ones too.
    """
    matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
    tall = matrix.shape[0] > matrix.shape[1]
    gram = tf.matmul(matrix, matrix, transpose_a=tall, transpose_b=not tall)
    square = tf.linalg.trace(gram) + TINY  # of the norm
    gram = gram / square
    factor = _factor(gram)
    product = factor
    for _ in range(REPEATS - 1):
        gram = tf.matmul(tf.matmul(factor, gram), factor)
        factor = _factor(gram)
        product = tf.matmul(factor, product)
    product = product * (scale * tf.math.rsqrt(square))
    matrix = tf.matmul(matrix, product) if tall else tf.matmul(product, matrix)
    return tf.reshape(matrix, kernel.shape)


def _factor(gram: tf.Tensor) -> tf.Tensor:
    """By which a matrix is multiplied to take its singular values through QUINTIC."""
    a, b, c = QUINTIC
    identity = np.eye(gram.shape[0], dtype=np.float32)  # a constant: tf.eye is five operations
    return a * identity + tf.matmul(gram, b * identity + c * gram)


def _is_kernel(variable: Any) -> bool:
    return len(variable.shape) > 1 and not variable.path.startswith("logits/")

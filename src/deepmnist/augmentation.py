"""Changes to images used in training only: one affine resample a batch, inside the graph.

Every draw is a function of (seed, step) and the image's place in the batch, so that a resumed run
sees the same images. Digits are never mirrored: a mirrored 2 is no digit.
"""

from __future__ import annotations

import math

import tensorflow as tf

from deepmnist.contract import SIDE
from deepmnist.recipes import TrainingConfig
from deepmnist.workers import Share

CENTRE = (SIDE - 1) / 2


def augment(
    images: tf.Tensor, seed: tf.Tensor, config: TrainingConfig, share: Share | None = None
) -> tf.Tensor:
    """Rotate, scale, shear and shift each image by its own draw, with one bilinear resample.

    images: float (n, 28, 28), paper 0. seed: int32 (2,). Outside the picture is paper. share: which
    part of their batch the images are, so that each gets the draw of its place there.
    """
    n = tf.shape(images)[0] if share is None else share.total
    draws = tf.random.stateless_uniform((n, 6), seed, -1.0, 1.0)
    draws = draws if share is None else share.of(draws)
    matrices = _matrices(draws, config)
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images[..., None],
        transforms=matrices,
        output_shape=tf.constant([SIDE, SIDE]),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return warped[..., 0]


def _matrices(draws: tf.Tensor, config: TrainingConfig) -> tf.Tensor:
    """Projective transforms (n, 8), from output to input pixels, of uniform draws (n, 6)."""
    angle = draws[:, 0] * math.radians(config.rotation_deg)
    width = 1 + draws[:, 1] * config.scale
    height = 1 + draws[:, 2] * config.scale
    shear = draws[:, 3] * config.shear
    a, b = tf.cos(angle) / width, (shear - tf.sin(angle)) / width
    c, d = tf.sin(angle) / height, tf.cos(angle) / height
    across = CENTRE - a * CENTRE - b * CENTRE + draws[:, 4] * config.shift_px
    down = CENTRE - c * CENTRE - d * CENTRE + draws[:, 5] * config.shift_px
    zeros = tf.zeros_like(a)
    return tf.stack([a, b, across, c, d, down, zeros, zeros], axis=1)

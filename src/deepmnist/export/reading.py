"""The exported reader of one digit: from a grey picture to an answer, in one LiteRT file.

The graph holds the input contract itself, so that a phone, a browser and a server run the same
steps and none writes them again: docs/input-contract.md, "As one graph". All operations are
LiteRT's own. How a picture comes to have 256 x 256 pixels is canvas.py's part, before the graph.
"""

from __future__ import annotations

from typing import TypeAlias

import keras
import tensorflow as tf

from deepmnist import canvas
from deepmnist.contract import INK, SIDE
from deepmnist.errors import BundleError, ConfigError
from deepmnist.export import functions, litert
from deepmnist.export.graph import bands, components, paper, pixels, placing, rulings, strokes

DIGITS = 10
GRAIN = 4  # pixels: the canvas may be a small picture, enlarged, whose neighbours differ little

Answer: TypeAlias = dict[str, tf.Tensor]


def convert(net: keras.Model, temperature: float, threshold: float) -> bytes:
    """A .tflite file with one signature; `reader` tells what goes in, comes out and is refused."""
    return litert.converted(reader(net, temperature, threshold))


def reader(
    net: keras.Model, temperature: float, threshold: float, half: bool = False
) -> functions.Function:
    """The reader as a TensorFlow function.

    `picture` uint8 (1, 256, 256), grey, as canvas.of makes it -> `probabilities` float32 (1, 10),
    `confidence` float32 (1,) in 0..1, `accepted` bool (1,), `seen` uint8 (1, 28, 28).

    The net takes float32 (n, 28, 28) in 0..1 and gives logits (n, 10), or (n, 11) of which the last
    is for what is no digit. Confidence is the probability that it is a digit times the highest
    probability, and 0 where nothing is written; accepted is what has `threshold` or more and is
    written. half: the weights are stored in float16. BundleError for a net of other classes;
    ConfigError for a temperature that is not above 0 or a threshold outside 0..1.
    """
    _check(net, temperature, threshold)
    answer = functions.frozen(net, half)

    @tf.function(
        input_signature=[tf.TensorSpec((1, canvas.SIDE, canvas.SIDE), tf.uint8, name="picture")],
        autograph=False,
    )
    def read(picture: tf.Tensor) -> Answer:
        image = prepared(tf.cast(tf.reshape(picture, picture.shape[1:]), tf.float32))
        logits = answer(tf.reshape(image / INK, (1, SIDE, SIDE)))
        written = tf.cast(tf.reduce_max(image) > 0, tf.float32)
        probabilities, confidence = _judged(logits / temperature, written)
        return {
            "probabilities": probabilities,
            "confidence": confidence,
            "accepted": (confidence >= threshold) & (written > 0),
            "seen": tf.cast(tf.reshape(image, (1, SIDE, SIDE)), tf.uint8),
        }

    return read


def prepared(picture: tf.Tensor) -> tf.Tensor:
    """What images.prepare makes of grey levels, float32 (256, 256), in 0..255: float32 (28, 28)."""
    light = paper.light(pixels.halved(picture))  # 128 x 128, as all that follows unless it says so
    half = pixels.halved(light)  # 64 x 64
    rough = strokes.found(paper.rough_darkness(half), GRAIN // 2)
    darkness = paper.darkness(light, half, 2 * strokes.width(rough))
    inked = strokes.found(darkness, GRAIN)
    blocks = pixels.halved_to_greatest(inked)  # 64 x 64
    edges = bands.edges(picture)
    gone = rulings.gone(blocks, strokes.width(inked) / 2, edges)
    digit = components.digit(blocks * (1 - gone), pixels.halved(inked), edges)
    mask = inked * pixels.doubled(digit)
    levels = strokes.levels(darkness, mask) * (1 - pixels.doubled(gone))
    return placing.image(levels, mask, strokes.width(mask))


def _judged(logits: tf.Tensor, written: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    probabilities = tf.nn.softmax(logits[:, :DIGITS])
    confidence = tf.reduce_max(probabilities, axis=1) * written
    if logits.shape[1] > DIGITS:
        confidence *= 1 - tf.nn.softmax(logits)[:, DIGITS]
    return probabilities, confidence


def _check(net: keras.Model, temperature: float, threshold: float) -> None:
    classes = net.output_shape[-1]
    if classes not in (DIGITS, DIGITS + 1):
        raise BundleError(
            f"the net tells {classes} classes apart; the one-graph reader takes 10 digits, or 11 "
            "of which the last is no digit: give it a model trained on digits"
        )
    if not temperature > 0 or not 0 <= threshold <= 1:
        raise ConfigError(
            f"temperature {temperature} and threshold {threshold} were given; a temperature is "
            "above 0 and a threshold within 0..1"
        )

"""The tutorial as it was published: a graph, a session, a feed a step, through tf.compat.v1.

    python -m benchmarks.tutorial_v1 [--seed 0] [--steps 5000]

The yardstick of every training time. Data are in memory before the clock starts; the clock holds
the building of the graph and all steps; one line of JSON is printed at the end. The loop is kept
as it was: the next 50 images of a shuffled epoch go in as floats through feed_dict, and every 100
steps the accuracy of the batch is taken, as the text does. Only the last layer is not the text's,
which has a slip there (deepmnist.model.tutorial tells it) and would not learn.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import terminal

STEPS, BATCH = 5_000, 50
REPORT_EVERY = 100  # steps


def main(
    seed: Annotated[int, typer.Option(help="Of weights and order.")] = 0,
    steps: Annotated[int, typer.Option(help="Updates.")] = STEPS,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds mnist/.")] = None,
) -> None:
    """Train, test, print {"train_seconds", "test_correct", "test_n"}."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow.compat.v1 as tf

    from deepmnist.data import load, split_validation

    corpus = load("mnist", data_dir)
    training, _ = split_validation(corpus.training_part)
    images, labels = _floats(training)
    test_images, test_labels = _floats(corpus.test_part)
    started = time.perf_counter()
    tf.disable_eager_execution()
    net = _net(tf, seed)
    with tf.Session() as session:
        _train(session, tf, net, images, labels, seed, steps)
        seconds = time.perf_counter() - started
        correct = _correct(session, net, test_images, test_labels)
    result = {"seed": seed, "steps": steps, "train_seconds": seconds}
    print(json.dumps({**result, "test_correct": correct, "test_n": len(test_images)}))


def _floats(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 (n, 784) in 0..1 and one-hot labels float32 (n, 10), as the loader gave."""
    pixels = np.asarray(dataset.images, np.float32).reshape(len(dataset), 784) / 255
    return pixels, np.eye(10, dtype=np.float32)[dataset.required_labels()]


def _net(tf: Any, seed: int) -> dict[str, Any]:
    tf.set_random_seed(seed)
    image = tf.placeholder(tf.float32, [None, 784])
    target = tf.placeholder(tf.float32, [None, 10])
    keep = tf.placeholder(tf.float32)

    def weights(*shape: int) -> Any:
        return tf.Variable(tf.truncated_normal(shape, stddev=0.1))

    def bias(size: int) -> Any:
        return tf.Variable(tf.constant(0.1, shape=[size]))

    def layer(x: Any, *shape: int) -> Any:
        sums = tf.nn.conv2d(x, weights(*shape), strides=[1, 1, 1, 1], padding="SAME")
        hidden = tf.nn.relu(sums + bias(shape[-1]))
        return tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

    x = layer(tf.reshape(image, [-1, 28, 28, 1]), 5, 5, 1, 32)
    x = tf.reshape(layer(x, 5, 5, 32, 64), [-1, 7 * 7 * 64])
    x = tf.nn.relu(tf.matmul(x, weights(7 * 7 * 64, 1_024)) + bias(1_024))
    x = tf.nn.dropout(x, rate=1 - keep)
    logits = tf.matmul(x, weights(1_024, 10)) + bias(10)
    losses = tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits)
    right = tf.equal(tf.argmax(logits, 1), tf.argmax(target, 1))
    return {
        "image": image,
        "target": target,
        "keep": keep,
        "step": tf.train.AdamOptimizer(1e-4).minimize(tf.reduce_mean(losses)),
        "accuracy": tf.reduce_mean(tf.cast(right, tf.float32)),
        "correct": tf.reduce_sum(tf.cast(right, tf.int32)),
    }


def _train(
    session: Any,
    tf: Any,
    net: dict[str, Any],
    images: np.ndarray,
    labels: np.ndarray,
    seed: int,
    steps: int,
) -> None:
    session.run(tf.global_variables_initializer())
    generator = np.random.default_rng(seed)
    per_epoch = len(images) // BATCH
    for step in range(steps):
        if step % per_epoch == 0:
            order = generator.permutation(len(images))
        rows = order[step % per_epoch * BATCH :][:BATCH]
        feed = {net["image"]: images[rows], net["target"]: labels[rows]}
        if step % REPORT_EVERY == 0:
            session.run(net["accuracy"], {**feed, net["keep"]: 1.0})
        session.run(net["step"], {**feed, net["keep"]: 0.5})


def _correct(session: Any, net: dict[str, Any], images: np.ndarray, labels: np.ndarray) -> int:
    found = 0
    for start in range(0, len(images), 1_000):
        rows = slice(start, start + 1_000)
        feed = {net["image"]: images[rows], net["target"]: labels[rows], net["keep"]: 1.0}
        found += int(session.run(net["correct"], feed))
    return found


if __name__ == "__main__":
    terminal.run(main)

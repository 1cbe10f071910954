"""What happens inside the graph: the update, the chunk of updates, the forward pass.

Traced once for a run: a chunk takes any number of batches of one size. Draws come from
(seed, update number), the number being the optimiser's own counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from deepmnist.augmentation import augment
from deepmnist.batches import Plan
from deepmnist.contract import SIDE
from deepmnist.gradients import gradient_of
from deepmnist.recipes import TrainingConfig
from deepmnist.teaching import Teacher
from deepmnist.workers import ALONE, Share, Workers, share_of

DROPOUT_STREAM = 1_000_003  # keeps dropout's draws apart from augmentation's
SHORT = 500  # steps, in which what TensorFlow's graph optimiser saves does not pay for itself

Chunk = Callable[[Any, Any], tf.Tensor]


@keras.saving.register_keras_serializable("deepmnist")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """The rate rises in a line to `peak` over a share `warmup` of `steps`, then falls to zero."""

    def __init__(self, peak: float, steps: int, warmup: float) -> None:
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step: Any) -> Any:
        """The rate of update `step`, counted from 0."""
        done = (keras.ops.cast(step, "float32") + 0.5) / self.steps
        rising = done / max(self.warmup, 0.5 / self.steps)
        falling = (1.0 - done) / (1.0 - self.warmup)
        return self.peak * keras.ops.minimum(rising, falling)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


def compile_chunk(
    net: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    config: TrainingConfig,
    plan: Plan,
    classes: int,
    teacher: Teacher | None = None,
    workers: Workers = ALONE,
) -> Chunk:
    """A function of images uint8 (k, n, 28, 28) and labels (k, n): losses float32 (k,).

    n is this worker's share of a batch; a loss is the mean over all of the batch. teacher: what it
    answers to the images that `net` sees is config.teaching of each target.
    """
    dropouts = [layer for layer in net.layers if isinstance(layer, keras.layers.Dropout)]
    alone = workers.count == 1
    gradient = gradient_of(net, classes, divisible=alone and plan.smallest > 1)

    def slopes(images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        """The batch's loss, and its gradient by each variable; the same on every worker."""
        step = tf.cast(optimizer.iterations, tf.int32)
        own = None if alone else share_of(_batch_size(plan, step), workers)
        _pin(dropouts, config.seed, step, own)
        pixels = tf.cast(images, tf.float32) / 255.0
        if config.augments:
            seed = tf.stack([config.seed, step])
            pixels = augment(pixels, seed, config, own)
        targets = _targets(labels, classes, config.label_smoothing)
        if teacher is not None:
            targets = _taught(targets, teacher.answer(pixels, config.seed, step), config)
        total = tf.shape(images)[0] if own is None else own.total
        return workers.summed(gradient(pixels, targets, tf.cast(total, tf.float32)))

    def update(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        loss, *gradients = workers.run(slopes, images, labels)
        _apply(optimizer, gradients, net.trainable_variables)
        return loss

    def chunk(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        count = tf.shape(images)[0]

        def body(i: tf.Tensor, losses: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            return i + 1, losses.write(i, update(images[i], labels[i]))

        empty = tf.TensorArray(tf.float32, size=count)
        _, losses = tf.while_loop(lambda i, _: i < count, body, (0, empty))
        return losses.stack()

    size = plan.batch_size if alone and not plan.warmup else None
    graph = _graph(chunk, (None, size, SIDE, SIDE), (None, size))
    return _taken_as_it_is(graph) if plan.steps < SHORT else graph


def compile_logits(net: keras.Model) -> Callable[[Any], tf.Tensor]:
    """A function of images uint8 (n, 28, 28): logits float32 (n, classes)."""

    def logits(images: tf.Tensor) -> tf.Tensor:
        return net(tf.cast(images, tf.float32) / 255.0, training=False)

    return _graph(logits, (None, SIDE, SIDE))


def _graph(function: Callable[..., tf.Tensor], *shapes: tuple[int | None, ...]) -> Any:
    """`function` of uint8 tensors, traced once. AutoGraph, which cannot read Python 3.13, is off.

    TensorFlow warns where one piece of code is traced often, as an ensemble's members must be; a
    partial stands for itself.
    """
    signature = [tf.TensorSpec(shape, tf.uint8) for shape in shapes]
    return tf.function(partial(function), input_signature=signature, autograph=False)


def _taken_as_it_is(graph: Chunk) -> Chunk:
    """`graph` without TensorFlow's graph optimiser, whose first pass takes a tenth of a second."""

    def call(images: Any, labels: Any) -> tf.Tensor:
        with _no_graph_optimiser():
            return graph(images, labels)

    return call


@contextmanager
def _no_graph_optimiser() -> Iterator[None]:
    """Off, and afterwards as it was: the setting is the whole process's."""
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _apply(
    optimizer: keras.optimizers.Optimizer, gradients: list[tf.Tensor], variables: list[Any]
) -> None:
    """One update, as optimizer.apply makes it of gradients that are the whole batch's already.

    That would sum them once more through a gradient function, which TensorFlow keeps for as long as
    the process lives, and with it the graph of every net ever trained (tensorflow issue 97697).
    """
    rate = optimizer.learning_rate
    for gradient, variable in zip(gradients, variables, strict=True):
        optimizer.update_step(gradient, variable.value, rate)
    optimizer.iterations.assign_add(1)


def _batch_size(plan: Plan, step: tf.Tensor) -> tf.Tensor:
    """Images in the batch of update `step`, on all workers together."""
    return tf.where(step < plan.warmup, plan.warmup_size, plan.batch_size)


def _pin(
    dropouts: list[keras.layers.Dropout], seed: int, step: tf.Tensor, own: Share | None
) -> None:
    """Make each layer's next mask a function of (seed, layer, step), whatever drew before.

    One that serves a worker among several is told which share of the mask is its `own`.
    """
    for place, layer in enumerate(dropouts, start=1):
        if own is not None:
            layer.share = own
        if layer.rate > 0:
            stream = (seed + DROPOUT_STREAM * place) % 2**31
            layer.seed_generator.state.assign(tf.cast(tf.stack([stream, step]), tf.uint32))


def _targets(labels: tf.Tensor, classes: int, smoothing: float) -> tf.Tensor:
    others = smoothing / classes
    return tf.one_hot(labels, classes, 1.0 - smoothing + others, others)


def _taught(targets: tf.Tensor, logits: tf.Tensor, config: TrainingConfig) -> tf.Tensor:
    """`targets` (n, classes) and the probabilities of a teacher's logits, each its share."""
    thought = tf.nn.softmax(tf.cast(logits, tf.float32) / config.teacher_temperature)
    return (1.0 - config.teaching) * targets + config.teaching * thought

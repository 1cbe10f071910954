"""train(training, validation, config): one compiled chunk of steps, called until the run is done.

The host gathers a chunk's images as bytes; the graph normalises, augments, steps. All randomness is
a function of (seed, step), so a run continued from a checkpoint is the run itself, bit for bit, on
the same kind of machine and with as many threads. Where runs live on disk, what a bundle is and how
progress is drawn belong to others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from deepmnist import batches, ensemble, joint, model, stopping
from deepmnist.checkpoints import Checkpoint
from deepmnist.data.dataset import Dataset
from deepmnist.devices import resolve_precision
from deepmnist.errors import ConfigError, RunError, TrainingError
from deepmnist.muon import Muon
from deepmnist.recipes import TrainingConfig
from deepmnist.steps import OneCycle, compile_chunk, compile_logits
from deepmnist.synchronized import synchronized
from deepmnist.teaching import Teacher
from deepmnist.workers import ALONE, Workers, check_shares, share_of

LONGEST = 1_000_000  # steps between them at most; an epoch's end comes before, in most sets
CHUNK_S = 0.25  # seconds of steps between two looks at the keyboard and the progress bar
SAVE_EVERY_S = 30.0  # seconds between checkpoints
VALIDATION_BATCH = 250  # images: larger ones are no faster, and set the peak of memory


@dataclass(frozen=True)
class Progress:
    """What a chunk of steps came to. Validation figures are there at the end of an epoch."""

    step: int
    epoch: float
    loss: float  # mean over the chunk, nats
    learning_rate: float
    images_per_second: float
    train_seconds: float
    validation_accuracy: float | None = None
    validation_loss: float | None = None  # nats


@dataclass(frozen=True)
class Trained:
    """A finished training: the float32 model, what ran and what it took."""

    model: keras.Model
    config: TrainingConfig  # with the precision that really ran
    plan: batches.Plan  # of one net: each member of an ensemble has as many steps
    train_seconds: float  # building, tracing and steps; validation and checkpoints not included
    validation_logits: NDArray[np.float32]  # (n, classes)


Observer = Callable[[Progress], None]
Saver = Callable[[Checkpoint], None]
Begin = Callable[[batches.Plan, int], None]


class Training:
    """One net's training, from its first step or a checkpoint, to its last.

    All state is in variables; a teacher's are not among them, since they never change.
    """

    def __init__(
        self,
        training: Dataset,
        validation: Dataset,
        config: TrainingConfig,
        teacher: Teacher | None = None,
        weights: Sequence[NDArray[np.float32]] | None = None,
        workers: Workers = ALONE,
    ) -> None:
        """A training at its first step. ConfigError where `config` wants a teacher and has none.

        weights: of an earlier net of the same architecture, as Keras lists them, to go on from.
        workers: those that share each batch; ConfigError where it has fewer images than they are.
        """
        if config.teaching and teacher is None:
            raise ConfigError(
                f"teaching = {config.teaching:g}: no teacher was given; give one, or teaching=0"
            )
        started = time.perf_counter()
        self.training = training
        self.validation = validation
        self.labels = training.required_labels()
        self.config = replace(config, precision=resolve_precision(config.precision))
        self.plan = batches.plan(config, len(training))
        self.workers = workers
        check_shares(self.plan.smallest, workers)
        classes = len(training.class_names)
        plain = model.build(self.config, classes, self.config.precision)
        if weights is not None:
            plain.set_weights(weights)
        self.net = plain if workers.count == 1 else synchronized(plain, workers)
        self.optimizer = _optimizer(self.config, self.plan.steps)
        self.optimizer.build(self.net.trainable_variables)
        self.chunk = compile_chunk(
            self.net, self.optimizer, self.config, self.plan, classes, teacher, workers
        )
        self.train_seconds = time.perf_counter() - started
        self.float32_net = _float32_twin(plain, self.config, classes)
        self.logits = compile_logits(self.float32_net)
        self._validated: tuple[int, NDArray[np.float32]] | None = None  # step, logits of it

    @property
    def step(self) -> int:
        """Updates made so far: the graph's own counter, from which an interrupt cannot part it."""
        return int(self.optimizer.iterations.numpy())

    @property
    def variables(self) -> list[Any]:
        """Every variable of the run, in a fixed order: weights, statistics, optimiser slots."""
        return [*self.net.variables, *self.optimizer.variables]

    def checkpoint(self) -> Checkpoint:
        """The whole state. TrainingError where a weight is no finite number."""
        arrays = [variable.numpy() for variable in self.variables]
        if not all(np.isfinite(array).all() for array in arrays):
            raise _diverged("a weight", self.step)
        return Checkpoint(self.step, self.train_seconds, arrays)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from `checkpoint` instead of the start. RunError where it is of another net."""
        own = [tuple(variable.shape) for variable in self.variables]
        if own != [array.shape for array in checkpoint.arrays]:
            raise RunError(
                f"the checkpoint of step {checkpoint.step} is of another net than "
                f"{self.config.architecture} is now; start a new run with --out"
            )
        for variable, value in zip(self.variables, checkpoint.arrays, strict=True):
            variable.assign(value)
        self.train_seconds += checkpoint.train_seconds

    def advance(self, count: int) -> Progress:
        """Make `count` updates that are alike. TrainingError where a loss is no finite number."""
        started, first = time.perf_counter(), self.step
        rows = self.plan.rows(first, count)
        share = share_of(rows.shape[1], self.workers)
        own = rows[:, share.start : share.stop]
        losses = self.chunk(self.training.gather(own), self.labels[own]).numpy()
        elapsed = time.perf_counter() - started
        self.train_seconds += elapsed
        if not np.isfinite(losses).all():
            raise _diverged("the loss", first + int(np.argmin(np.isfinite(losses))) + 1)
        return Progress(
            step=first + count,
            epoch=(first + count) / self.plan.steps_per_epoch,
            loss=float(losses.mean()),
            learning_rate=_rate(self.optimizer, first + count - 1),
            images_per_second=rows.size / elapsed,
            train_seconds=self.train_seconds,
        )

    def validation_logits(self) -> NDArray[np.float32]:
        """Logits (n, classes) of the validation images, in float32 whatever training runs in.

        Of one step they are computed once.
        """
        if self._validated is None or self._validated[0] != self.step:
            if self.float32_net is not self.net:
                self.float32_net.set_weights(self.net.get_weights())
            self._validated = self.step, _all_logits(self.logits, self.validation)
        return self._validated[1]

    def validated(self, progress: Progress) -> Progress:
        """`progress` with the validation figures of this moment."""
        accuracy, loss = score(self.validation_logits(), self.validation.required_labels())
        return replace(progress, validation_accuracy=accuracy, validation_loss=loss)


def train(
    training: Dataset,
    validation: Dataset,
    config: TrainingConfig,
    observe: Observer = lambda progress: None,
    save: Saver = lambda checkpoint: None,
    start: Checkpoint | None = None,
    begin: Begin = lambda plan, step: None,
    teacher: Teacher | None = None,
    weights: Sequence[NDArray[np.float32]] | None = None,
    workers: Workers = ALONE,
) -> Trained:
    """Train one net of `config` on `training`, from `start` if given; return the finished model.

    `begin` is told the plan and the step it starts from, `observe` every chunk, about four times a
    second. `save` is given the state every 30 seconds, at the end, and when KeyboardInterrupt
    stops the run (which is raised again): Ctrl-C raises it between two chunks, not within one.
    `teacher` shares the targets as config.teaching says. `weights`, a net's of this architecture,
    are learnt on from instead of fresh ones. `workers` share each batch and call this with the
    same; each is given all that one alone would be. TrainingError where the loss or a weight is no
    finite number, RunError where `start` is of another net.
    """
    with stopping.deferred() as heed:
        run = Training(training, validation, config, teacher, weights, workers)
        if start is not None:
            run.restore(start)
        joint.check_alike(workers, run.checkpoint)
        begin(run.plan, run.step)
        try:
            _advance_to_end(run, observe, save, workers, heed)
        except KeyboardInterrupt:
            save(run.checkpoint())
            raise
        if start is None or start.step < run.step:
            save(run.checkpoint())
        return Trained(
            run.float32_net, run.config, run.plan, run.train_seconds, run.validation_logits()
        )


def average(trained: Sequence[Trained], config: TrainingConfig, validation: Dataset) -> Trained:
    """Finished members of `config`, of one plan, as one model; its seconds are all of theirs.

    It answers by the mean over members and views. A single net that sees one view stays as it is.
    """
    if len(trained) == config.views == 1:
        return trained[0]
    net = ensemble.average([each.model for each in trained], config.views)
    return Trained(
        model=net,
        config=replace(config, precision=trained[0].config.precision),
        plan=trained[0].plan,
        train_seconds=sum(each.train_seconds for each in trained),
        validation_logits=logits(net, validation, VALIDATION_BATCH // config.views),
    )


def _advance_to_end(
    run: Training, observe: Observer, save: Saver, workers: Workers, heed: Callable[[], None]
) -> None:
    count, saved = 1, time.monotonic()  # the first chunk is one step: it traces and compiles
    while run.step < run.plan.steps:
        heed()
        started = time.monotonic()
        progress = run.advance(min(count, run.plan.alike(run.step)))
        count = _next_count(count, time.monotonic() - started)
        if progress.step % run.plan.steps_per_epoch == 0 or progress.step == run.plan.steps:
            progress = run.validated(progress)
        observe(progress)
        due = time.monotonic() - saved > SAVE_EVERY_S
        count, due = joint.agreed(workers, count, due)
        if due:
            save(run.checkpoint())
            saved = time.monotonic()


def _next_count(count: int, elapsed: float) -> int:
    """Steps in the next chunk: towards CHUNK_S, at most four times the last, and LONGEST."""
    return max(1, min(4 * count, int(count * CHUNK_S / elapsed), LONGEST))


def _optimizer(config: TrainingConfig, steps: int) -> keras.optimizers.Optimizer:
    rate: Any = config.learning_rate
    if config.schedule == "one_cycle":
        rate = OneCycle(config.learning_rate, steps, config.warmup)
    moments = (config.beta_1, config.beta_2, config.epsilon)
    if config.optimizer == "muon":
        return Muon(rate, config.kernel_rate, config.momentum, *moments)
    return keras.optimizers.Adam(rate, *moments)


def _rate(optimizer: keras.optimizers.Optimizer, step: int) -> float:
    """The learning rate that update `step` (from 0) used."""
    schedule = optimizer._learning_rate  # Keras offers only the rate of the next update
    return float(schedule(step) if callable(schedule) else schedule.numpy())


def logits(
    net: keras.Model, dataset: Dataset, batch: int = VALIDATION_BATCH
) -> NDArray[np.float32]:
    """Logits (n, classes) of a set's images by a net that need not be in training."""
    return _all_logits(compile_logits(net), dataset, batch)


def _all_logits(
    logits: Callable[[Any], Any], dataset: Dataset, batch: int = VALIDATION_BATCH
) -> NDArray[np.float32]:
    """Logits (n, classes) of a set's images, `batch` at a time."""
    starts = range(0, len(dataset), batch)
    parts = (dataset.gather(slice(start, start + batch)) for start in starts)
    return np.concatenate([logits(part).numpy() for part in parts])


def _float32_twin(net: keras.Model, config: TrainingConfig, classes: int) -> keras.Model:
    """`net` where it is a float32 one already; else the same architecture in float32."""
    return net if config.precision == "float32" else model.build(config, classes)


def score(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> tuple[float, float]:
    """Accuracy and mean cross-entropy (nats) of logits (n, classes) against labels (n,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    own = np.take_along_axis(log_probabilities, labels[:, None].astype(np.int64), axis=1)
    return float((logits.argmax(axis=1) == labels).mean()), float(-own.mean())


def _diverged(what: str, step: int) -> TrainingError:
    return TrainingError(
        f"{what} is no finite number at step {step}; try a lower --learning-rate "
        "(the last good checkpoint is kept)"
    )

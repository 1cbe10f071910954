"""A run that is known whole, brought to its end: its teacher first, its nets, then the delivery.

members.py trains, one net after another, or cluster/members.py several at once; delivery.py tests
and writes. What was asked for and whether it may be is runs.py's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from deepmnist import (
    atomic,
    delivery,
    devices,
    display,
    joint,
    lock,
    members,
    recipes,
    runfolder,
    teaching,
)
from deepmnist.cluster import members as apart
from deepmnist.cluster.members import AtOnce
from deepmnist.data import Corpus, split_validation
from deepmnist.recipes import TrainingConfig
from deepmnist.runfolder import Result, RunRecord
from deepmnist.teaching import Teacher
from deepmnist.workers import Workers


@dataclass(frozen=True)
class Crew:
    """Who does a run, and who is told."""

    screen: display.Display
    workers: Workers  # that train each net together
    at_once: AtOnce | None = None  # or how members are trained beside each other


def complete(folder: Path, record: RunRecord, corpus: Corpus, crew: Crew) -> Result:
    """Bring the run to its end from wherever it is, and say how to go on where it is stopped.

    RunError where another command has the run.
    """
    again = f"deepmnist train --resume {folder}"
    advice = f"continue, on as many workers or others, with: {again}"
    try:
        with crew.workers.watched(advice), _held(folder, crew.workers):
            finished = finished_of_chief(crew.workers, folder)  # by who had it until now
            return finished or _run(folder, record, corpus, crew)
    except KeyboardInterrupt:
        crew.screen.message(f"Stopped. Continue with: {again}")
        raise


@contextmanager
def _held(folder: Path, workers: Workers) -> Iterator[None]:
    """The folder is this run's while it lasts: its chief's, who alone writes there.

    RunError, for all workers, where another command has it.
    """
    with ExitStack() as ours:
        joint.by_chief(workers, lambda: ours.enter_context(lock.held(folder)))
        yield


def _run(folder: Path, record: RunRecord, corpus: Corpus, crew: Crew) -> Result:
    """Train to the end from the newest checkpoint, if there is one; then test and write."""
    devices.prepare_gpus()
    joint.by_chief(crew.workers, lambda: _tidied(folder))
    teacher = _teacher(folder, record, corpus, crew)
    share = record.config.validation_share
    training_set, validation = split_validation(corpus.training_part, share)
    crew.screen.message(
        f"{record.config.recipe} on {corpus.name}: {len(training_set):,} training and "
        f"{len(validation):,} validation images, seed {record.config.seed}, in {folder}"
    )
    if crew.at_once and record.config.members > 1:
        teaches = _teacher_path(folder, record)
        apart.train(folder, record, training_set, validation, crew.at_once, crew.screen, teaches)
    trained = members.train(
        folder, record, training_set, validation, crew.screen, teacher, crew.workers
    )
    crew.screen.message("Testing, writing the model and the report")

    def deliver() -> Result:
        return delivery.deliver(folder, record, trained, validation, corpus, teacher)

    return joint.from_chief(crew.workers, deliver, runfolder.pack_result, runfolder.unpack_result)


def _tidied(folder: Path) -> None:
    """What a killed run left half-written goes; what its members left elsewhere comes home."""
    atomic.sweep(folder)
    apart.gather(folder)


def _teacher(folder: Path, record: RunRecord, corpus: Corpus, crew: Crew) -> Teacher | None:
    """The run's teacher: the model it was given, or the one it makes first, or none."""
    if record.config.teacher is None:
        return None
    precision = record.config.precision
    if record.teacher is not None:
        opened = teaching.find_again(record.teacher.path, record.teacher.sha256)
        return teaching.load(opened, precision)
    made = _make_teacher(folder / runfolder.TEACHER, record, corpus, crew)
    with joint.folder_of_chief(crew.workers, made.bundle) as place:
        opened = teaching.find(place, corpus.training_part.class_names)
        return teaching.load(opened, precision)


def _make_teacher(folder: Path, record: RunRecord, corpus: Corpus, crew: Crew) -> Result:
    """The teacher's run, complete in itself: begun, continued or found finished in `folder`.

    RunError where another command has it, who resumes it as a run of its own.
    """

    def begin() -> None:
        if not (folder / runfolder.RECORD).exists():
            config = with_precision(recipes.teacher(record.config))
            first = msgspec.structs.replace(record, config=config)
            runfolder.write_record(runfolder.claim(folder), first)

    with _held(folder, crew.workers):
        joint.by_chief(crew.workers, begin)
        finished = finished_of_chief(crew.workers, folder)
        own = record_of_chief(crew.workers, folder)
        return finished or _run(folder, own, corpus, crew)


def _teacher_path(folder: Path, record: RunRecord) -> Path | None:
    """The bundle that teaches, which is there by now."""
    if record.config.teacher is None:
        return None
    if record.teacher is None:
        return (folder / runfolder.TEACHER / runfolder.BUNDLE).resolve()
    return teaching.find_again(record.teacher.path, record.teacher.sha256).folder


def with_precision(config: TrainingConfig) -> TrainingConfig:
    """`config` with the number format that this machine trains in."""
    return replace(config, precision=devices.resolve_precision(config.precision))


def record_of_chief(workers: Workers, folder: Path) -> RunRecord:
    """What the run in the chief's `folder` was started as."""

    def unpack(content: bytes) -> RunRecord:
        return msgspec.json.decode(content, type=RunRecord)

    return joint.from_chief(
        workers, lambda: runfolder.read_record(folder), msgspec.json.encode, unpack
    )


def finished_of_chief(workers: Workers, folder: Path) -> Result | None:
    """What the run in the chief's `folder` came to, if it has ended."""

    def pack(result: Result | None) -> bytes:
        return runfolder.pack_result(result) if result else b""

    def unpack(content: bytes) -> Result | None:
        return runfolder.unpack_result(content) if content else None

    return joint.from_chief(workers, lambda: runfolder.read_result(folder), pack, unpack)

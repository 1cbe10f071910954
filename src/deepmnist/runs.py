"""A run from data to report: the teacher if it has one, the nets, then what is made of them.

Everything is left in one folder (runfolder.py says what is where). A run killed at any moment goes
on from there, to the same weights bit for bit. members.py trains, delivery.py tests and writes.
Several workers run the same lines; the folder is the chief's, and what is in it comes from there.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from deepmnist import (
    atomic,
    delivery,
    devices,
    display,
    joint,
    machine,
    members,
    recipes,
    runfolder,
    teaching,
)
from deepmnist.data import DEFAULT, SOURCES, Corpus, load, split_validation
from deepmnist.errors import DataNotFoundError, RunError
from deepmnist.recipes import TrainingConfig
from deepmnist.runfolder import Result, RunRecord, TeacherRecord
from deepmnist.teaching import Teacher
from deepmnist.workers import ALONE, Workers

HASH_SHOWN = 12  # letters, enough to tell two apart
FALLBACK_DATASET = "digits"


def train(
    dataset: str | Path | Corpus | None = None,
    recipe: str = recipes.DEFAULT_RECIPE,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    resize: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
    screen: display.Display | None = None,
    workers: Workers = ALONE,
    **overrides: Any,
) -> Result:
    """Train a recipe on a data set, test it once on the test set, and leave it all in `out`.

    dataset: a known name, a path, a Corpus, or None for MNIST, with the embedded digits standing
    in where MNIST cannot be had. out: a folder that holds nothing yet; runs/DATASET-RECIPE-TIME
    when None. overrides: fields of TrainingConfig, laid over the recipe; as `teacher` also the
    folder of a model that is there already. screen: where progress goes, if not to stderr. workers:
    those that train together; all call this, with the same, and the chief's `out` counts.

    ConfigError, DataError, RunError, StorageError and TrainingError say what was wrong with what.
    """
    screen = screen or _screen(quiet, workers)

    def ask() -> tuple[RunRecord, Corpus]:
        return _asked(dataset, recipe, data_dir, resize, tensorboard, overrides, screen)

    def claim() -> Path:
        folder = runfolder.claim(Path(out) if out else runfolder.default(corpus.name, recipe))
        runfolder.write_record(folder, record)
        return folder

    with workers.watched("start all of them again"):
        record, corpus = joint.prepared(workers, ask, _facts)
        folder = joint.from_chief(workers, claim, os.fsencode, lambda path: Path(os.fsdecode(path)))
    return _complete(folder, record, corpus, screen, workers)


def resume(
    folder: str | Path,
    corpus: Corpus | None = None,
    *,
    quiet: bool = False,
    screen: display.Display | None = None,
    workers: Workers = ALONE,
    **asked: Any,
) -> Result:
    """Continue the run in `folder` from its newest whole checkpoint to its end.

    corpus: needed where the run was started with one. asked: fields of TrainingConfig that the
    caller believes the run to have; as `teacher` also where a model that teaches it lies now.
    screen, workers: as for train; they need not be as many as before. The chief's `folder` counts.
    RunError where those, the data or the teacher differ from the run's own.
    """
    folder, asked = Path(folder), _spelled(asked)

    def take_up() -> tuple[RunRecord, Corpus | None]:
        return _taken_up(folder, record, finished, corpus, asked)

    with workers.watched("start all of them again"):
        record = _record_of_chief(workers, folder)
        finished = _finished(workers, folder)
        record, data = joint.prepared(workers, take_up, _facts)
    if finished is not None:
        return finished
    assert data is not None
    return _complete(folder, record, data, screen or _screen(quiet, workers), workers)


def _asked(
    dataset: str | Path | Corpus | None,
    recipe: str,
    data_dir: str | Path | None,
    resize: bool,
    tensorboard: bool,
    overrides: dict[str, Any],
    screen: display.Display,
) -> tuple[RunRecord, Corpus]:
    """A new run's record, complete, and its data."""
    config = recipes.configure(recipe, **_spelled(overrides))
    teaching.check(config)
    corpus, spec, fallback = _obtain(dataset, data_dir, resize, screen)
    config, teacher = _given_teacher(config, corpus, screen)
    record = RunRecord(
        dataset=spec,
        data_dir=str(Path(data_dir).resolve()) if data_dir else None,
        resize=resize,
        fallback=fallback,
        identity=corpus.training_part.identity,
        config=_with_precision(config),
        tensorboard=tensorboard,
        versions=machine.versions(),
        teacher=teacher,
    )
    return record, corpus


def _taken_up(
    folder: Path,
    record: RunRecord,
    finished: Result | None,
    corpus: Corpus | None,
    asked: dict[str, Any],
) -> tuple[RunRecord, Corpus | None]:
    """An old run's record, its teacher found, and its data where it is not finished."""
    record = _moved_teacher(record, asked)
    _refuse_other(folder, record.config, asked)
    if finished:
        return record, None
    corpus = corpus or _reload(folder, record)
    if corpus.training_part.identity != record.identity:
        raise RunError(f"{folder} was started on other data than {corpus.name} holds now")
    return record, corpus


def _screen(quiet: bool, workers: Workers) -> display.Display:
    """One worker shows what all do."""
    return display.choose(quiet or workers.index != joint.CHIEF)


def _facts(made: tuple[RunRecord, Corpus | None]) -> dict[str, str]:
    """What must be the same on all workers, by what to call it."""
    record, _ = made
    options = {name: str(value) for name, value in asdict(record.config).items()}
    teacher = record.teacher.sha256[:HASH_SHOWN] if record.teacher else "none"
    data = {"data of hash": record.identity[:HASH_SHOWN], "a teacher of hash": teacher}
    return {**machine.deciding_versions(), **options, **data}


def _record_of_chief(workers: Workers, folder: Path) -> RunRecord:
    def unpack(content: bytes) -> RunRecord:
        return msgspec.json.decode(content, type=RunRecord)

    def read() -> RunRecord:
        return runfolder.read_record(folder)

    return joint.from_chief(workers, read, msgspec.json.encode, unpack)


def _finished(workers: Workers, folder: Path) -> Result | None:
    """What the run in the chief's `folder` came to, if it has ended."""

    def pack(result: Result | None) -> bytes:
        return runfolder.pack_result(result) if result else b""

    def unpack(content: bytes) -> Result | None:
        return runfolder.unpack_result(content) if content else None

    return joint.from_chief(workers, lambda: runfolder.read_result(folder), pack, unpack)


def _obtain(
    dataset: str | Path | Corpus | None,
    data_dir: str | Path | None,
    resize: bool,
    screen: display.Display,
) -> tuple[Corpus, str | None, bool]:
    """The data, how to name it to load it again, and whether it only stands in for MNIST."""
    if isinstance(dataset, Corpus):
        return dataset, None, False
    where = Path(data_dir) if data_dir else None
    if dataset is not None:
        known = isinstance(dataset, str) and dataset in SOURCES  # also where a folder is so called
        name = str(dataset) if known else str(Path(dataset).resolve())
        return load(dataset, where, resize=resize), name, False
    try:
        return load(DEFAULT, where, resize=resize), DEFAULT, False
    except DataNotFoundError as reason:
        screen.warning(
            f"This run does NOT train on MNIST: it cannot be had.\n{reason}\n\n"
            f"It trains on '{FALLBACK_DATASET}' instead, 1,797 small scans that come with "
            "scikit-learn. The model records that."
        )
        return load(FALLBACK_DATASET), FALLBACK_DATASET, True


def _reload(folder: Path, record: RunRecord) -> Corpus:
    if record.dataset is None:
        raise RunError(
            f"{folder} was started from Python with a Corpus; resume it there, with the same one"
        )
    data_dir = Path(record.data_dir) if record.data_dir else None
    return load(record.dataset, data_dir, resize=record.resize)


def _refuse_other(folder: Path, config: TrainingConfig, asked: dict[str, Any]) -> None:
    wanted = recipes.configure(**{"recipe": config.recipe, **asked})
    asked_fields = {name: getattr(wanted, name) for name in asked}
    differing = recipes.difference(config, replace(config, **asked_fields))
    if differing:
        raise RunError(
            f"{folder} was started with another configuration: {differing}; "
            "resume it without these options, or start a new run with --out"
        )


def _with_precision(config: TrainingConfig) -> TrainingConfig:
    return replace(config, precision=devices.resolve_precision(config.precision))


def _spelled(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with paths as text, as a configuration holds them."""
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in values.items()
    }


def _given_teacher(
    config: TrainingConfig, corpus: Corpus, screen: display.Display
) -> tuple[TrainingConfig, TeacherRecord | None]:
    """`config` with its teacher's recipe in place of its folder; and which model that is."""
    if config.teacher is None or not teaching.is_path(config.teacher):
        return config, None
    opened = teaching.find(config.teacher, corpus.training_part.class_names)
    given = TeacherRecord(str(Path(config.teacher).resolve()), teaching.identity(opened))
    if teaching.may_know_validation(opened, corpus.training_part.identity, config):
        screen.warning(
            f"{config.teacher} was trained on these images with another part of them held out: it "
            "may know this run's validation images, whose accuracy then says too much."
        )
    return replace(config, teacher=teaching.recipe(opened)), given


def _moved_teacher(record: RunRecord, asked: dict[str, Any]) -> RunRecord:
    """The record with its teacher where `asked` says it is now, which then is asked no more."""
    place = asked.get("teacher")
    if record.teacher is None or place is None or place in recipes.RECIPES:
        return record
    del asked["teacher"]
    moved = TeacherRecord(str(Path(place).resolve()), record.teacher.sha256)
    teaching.find_again(moved.path, moved.sha256)
    return msgspec.structs.replace(record, teacher=moved)


def _complete(
    folder: Path, record: RunRecord, corpus: Corpus, screen: display.Display, workers: Workers
) -> Result:
    """Bring the run to its end from wherever it is, and say how to go on where it is stopped."""
    again = f"deepmnist train --resume {folder}"
    try:
        with workers.watched(f"continue, on as many workers or others, with: {again}"):
            return _run(folder, record, corpus, screen, workers)
    except KeyboardInterrupt:
        screen.message(f"Stopped. Continue with: {again}")
        raise


def _run(
    folder: Path, record: RunRecord, corpus: Corpus, screen: display.Display, workers: Workers
) -> Result:
    """Train to the end from the newest checkpoint, if there is one; then test and write."""
    devices.prepare_gpus()
    joint.by_chief(workers, lambda: atomic.sweep(folder))
    teacher = _teacher(folder, record, corpus, screen, workers)
    share = record.config.validation_share
    training_set, validation = split_validation(corpus.training_part, share)
    screen.message(
        f"{record.config.recipe} on {corpus.name}: {len(training_set):,} training and "
        f"{len(validation):,} validation images, seed {record.config.seed}, in {folder}"
    )
    net = teacher.net if teacher else None
    trained = members.train(folder, record, training_set, validation, screen, net, workers)
    screen.message("Testing, writing the model and the report")

    def deliver() -> Result:
        return delivery.deliver(folder, record, trained, validation, corpus, teacher)

    return joint.from_chief(workers, deliver, runfolder.pack_result, runfolder.unpack_result)


def _teacher(
    folder: Path, record: RunRecord, corpus: Corpus, screen: display.Display, workers: Workers
) -> Teacher | None:
    """The run's teacher: the model it was given, or the one it makes first, or none."""
    if record.config.teacher is None:
        return None
    precision = record.config.precision
    if record.teacher is not None:
        opened = teaching.find_again(record.teacher.path, record.teacher.sha256)
        return teaching.load(opened, precision)
    made = _make_teacher(folder / runfolder.TEACHER, record, corpus, screen, workers)
    with joint.folder_of_chief(workers, made.bundle) as place:
        opened = teaching.find(place, corpus.training_part.class_names)
        return teaching.load(opened, precision)


def _make_teacher(
    folder: Path, record: RunRecord, corpus: Corpus, screen: display.Display, workers: Workers
) -> Result:
    """The teacher's run, complete in itself: begun, continued or found finished in `folder`."""

    def begin() -> None:
        if not (folder / runfolder.RECORD).exists():
            config = _with_precision(recipes.teacher(record.config))
            first = msgspec.structs.replace(record, config=config)
            runfolder.write_record(runfolder.claim(folder), first)

    joint.by_chief(workers, begin)
    finished = _finished(workers, folder)
    own = _record_of_chief(workers, folder)
    return finished or _run(folder, own, corpus, screen, workers)

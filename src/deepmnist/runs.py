"""A run from data to report: the teacher if it has one, the nets, then what is made of them.

Everything is left in one folder (runfolder.py says what is where). A run killed at any moment goes
on from there, to the same weights bit for bit. members.py trains, delivery.py tests and writes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from deepmnist import (
    atomic,
    delivery,
    devices,
    display,
    machine,
    members,
    recipes,
    runfolder,
    teaching,
)
from deepmnist.cluster import members as apart
from deepmnist.cluster.members import AtOnce
from deepmnist.data import DEFAULT, SOURCES, Corpus, load, split_validation
from deepmnist.errors import ConfigError, DataNotFoundError, RunError
from deepmnist.recipes import TrainingConfig
from deepmnist.runfolder import Result, RunRecord, TeacherRecord
from deepmnist.teaching import Teacher

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
    at_once: AtOnce | None = None,
    **overrides: Any,
) -> Result:
    """Train a recipe on a data set, test it once on the test set, and leave it all in `out`.

    dataset: a known name, a path, a Corpus, or None for MNIST, with the embedded digits standing
    in where MNIST cannot be had. out: a folder that holds nothing yet; runs/DATASET-RECIPE-TIME
    when None. at_once: train an ensemble's members so, on Ray. overrides: fields of TrainingConfig,
    laid over the recipe; as `teacher` also the folder of a model that is there already.

    ConfigError, DataError, RunError, StorageError and TrainingError say what was wrong with what.
    """
    config = recipes.configure(recipe, **_spelled(overrides))
    teaching.check(config)
    _check_at_once(config, at_once)
    screen = display.choose(quiet)
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
    folder = runfolder.claim(Path(out) if out else runfolder.default(corpus.name, recipe))
    runfolder.write_record(folder, record)
    return _complete(folder, record, corpus, screen, at_once)


def resume(
    folder: str | Path,
    corpus: Corpus | None = None,
    *,
    quiet: bool = False,
    at_once: AtOnce | None = None,
    **asked: Any,
) -> Result:
    """Continue the run in `folder` from its newest whole checkpoint to its end.

    corpus: needed where the run was started with one. asked: fields of TrainingConfig that the
    caller believes the run to have; as `teacher` also where a model that teaches it lies now.
    RunError where those, the data or the teacher differ from the run's own.
    """
    folder, asked = Path(folder), _spelled(asked)
    record = _moved_teacher(runfolder.read_record(folder), asked)
    _refuse_other(folder, record.config, asked)
    _check_at_once(record.config, at_once)
    finished = runfolder.read_result(folder)
    if finished:
        return finished
    corpus = corpus or _reload(folder, record)
    if corpus.training_part.identity != record.identity:
        raise RunError(f"{folder} was started on other data than {corpus.name} holds now")
    return _complete(folder, record, corpus, display.choose(quiet), at_once)


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


def _check_at_once(config: TrainingConfig, at_once: AtOnce | None) -> None:
    """ConfigError where nothing could be trained at once; MissingExtraError, RunError by Ray."""
    if at_once is None:
        return
    taught = config.teacher in recipes.RECIPES
    if config.members == 1 and not (taught and recipes.teacher(config).members > 1):
        raise ConfigError(
            f"--parallel trains an ensemble's members at once, and {config.recipe} has one net; "
            "leave it out, or give --members"
        )
    apart.check(at_once)


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
    folder: Path,
    record: RunRecord,
    corpus: Corpus,
    screen: display.Display,
    at_once: AtOnce | None,
) -> Result:
    """Bring the run to its end from wherever it is, and say how to go on where it is stopped."""
    try:
        return _run(folder, record, corpus, screen, at_once)
    except KeyboardInterrupt:
        screen.message(f"Stopped. Continue with: deepmnist train --resume {folder}")
        raise


def _run(
    folder: Path,
    record: RunRecord,
    corpus: Corpus,
    screen: display.Display,
    at_once: AtOnce | None,
) -> Result:
    """Train to the end from the newest checkpoint, if there is one; then test and write."""
    devices.prepare_gpus()
    atomic.sweep(folder)
    apart.gather(folder)
    teacher = _teacher(folder, record, corpus, screen, at_once)
    share = record.config.validation_share
    training_set, validation = split_validation(corpus.training_part, share)
    screen.message(
        f"{record.config.recipe} on {corpus.name}: {len(training_set):,} training and "
        f"{len(validation):,} validation images, seed {record.config.seed}, in {folder}"
    )
    if at_once and record.config.members > 1:
        teaches = _teacher_path(folder, record)
        apart.train(folder, record, training_set, validation, at_once, screen, teaches)
    net = teacher.net if teacher else None
    trained = members.train(folder, record, training_set, validation, screen, net)
    screen.message("Testing, writing the model and the report")
    return delivery.deliver(folder, record, trained, validation, corpus, teacher)


def _teacher(
    folder: Path,
    record: RunRecord,
    corpus: Corpus,
    screen: display.Display,
    at_once: AtOnce | None,
) -> Teacher | None:
    """The run's teacher: the model it was given, or the one it makes first, or none."""
    if record.config.teacher is None:
        return None
    if record.teacher is not None:
        opened = teaching.find_again(record.teacher.path, record.teacher.sha256)
    else:
        made = _make_teacher(folder / runfolder.TEACHER, record, corpus, screen, at_once)
        opened = teaching.find(made.bundle, corpus.training_part.class_names)
    return teaching.load(opened, record.config.precision)


def _teacher_path(folder: Path, record: RunRecord) -> Path | None:
    """The bundle that teaches, which is there by now."""
    if record.config.teacher is None:
        return None
    if record.teacher is None:
        return (folder / runfolder.TEACHER / runfolder.BUNDLE).resolve()
    return teaching.find_again(record.teacher.path, record.teacher.sha256).folder


def _make_teacher(
    folder: Path,
    record: RunRecord,
    corpus: Corpus,
    screen: display.Display,
    at_once: AtOnce | None,
) -> Result:
    """The teacher's run, complete in itself: begun, continued or found finished in `folder`."""
    if not (folder / runfolder.RECORD).exists():
        config = _with_precision(recipes.teacher(record.config))
        first = msgspec.structs.replace(record, config=config)
        runfolder.write_record(runfolder.claim(folder), first)
    finished = runfolder.read_result(folder)
    return finished or _run(folder, runfolder.read_record(folder), corpus, screen, at_once)

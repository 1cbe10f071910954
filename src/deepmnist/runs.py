"""A run as it is asked for: its configuration, its data, its teacher and its folder, all checked.

Everything is left in one folder (runfolder.py says what is where). A run killed at any moment goes
on from there, on the same kind of machine and with as many threads to the same weights bit for bit;
execution.py brings it to its end. Several workers run the same lines; the folder is the chief's,
and what is in it comes from there.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from deepmnist import (
    devices,
    display,
    execution,
    joint,
    lock,
    machine,
    recipes,
    runfolder,
    teaching,
)
from deepmnist.cluster import members as apart
from deepmnist.cluster.members import AtOnce
from deepmnist.data import DEFAULT, SOURCES, Corpus, load
from deepmnist.errors import ConfigError, DataNotFoundError, RunError
from deepmnist.execution import Crew
from deepmnist.recipes import TrainingConfig
from deepmnist.runfolder import Result, RunRecord, TeacherRecord
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
    at_once: AtOnce | None = None,
    **overrides: Any,
) -> Result:
    """Train a recipe on a data set, test it once on the test set, and leave it all in `out`.

    dataset: a known name, a path, a Corpus, or None for MNIST, with the embedded digits standing
    in where MNIST cannot be had. out: a folder that holds nothing yet; runs/DATASET-RECIPE-TIME
    when None. overrides: fields of TrainingConfig, laid over the recipe; as `teacher` also the
    folder of a model that is there already. screen: where progress goes, if not to stderr. workers:
    those that train together; all call this, with the same, and the chief's `out` counts. at_once:
    train an ensemble's members so, on Ray.

    ConfigError, DataError, RunError, StorageError and TrainingError say what was wrong with what.
    """
    crew = Crew(screen or _screen(quiet, workers), workers, at_once)

    def ask() -> tuple[RunRecord, Corpus]:
        return _asked(dataset, recipe, data_dir, resize, tensorboard, overrides, crew)

    def claim() -> Path:
        folder = runfolder.claim(Path(out) if out else runfolder.made(corpus.name, recipe))
        with lock.held(folder):  # of two commands the later one finds the other's record
            runfolder.write_record(runfolder.claim(folder), record)
        return folder

    with workers.watched("start all of them again"):
        record, corpus = joint.prepared(workers, ask, _facts)
        folder = joint.from_chief(workers, claim, os.fsencode, lambda path: Path(os.fsdecode(path)))
    return execution.complete(folder, record, corpus, crew)


def resume(
    folder: str | Path,
    corpus: Corpus | None = None,
    *,
    quiet: bool = False,
    screen: display.Display | None = None,
    workers: Workers = ALONE,
    at_once: AtOnce | None = None,
    **asked: Any,
) -> Result:
    """Continue the run in `folder` from its newest whole checkpoint to its end.

    corpus: needed where the run was started with one. asked: fields of TrainingConfig that the
    caller believes the run to have; as `teacher` also where a model that teaches it lies now.
    screen, workers, at_once: as for train; workers need not be as many as before, and the chief's
    `folder` counts.
    RunError where those, the data, the teacher or versions that decide differ from the run's own.
    """
    folder, asked = Path(folder), _spelled(asked)
    crew = Crew(screen or _screen(quiet, workers), workers, at_once)

    def take_up() -> tuple[RunRecord, Corpus | None]:
        return _taken_up(folder, record, finished, corpus, asked, crew)

    with workers.watched("start all of them again"):
        record = execution.record_of_chief(workers, folder)
        finished = execution.finished_of_chief(workers, folder)
        record, data = joint.prepared(workers, take_up, _facts)
    if finished is not None:
        return finished
    assert data is not None
    return execution.complete(folder, record, data, crew)


def _asked(
    dataset: str | Path | Corpus | None,
    recipe: str,
    data_dir: str | Path | None,
    resize: bool,
    tensorboard: bool,
    overrides: dict[str, Any],
    crew: Crew,
) -> tuple[RunRecord, Corpus]:
    """A new run's record, complete, and its data."""
    config = recipes.configure(recipe, **_spelled(overrides))
    teaching.check(config)
    _check_at_once(config, crew.at_once)
    corpus, spec, fallback = _obtain(dataset, data_dir, resize, crew.screen)
    corpus.test_part.required_labels()  # before hours are spent, not after
    config, teacher = _given_teacher(config, corpus, crew.screen)
    record = RunRecord(
        dataset=spec,
        data_dir=os.path.realpath(data_dir) if data_dir else None,
        resize=resize,
        fallback=fallback,
        identity=corpus.training_part.identity,
        config=execution.with_precision(config),
        tensorboard=tensorboard,
        versions=machine.versions(),
        teacher=teacher,
        machine=None if crew.at_once else devices.computes_on(),
    )
    _check_names(record, corpus)
    return record, corpus


def _check_names(record: RunRecord, corpus: Corpus) -> None:
    """ConfigError where a file or folder is named in bytes that no record can hold."""
    try:
        msgspec.json.encode((record, corpus.name))
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{error.object!a} is not UTF-8, as a run's record must be; give it another name"
        ) from None


def _taken_up(
    folder: Path,
    record: RunRecord,
    finished: Result | None,
    corpus: Corpus | None,
    asked: dict[str, Any],
    crew: Crew,
) -> tuple[RunRecord, Corpus | None]:
    """An old run's record, its teacher found, and its data where it is not finished."""
    record = _moved_teacher(record, asked)
    _refuse_other(folder, record.config, asked)
    taught = record.config if record.teacher is None else replace(record.config, teacher=None)
    _check_at_once(taught, crew.at_once)
    if finished:
        return record, None
    if record.teacher is not None:  # here, where all workers are told of each other's errors
        teaching.find_again(record.teacher.path, record.teacher.sha256)
    _check_versions(folder, record.versions)
    corpus = corpus or _reload(folder, record)
    if corpus.training_part.identity != record.identity:
        raise RunError(f"{folder} was started on other data than {corpus.name} holds now")
    corpus.test_part.required_labels()
    _tell_other_machine(folder, record, crew)
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
        name = str(dataset) if known else os.path.realpath(dataset)
        return _load_named(dataset, where, resize), name, False
    try:
        return load(DEFAULT, where, resize=resize), DEFAULT, False
    except DataNotFoundError as reason:
        screen.warning(
            f"This run does NOT train on MNIST: it cannot be had.\n{reason}\n\n"
            f"It trains on '{FALLBACK_DATASET}' instead, 1,797 small scans that come with "
            "scikit-learn. The model records that."
        )
        return load(FALLBACK_DATASET), FALLBACK_DATASET, True


def _load_named(dataset: str | Path, data_dir: Path | None, resize: bool) -> Corpus:
    try:
        return load(dataset, data_dir, resize=resize)
    except DataNotFoundError as error:
        raise DataNotFoundError(
            f"{error}, or train without network on --dataset {FALLBACK_DATASET}"
        ) from error


def _reload(folder: Path, record: RunRecord) -> Corpus:
    if record.dataset is None:
        raise RunError(
            f"{folder} was started from Python with a Corpus; resume it there, with the same one"
        )
    data_dir = Path(record.data_dir) if record.data_dir else None
    return load(record.dataset, data_dir, resize=record.resize)


def _refuse_other(folder: Path, config: TrainingConfig, asked: dict[str, Any]) -> None:
    wanted = execution.with_precision(recipes.configure(**{"recipe": config.recipe, **asked}))
    # steps stand in for epochs, and minimum_steps would outdo them
    names = {*asked, "steps", "minimum_steps"} if "epochs" in asked else asked
    asked_fields = {name: getattr(wanted, name) for name in names}
    differing = recipes.difference(config, replace(config, **asked_fields))
    if differing:
        raise RunError(
            f"{folder} was started with another configuration: {differing}; "
            "resume it without these options, or start a new run with --out"
        )


def _check_versions(folder: Path, begun: dict[str, str]) -> None:
    """RunError where this run's steps would not be those of a run that was never stopped."""
    then, now = machine.deciding(begun), machine.deciding_versions()
    for package, version in then.items():
        if now[package] != version:
            raise RunError(
                f"{folder} was started with {package} {version}, and {now[package]} is installed: "
                f"it would not end with the same weights; install {package} {version}, "
                "or start a new run with --out"
            )


def _tell_other_machine(folder: Path, record: RunRecord, crew: Crew) -> None:
    """A warning where this one rounds otherwise, perhaps, than the one that the run was begun on.

    Members at once compute wherever a cluster has room, so nothing is told of those.
    """
    if record.machine is None or crew.at_once or crew.workers.index != joint.CHIEF:
        return
    here = devices.computes_on()
    if here != record.machine:
        crew.screen.warning(
            f"{folder} was begun on {machine.named(record.machine)} and goes on here, on "
            f"{machine.named(here)}: it may not end with the same bits as if it had stayed there."
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
    if teaching.may_know_validation(opened, corpus, config):
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
    if not os.path.exists(place):
        raise RunError(
            f"--teacher {place}: there is nothing there; the run's teacher was "
            f"{record.teacher.path}; say where it is now, or leave this out if it is there still"
        )
    del asked["teacher"]
    moved = TeacherRecord(str(Path(place).resolve()), record.teacher.sha256)
    teaching.find_again(moved.path, moved.sha256)
    return msgspec.structs.replace(record, teacher=moved)

"""An ensemble's nets trained at once, as Ray's tasks, each on cores of its own.

A member is the run of one net (recipes.member), in RUN/members/01, .... When it is trained its
checkpoints and figures are moved to where members.py keeps them, which then finds every net at its
last step. So a run that began like this may go on without Ray, and the other way round, and the
weights are those of members trained one after another on as many cores. Ray is imported late.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from deepmnist import chatter, history, machine, recipes, runfolder
from deepmnist.cluster import connection, sharing
from deepmnist.data import Dataset
from deepmnist.display import Display, Silent
from deepmnist.runfolder import RunRecord

if TYPE_CHECKING:
    from deepmnist.teaching import Teacher

NEEDED_FOR = "training members at once"
OTHERWISE = "leave out --parallel"
RETRIES = 3  # of a member whose worker or node is lost
MEMBERS = "members"


@dataclass(frozen=True)
class AtOnce:
    """How many members are trained at once, and where: on this machine without an address."""

    parallel: int
    cluster: str | None = None


@dataclass(frozen=True)
class Errand:
    """What every worker has to know."""

    folder: Path
    record: RunRecord
    teacher: Path | None  # a bundle
    cores: int
    versions: dict[str, str]


def check(asked: AtOnce) -> None:
    """Before any work: MissingExtraError without Ray, RunError where no cluster answers."""
    connection.check(asked.cluster or "auto", NEEDED_FOR)


def train(
    folder: Path,
    record: RunRecord,
    training_set: Dataset,
    validation: Dataset,
    asked: AtOnce,
    screen: Display,
    teacher: Path | None = None,
) -> None:
    """Train every member of the run in `folder` to its last step, from where it is.

    teacher: the bundle that teaches. LostError where a member loses its worker again and again;
    what else goes wrong with one is raised as members.train raises it.
    """
    ray = connection.ray(NEEDED_FOR)
    for number in range(1, record.config.members + 1):
        _take_out(folder, number)
    with connection.made(ray, asked.cluster, OTHERWISE):
        given = sharing.shares(connection.cores(ray), asked.parallel)
        errand = Errand(folder.resolve(), record, teacher, given.cores, machine.versions())
        screen.message(
            f"{record.config.members} members, {given.parallel} at once, on {given.cores} "
            f"{'core' if given.cores == 1 else 'cores'} each"
        )
        for done, number in enumerate(_trained(ray, errand, given, training_set, validation), 1):
            screen.message(f"member {number} is trained, {done} of {record.config.members}")
    gather(folder)


def gather(folder: Path) -> None:
    """Move what members trained at once have left to where members.train looks for it."""
    places = sorted((folder / MEMBERS).glob("[0-9][0-9]"))
    for place in places:
        number = int(place.name)
        _move(place / runfolder.CHECKPOINTS, _checkpoints(folder, number))
        board = runfolder.of_member(folder / runfolder.TENSORBOARD, number, members=2)
        _move(place / runfolder.TENSORBOARD, board)
        history.take(folder, place, number)
    if places:
        shutil.rmtree(folder / MEMBERS)


def _trained(ray: Any, errand: Errand, given: sharing.Shares, *data: Dataset) -> Iterator[int]:
    """The number of each member as soon as it is at its last step."""
    task = ray.remote(num_cpus=given.cores, max_retries=RETRIES)(_train)
    told, parts = ray.put(errand), [ray.put(part) for part in data]
    left = iter(range(1, errand.record.config.members + 1))
    under_way = {task.remote(told, n, *parts): n for n in islice(left, given.parallel)}
    while under_way:
        (finished, *_), _ = ray.wait(list(under_way), num_returns=1)
        number = under_way.pop(finished)
        again = f"; continue with: deepmnist train --resume {errand.folder}"
        connection.result(ray, finished, f"member {number}", advice=again)
        yield number
        under_way |= {task.remote(told, n, *parts): n for n in islice(left, 1)}


def _train(errand: Errand, number: int, training_set: Dataset, validation: Dataset) -> None:
    """What a worker does."""
    connection.check_worker(errand.versions, errand.folder / runfolder.RECORD)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with chatter.dropped():
        from deepmnist import devices, members
    devices.limit_threads(errand.cores)
    devices.prepare_gpus()
    config = recipes.member(errand.record.config, number - 1)
    record = msgspec.structs.replace(errand.record, config=config)
    folder = _place(errand.folder, number)
    folder.mkdir(parents=True, exist_ok=True)
    teacher = _teacher(errand.teacher, config.precision)
    members.train(folder, record, training_set, validation, Silent(), teacher)


def _teacher(folder: Path | None, precision: str) -> Teacher | None:
    from deepmnist import bundle, teaching

    return teaching.load(bundle.load(folder), precision) if folder else None


def _take_out(folder: Path, number: int) -> None:
    """Give a member what it left when it was trained in turn."""
    _move(_checkpoints(folder, number), _place(folder, number) / runfolder.CHECKPOINTS)


def _place(folder: Path, number: int) -> Path:
    return folder / MEMBERS / f"{number:02d}"


def _checkpoints(folder: Path, number: int) -> Path:
    return runfolder.of_member(folder / runfolder.CHECKPOINTS, number, members=2)


def _move(source: Path, target: Path) -> None:
    """Every file of `source`, a checkpoint's arrays before the manifest that makes it one."""
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir(), key=lambda each: each.suffix == ".json"):
        path.replace(target / path.name)

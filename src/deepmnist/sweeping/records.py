"""What a sweep has on disk: what was asked for, and one small file a trial. Plain JSON, no pickle.

FOLDER/sweep.json          what was asked for
FOLDER/trials/0001.json    a trial: its values, its curve, what became of it
FOLDER/trials/0001/        its checkpoints, as long as it is not over
FOLDER/ray/                what Ray writes for itself; never read, gone at the end

The driver alone writes them, each whole or not at all, and a trial's before it begins. So whatever
is killed, these files are what has happened. Who reads them trusts none before it is checked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from deepmnist import atomic
from deepmnist.errors import ConfigError, RunError, one_line, reason
from deepmnist.sweeping.space import Space, Values

RECORD = "sweep.json"
TRIALS = "trials"
RAY = "ray"
MAX_BYTES = 4_000_000
MAX_TRIALS = 9_999
NAME = re.compile(r"\d{4}\.json")

Figure = Annotated[float, Meta(ge=0)]
State = Literal["running", "finished", "stopped", "failed"]


class Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """All that decides what a trial is and what it comes to."""

    recipe: str
    settings: dict[str, str]  # NAME to SPEC
    seed: int
    dataset: str
    identity: str  # SHA-256 of the training part
    versions: dict[str, str]
    teacher_identity: str | None = None  # teaching.identity; None: nobody teaches


class Point(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A validation in the middle of a trial."""

    member: Annotated[int, Meta(ge=1, le=64)]  # which net
    step: Annotated[int, Meta(ge=1)]
    steps: Annotated[int, Meta(ge=1)]  # of that net, in all
    epoch: Figure
    loss: Figure  # nats, before calibration
    accuracy: Annotated[float, Meta(ge=0, le=1)]


class Trial(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One configuration and what is known of it."""

    number: Annotated[int, Meta(ge=1, le=MAX_TRIALS)]
    values: Values
    state: State = "running"  # stopped: it was hopeless
    curve: list[Point] = []
    loss: Figure | None = None  # validation, nats; of the finished model, calibrated
    accuracy: Annotated[float, Meta(ge=0, le=1)] | None = None
    seconds: Figure | None = None  # of training, as train_seconds counts
    reason: str | None = None  # why it failed

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state != "running"

    def with_point(self, point: Point) -> Trial:
        """With one more validation; a step that is done again replaces what it was."""
        kept = [p for p in self.curve if (p.member, p.step) < (point.member, point.step)]
        return msgspec.structs.replace(self, curve=[*kept, point])


def trial_file(folder: Path, number: int) -> Path:
    """Where a trial's record is."""
    return folder / TRIALS / f"{number:04d}.json"


def trial_folder(folder: Path, number: int) -> Path:
    """Where a trial keeps its checkpoints."""
    return folder / TRIALS / f"{number:04d}"


def write_asked(folder: Path, asked: Asked) -> None:
    """Put sweep.json into `folder`. StorageError where the system refuses."""
    _write(folder / RECORD, asked)


def write_trial(folder: Path, trial: Trial) -> None:
    """Put a trial's record in place of what it was. StorageError where the system refuses."""
    _write(trial_file(folder, trial.number), trial)


def read_asked(folder: Path) -> Asked | None:
    """What the sweep in `folder` was asked for; None where there is none. RunError if damaged."""
    path = folder / RECORD
    if not path.exists():
        return None
    return _read(path, Asked, "give a new --out")


def read_trials(folder: Path, space: Space) -> dict[int, Trial]:
    """Every trial by its number. RunError where a record is damaged, or is none of this space."""
    atomic.sweep(folder / TRIALS)
    paths = sorted((folder / TRIALS).glob("*.json"))
    trials = (_read_trial(path, space) for path in paths if NAME.fullmatch(path.name))
    return {trial.number: trial for trial in trials}


def differences(old: Asked, new: Asked) -> str:
    """What differs between two sweeps, for people; empty where nothing does."""
    found = []
    for name in Asked.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if isinstance(was, dict):
            keys = sorted(was.keys() | now.keys())
            found += [(key, was.get(key), now.get(key)) for key in keys]
        else:
            found.append((name, was, now))
    texts = (f"{name} {_short(was)} -> {_short(now)}" for name, was, now in found if was != now)
    return ", ".join(texts)


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."


Record = TypeVar("Record", Asked, Trial)


def _read(path: Path, kind: type[Record], then: str) -> Record:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RunError(f"{path} is larger than {MAX_BYTES:,} bytes: no record; {then}")
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {reason(error)}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {one_line(error)[:300]}; {then}") from error


def _read_trial(path: Path, space: Space) -> Trial:
    then = "remove it, and the same command does that trial again"
    trial = _read(path, Trial, then)
    try:
        space.config(trial.values)
    except ConfigError as error:
        raise RunError(
            f"{path} is no trial of this sweep: {one_line(error)[:300]}; {then}"
        ) from error
    if trial.number != int(path.stem):
        raise RunError(f"{path} tells of trial {trial.number}; {then}")
    if trial.state == "finished" and None in (trial.loss, trial.accuracy, trial.seconds):
        raise RunError(f"{path} is finished and has no loss, accuracy or seconds; {then}")
    return trial


def _write(path: Path, record: Asked | Trial) -> None:
    atomic.write(path, msgspec.json.format(msgspec.json.encode(record)) + b"\n")

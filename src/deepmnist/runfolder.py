"""A run's folder: what is in it, how it is claimed, read and found. Needs no TensorFlow.

RUN/run.json        what was asked for: data, configuration, versions; and the machine
RUN/metrics.jsonl   one line a chunk of steps
RUN/checkpoints/    the newest two; of an ensemble, in a folder a member: member-01, ...
RUN/members/        those that are trained at once, until they come home (cluster/members.py)
RUN/tensorboard/    the same curves for TensorBoard, where asked for
RUN/teacher/        the run, complete in itself, that made the teacher, where there is one to make
RUN/bundle/         the trained model
RUN/report.html     for people
RUN/result.json     for programs; written last, so that where it is, the run is complete
RUN/.lock           who holds it has the run (lock.py)
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from deepmnist import atomic, lock
from deepmnist.errors import RunError, StorageError, reason
from deepmnist.recipes import TrainingConfig
from deepmnist.rounding import percent

RUNS = Path("runs")  # where runs go that name no folder of their own
RECORD = "run.json"
CHECKPOINTS = "checkpoints"
BUNDLE = "bundle"
REPORT = "report.html"
RESULT = "result.json"
TENSORBOARD = "tensorboard"
TEACHER = "teacher"

# What looking for a record and reading it raises; of the first also a folder one may not look into.
UNREADABLE = (OSError, msgspec.MsgspecError, UnicodeDecodeError)


class TeacherRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The model, made before the run, that teaches it."""

    path: str
    sha256: str  # teaching.identity


class RunRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What run.json holds: all that is needed to go on with the run."""

    dataset: str | None  # None: handed over from Python, and must be again
    data_dir: str | None
    resize: bool
    fallback: bool  # the embedded digits stand in for MNIST
    identity: str  # Dataset.identity of the training part
    config: TrainingConfig
    tensorboard: bool
    versions: dict[str, str]
    teacher: TeacherRecord | None = None  # None: nobody teaches, or RUN/teacher does
    machine: dict[str, str | int] | None = None  # devices.computes_on; None: unknown


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to. result.json holds the same, but for `folder`."""

    recipe: str
    seed: int
    dataset: str
    fallback: bool
    parameters: int  # of all members
    steps: int  # of all members
    batch_size: int
    precision: str
    train_seconds: float  # building, tracing, compiling and steps; not loading, not validating
    images_per_second: float  # trained, over all of train_seconds
    peak_memory_bytes: int | None
    validation_accuracy: float
    temperature: float
    test_correct: int
    test_n: int
    test_accuracy: float
    versions: dict[str, str]
    machine: dict[str, str | int]
    members: int = 1
    teacher_train_seconds: float | None = None  # not in train_seconds; None: no teacher, or unknown
    folder: Path

    @property
    def bundle(self) -> Path:
        """The folder of the trained model."""
        return self.folder / BUNDLE

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / REPORT

    def summary(self) -> str:
        """`Test accuracy is 99.12% (9912 of 10000)`."""
        accuracy = percent(self.test_accuracy, self.test_n)
        return f"Test accuracy is {accuracy} ({self.test_correct} of {self.test_n})"


def claim(folder: Path) -> Path:
    """Make `folder` for a new run. RunError where it holds something, StorageError if refused.

    A lock and what killed writers left half-written may be there. Only under the lock is it sure
    that no other command finds the same.
    """
    try:
        if (folder / RECORD).exists():
            raise RunError(
                f"{folder} already holds a run; continue it with --resume {folder}, "
                "or name another folder with --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
        occupied = not all(map(_may_be_there, folder.iterdir()))
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be made a run's folder: {reason(error)}; name another with --out"
        ) from error
    if occupied:
        raise RunError(f"{folder} is not empty; name a new folder with --out")
    return folder


def _may_be_there(path: Path) -> bool:
    return path.name == lock.LOCK or atomic.is_leftover(path)


def of_member(folder: Path, number: int, members: int) -> Path:
    """Where in `folder` a net keeps its own: member `number` (from 1), or the only one."""
    return folder if members == 1 else folder / f"member-{number:02d}"


def default(dataset: str, recipe: str) -> Path:
    """runs/DATASET-RECIPE-TIME, with a number behind it where that second has one already."""
    return next(name for name in _names(dataset, recipe) if not name.exists())


def made(dataset: str, recipe: str) -> Path:
    """As `default`, and made, so that no other command is given it. StorageError if refused."""
    try:
        RUNS.mkdir(parents=True, exist_ok=True)
        return next(filter(_is_new, _names(dataset, recipe)))
    except OSError as error:
        raise StorageError(
            f"no folder can be made in {RUNS}: {reason(error)}; name another with --out"
        ) from error


def _is_new(folder: Path) -> bool:
    """Whether this made it."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _names(dataset: str, recipe: str) -> Iterator[Path]:
    folder = RUNS / f"{Path(dataset).name}-{recipe}-{time.strftime('%Y%m%d-%H%M%S')}"
    yield folder
    yield from (Path(f"{folder}-{i}") for i in itertools.count(2))


def newest() -> Path:
    """The newest finished run under runs/. RunError where there is none."""
    finished = sorted(RUNS.glob(f"*/{RESULT}"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise RunError(
            f"there is no trained model under {RUNS}/; train one with `deepmnist train`, "
            "or name one with --model"
        )
    return finished[-1].parent


def write_record(folder: Path, record: RunRecord) -> None:
    """Put run.json into `folder`."""
    _write(folder / RECORD, record)


def read_record(folder: Path) -> RunRecord:
    """run.json of `folder`. RunError where it holds no run, or one of another version."""
    try:
        if not (folder / RECORD).is_file():
            raise RunError(f"{folder} holds no run to resume: it has no {RECORD}")
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=RunRecord)
    except UNREADABLE as error:
        raise _unreadable(folder / RECORD, error) from error


def write_result(folder: Path, values: dict[str, Any]) -> Result:
    """Put result.json into `folder`, which makes the run complete."""
    result = Result(**values, folder=folder)
    _write(folder / RESULT, values)
    return result


def read_result(folder: Path) -> Result | None:
    """The result of a finished run; None where it is not finished."""
    try:
        if not (folder / RESULT).exists():
            return None
        values = msgspec.json.decode((folder / RESULT).read_bytes(), type=dict[str, Any])
        return msgspec.convert({**values, "folder": folder}, Result)
    except UNREADABLE as error:
        raise _unreadable(folder / RESULT, error) from error


def pack_result(result: Result) -> bytes:
    """`result` as bytes for another process."""
    values = {name: value for name, value in vars(result).items() if name != "folder"}
    return msgspec.json.encode({**values, "folder": str(result.folder)})


def unpack_result(content: bytes) -> Result:
    """What `pack_result` was given."""
    values = msgspec.json.decode(content)
    return msgspec.convert({**values, "folder": Path(values["folder"])}, Result)


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(f"{path} cannot be read: {reason(error)}")


def _write(path: Path, value: Any) -> None:
    atomic.write(path, msgspec.json.format(msgspec.json.encode(value)) + b"\n")

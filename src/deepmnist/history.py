"""metrics.jsonl: one JSON object a line for every chunk of steps, and TensorBoard's copy of it.

A line of an ensemble says which member it is of, counted from 1; of a single net it says nothing.

A killed run may leave its last line torn; a resumed run first drops whatever came after the
checkpoint it starts from. TensorBoard's files cannot be shortened: there such points come twice.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from deepmnist import atomic
from deepmnist.errors import StorageError, reason

if TYPE_CHECKING:
    from deepmnist.training import Progress

METRICS = "metrics.jsonl"
Line = dict[str, float]  # "step" is always there
SINGLE = 1.0  # the member that a line without one is of


def append(folder: Path, progress: Progress, member: int | None = None) -> None:
    """Add one line; figures that are None are left out. StorageError where the disk is full."""
    figures = {"member": member, **asdict(progress)}
    line = {name: value for name, value in figures.items() if value is not None}
    path = folder / METRICS
    try:
        with path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {reason(error)}; free some space, then resume the run"
        ) from error


def read(folder: Path) -> list[Line]:
    """All whole lines, oldest first."""
    path = folder / METRICS
    if not path.exists():
        return []
    lines = []
    for text in path.read_bytes().splitlines():
        line = _whole(text)
        if line is None:
            break  # torn by a kill: nothing after it was written by the same run
        lines.append(line)
    return lines


def _whole(text: bytes) -> Line | None:
    """The figures of a line, or None where it is torn."""
    try:
        line = msgspec.json.decode(text, type=Line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return line if "step" in line else None


def rewind(folder: Path, step: int, member: int | None = None) -> None:
    """Drop every line of `member`, or of the only net, after `step`; the others' stay."""
    of = SINGLE if member is None else member
    kept = [
        line for line in read(folder) if line.get("member", SINGLE) != of or line["step"] <= step
    ]
    atomic.write(folder / METRICS, b"".join(msgspec.json.encode(line) + b"\n" for line in kept))


def take(folder: Path, source: Path, member: int) -> None:
    """Make the lines of a single net in `source` those of a member in `folder`, from where they
    begin."""
    own = read(source)
    if not own:
        return
    first = own[0]["step"]
    kept = [
        line
        for line in read(folder)
        if line.get("member", SINGLE) != member or line["step"] < first
    ]
    lines = [*kept, *({"member": float(member), **line} for line in own)]
    atomic.write(folder / METRICS, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


class TensorBoard:
    """Event files for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, made when missing."""
        import tensorflow as tf

        self._scalar = tf.summary.scalar
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, progress: Progress) -> None:
        """One point a figure at progress.step."""
        with self._writer.as_default():
            for name, value in asdict(progress).items():
                if value is not None and name != "step":
                    self._scalar(name, value, step=progress.step)
        self._writer.flush()

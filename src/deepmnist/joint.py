"""What workers tell each other beside sums: facts before the first step, the chief's state, errors.

All of it goes through Workers.total, so machines need share no disk, and every worker must call the
same function at the same point. With one worker each function is the plain call. What the chief
refuses, every worker raises; what goes wrong on one of them before the first step, all are told.
Later, such as where a disk is full, the others see no more than that it is lost.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from deepmnist import errors
from deepmnist.checkpoints import Checkpoint
from deepmnist.errors import DeepMNISTError, RunError
from deepmnist.workers import Workers

CHIEF = 0
Value = TypeVar("Value")


class _Answer(msgspec.Struct):
    """What a function came to on another worker: a value, or an error of ours."""

    value: bytes = b""
    error: str | None = None  # the name of its class
    text: str = ""


def gather(workers: Workers, content: bytes) -> list[bytes]:
    """Every worker's `content`, of any length, in the order of their numbers."""
    lengths = np.zeros(workers.count, np.int32)
    lengths[workers.index] = len(content)
    lengths = workers.total(lengths)
    table = np.zeros((workers.count, int(lengths.max())), np.uint8)
    table[workers.index, : len(content)] = np.frombuffer(content, np.uint8)
    table = _total_bytes(workers, table.reshape(-1)).reshape(table.shape)
    return [row[:length].tobytes() for row, length in zip(table, lengths, strict=True)]


def broadcast(workers: Workers, content: bytes) -> bytes:
    """The chief's `content`; the others' is not looked at."""
    own = content if workers.index == CHIEF else b""
    (length,) = workers.total(np.array([len(own)], np.int32))
    padded = np.zeros(length, np.uint8)
    padded[: len(own)] = np.frombuffer(own, np.uint8)
    return _total_bytes(workers, padded).tobytes()


def _total_bytes(workers: Workers, content: Any) -> Any:
    """Bytes of which all workers but one hold zeros, four to a number."""
    padded = np.pad(content, (0, -len(content) % 4))
    return workers.total(padded.view(np.int32)).view(np.uint8)[: len(content)]


# ---- by the chief for all -----------------------------------------------------------------------


def from_chief(
    workers: Workers,
    make: Callable[[], Value],
    pack: Callable[[Value], bytes],
    unpack: Callable[[bytes], Value],
) -> Value:
    """What `make` returns on the chief, where alone it is called. What it raises, all raise."""
    if workers.count == 1:
        return make()
    if workers.index == CHIEF:
        return _told_to_others(workers, make, pack)
    answer = msgspec.msgpack.decode(broadcast(workers, b""), type=_Answer)
    if answer.error is not None:
        raise _error(answer)
    return unpack(answer.value)


def by_chief(workers: Workers, act: Callable[[], object]) -> None:
    """`act`, on the chief alone; the others wait for its end. What it raises, all raise."""
    from_chief(workers, lambda: act() and None, lambda _: b"", lambda _: None)


def _told_to_others(
    workers: Workers, make: Callable[[], Value], pack: Callable[[Value], bytes]
) -> Value:
    try:
        made = make()
    except DeepMNISTError as error:
        told = _Answer(error=type(error).__name__, text=str(error))
        broadcast(workers, msgspec.msgpack.encode(told))
        raise
    broadcast(workers, msgspec.msgpack.encode(_Answer(pack(made))))
    return made


def _error(answer: _Answer) -> DeepMNISTError:
    kind = getattr(errors, answer.error or "", RunError)
    try:
        return kind(answer.text)
    except TypeError:  # one that is made of other things than its text
        return RunError(answer.text)


@contextmanager
def folder_of_chief(workers: Workers, folder: Path) -> Iterator[Path]:
    """The chief's `folder` of plain files, such as a bundle, on every worker while it lasts."""

    def pack(files: dict[str, bytes]) -> bytes:
        return msgspec.msgpack.encode(files)

    def unpack(content: bytes) -> dict[str, bytes]:
        return msgspec.msgpack.decode(content, type=dict[str, bytes])

    if workers.count == 1:
        yield folder
        return
    files = from_chief(workers, lambda: _files(folder), pack, unpack)
    if workers.index == CHIEF:
        yield folder
        return
    with tempfile.TemporaryDirectory() as copy:
        for name, content in files.items():
            (Path(copy) / name).write_bytes(content)
        yield Path(copy)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# ---- by each for itself -------------------------------------------------------------------------


def prepared(
    workers: Workers, make: Callable[[], Value], facts: Callable[[Value], Mapping[str, str]]
) -> Value:
    """What `make` returns here, once every worker has made its own and all `facts` are equal.

    RunError on every worker where those of one differ from the chief's, or where it cannot begin.
    """
    if workers.count == 1:
        return make()
    try:
        made = make()
    except DeepMNISTError as error:
        gather(workers, msgspec.json.encode({"": str(error)}))
        raise
    told = gather(workers, msgspec.json.encode(dict(facts(made))))
    _check_facts(workers, [msgspec.json.decode(each, type=dict[str, str]) for each in told])
    return made


def _check_facts(workers: Workers, told: list[dict[str, str]]) -> None:
    for index, each in enumerate(told):
        if "" in each:
            raise RunError(f"{workers.name(index)} cannot begin: {each['']}")
    for index, each in enumerate(told):
        for what in sorted(told[CHIEF].keys() | each.keys()):
            wanted, found = told[CHIEF].get(what, "none"), each.get(what, "none")
            if wanted != found:
                raise RunError(
                    f"{workers.name(index)} has {what} {found}, {workers.name(CHIEF)} {wanted}; "
                    "all workers need the same versions, options and data"
                )


def check_alike(workers: Workers, state: Callable[[], Checkpoint]) -> None:
    """RunError on every worker unless all hold the same state, bit for bit."""
    if workers.count == 1:
        return
    checkpoint = state()
    told = gather(workers, _digest(checkpoint))
    for index, each in enumerate(told):
        if each != told[CHIEF]:
            raise RunError(
                f"at step {checkpoint.step} {workers.name(index)} holds other weights than "
                f"{workers.name(CHIEF)}, so the run cannot go on; are all machines of one kind? "
                "The checkpoint before is kept"
            )


def _digest(checkpoint: Checkpoint) -> bytes:
    digest = hashlib.sha256(str(checkpoint.step).encode())
    for array in checkpoint.arrays:
        digest.update(array.tobytes())
    return digest.digest()


def agreed(workers: Workers, count: int, due: bool) -> tuple[int, bool]:
    """The chief's `count` and `due`. KeyboardInterrupt on all where one was asked to stop."""
    if workers.count == 1:
        if workers.stopped():
            raise KeyboardInterrupt
        return count, due
    own = (count, due) if workers.index == CHIEF else (0, 0)
    count, due, stops = workers.total(np.array([*own, workers.stopped()], np.int32)).tolist()
    if stops:
        raise KeyboardInterrupt
    return count, bool(due)

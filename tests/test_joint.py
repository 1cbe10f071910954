"""What workers tell each other: all get the same, whoever refuses. Threads stand for machines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist import joint
from deepmnist.checkpoints import Checkpoint
from deepmnist.errors import DeepMNISTError, MissingExtraError, RunError, StorageError
from deepmnist.workers import ALONE

COUNT = 3


class Threaded:
    """One of COUNT workers, each a thread: `total` adds up at a barrier."""

    count = COUNT

    def __init__(self, index: int, given: list[Any], barrier: threading.Barrier) -> None:
        self.index, self._given, self._barrier = index, given, barrier
        self.asked = False

    def name(self, index: int) -> str:
        return f"worker {index}"

    def stopped(self) -> bool:
        return self.asked

    def total(self, values: np.ndarray) -> np.ndarray:
        self._given[self.index] = values
        self._barrier.wait(5)
        total = np.sum(np.stack(self._given), axis=0, dtype=np.int32)
        self._barrier.wait(5)
        return total


def together(act: Callable[[Threaded], Any]) -> list[Any]:
    """What `act` returns, or the error of ours that it raises, on each worker."""
    given, barrier = [None] * COUNT, threading.Barrier(COUNT)

    def caught(index: int) -> Any:
        try:
            return act(Threaded(index, given, barrier))
        except (DeepMNISTError, KeyboardInterrupt) as error:
            return error

    with ThreadPoolExecutor(COUNT) as threads:
        return list(threads.map(caught, range(COUNT)))


def same(results: list[Any], kind: type[BaseException]) -> str:
    """The one message of an error that all raised."""
    assert [type(result) for result in results] == [kind] * COUNT
    (text,) = {str(result) for result in results}
    return text


CONTENTS = [b"", b"a", b"\xff\x00\xfe" * 5]


def test_each_gets_what_all_have_whatever_its_length() -> None:
    assert together(lambda w: joint.gather(w, CONTENTS[w.index])) == [CONTENTS] * COUNT


@pytest.mark.parametrize("content", CONTENTS)
def test_each_gets_what_the_chief_has(content: bytes) -> None:
    found = together(lambda w: joint.broadcast(w, content if w.index == 0 else b"other"))
    assert found == [content] * COUNT


def test_only_the_chief_makes_what_all_get() -> None:
    made = []

    def act(workers: Threaded) -> str:
        def make() -> str:
            made.append(workers.index)
            return "state"

        return joint.from_chief(workers, make, str.encode, bytes.decode)

    assert together(act) == ["state"] * COUNT
    assert made == [0]


@pytest.mark.parametrize(
    ("error", "kind"), [(StorageError("disk full"), StorageError), (RunError("x"), RunError)]
)
def test_what_the_chief_refuses_all_refuse(error: DeepMNISTError, kind: type) -> None:
    def fail() -> None:
        raise error

    assert same(together(lambda w: joint.by_chief(w, fail)), kind) == str(error)


def test_an_error_made_of_other_things_than_text_is_told_as_text() -> None:
    def fail() -> None:
        raise MissingExtraError("x", "train")

    results = together(lambda w: joint.by_chief(w, fail))
    assert {str(result) for result in results} == {str(MissingExtraError("x", "train"))}
    assert isinstance(results[1], RunError)


def test_the_chief_s_folder_is_everywhere_while_it_lasts(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"\x00\x01")
    (tmp_path / "inner").mkdir()
    places = []

    def act(workers: Threaded) -> bytes:
        own = tmp_path if workers.index == 0 else Path("nowhere")
        with joint.folder_of_chief(workers, own) as place:
            places.append(place)
            return (place / "weights").read_bytes()

    assert together(act) == [b"\x00\x01"] * COUNT
    assert [place for place in places if place.exists()] == [tmp_path]


# ---- before the first step ----------------------------------------------------------------------


def prepared(facts: list[dict[str, str]]) -> list[Any]:
    return together(lambda w: joint.prepared(w, lambda: w.index, lambda made: facts[made]))


def test_workers_with_equal_facts_begin() -> None:
    assert prepared([{"numpy": "2.2"}] * COUNT) == [0, 1, 2]


def test_a_difference_is_told_to_all_with_who_has_what() -> None:
    told = same(prepared([{"numpy": "2.2", "seed": "0"}] * 2 + [{"numpy": "2.1"}]), RunError)
    assert told.startswith("worker 2 has numpy 2.1, worker 0 2.2; all workers need the same")


def test_what_only_one_has_is_a_difference() -> None:
    told = same(prepared([{}, {"seed": "1"}, {}]), RunError)
    assert told.startswith("worker 1 has seed 1, worker 0 none;")


def test_a_worker_that_cannot_begin_is_told_to_all() -> None:
    def make(workers: Threaded) -> None:
        if workers.index == 1:
            raise StorageError("no data here")

    results = together(lambda w: joint.prepared(w, lambda: make(w), lambda made: {}))
    assert str(results[1]) == "no data here"
    assert {str(results[k]) for k in (0, 2)} == {"worker 1 cannot begin: no data here"}


# ---- while it runs ------------------------------------------------------------------------------


def test_workers_that_hold_other_bits_are_found_and_named() -> None:
    def act(workers: Threaded) -> None:
        weights = np.ones(3, np.float32)
        weights[1] += np.spacing(weights[1]) * (workers.index == 2)
        joint.check_alike(workers, lambda: Checkpoint(7, 1.0 + workers.index, [weights]))

    told = same(together(act), RunError)
    assert told.startswith("at step 7 worker 2 holds other weights than worker 0")


def test_workers_that_hold_the_same_go_on_whatever_their_clocks_say() -> None:
    def act(workers: Threaded) -> None:
        joint.check_alike(workers, lambda: Checkpoint(7, workers.index, [np.ones(3)]))

    assert together(act) == [None] * COUNT


def test_the_chief_says_how_far_to_go_and_when_to_save() -> None:
    assert (
        together(lambda w: joint.agreed(w, 10 * (w.index + 1), w.index == 0))
        == [(10, True)] * COUNT
    )
    assert together(lambda w: joint.agreed(w, 5, w.index > 0)) == [(5, False)] * COUNT


@pytest.mark.parametrize("asked", range(COUNT))
def test_all_stop_where_one_is_asked_to(asked: int) -> None:
    def act(workers: Threaded) -> Any:
        workers.asked = workers.index == asked
        return joint.agreed(workers, 1, False)

    same(together(act), KeyboardInterrupt)


def test_alone_nothing_is_packed_or_told() -> None:
    def never(*given: object) -> Any:
        raise AssertionError

    marker = object()
    assert joint.from_chief(ALONE, lambda: marker, never, never) is marker
    assert joint.prepared(ALONE, lambda: marker, never) is marker
    joint.check_alike(ALONE, never)
    assert joint.agreed(ALONE, 3, True) == (3, True)
    with joint.folder_of_chief(ALONE, Path("x")) as place:
        assert place == Path("x")

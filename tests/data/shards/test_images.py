"""Rows of shards are those of one array; few blocks, files and bytes are asked for."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist import batches, order
from deepmnist.data import load, mapped, split_validation
from deepmnist.data.dataset import Dataset
from deepmnist.data.rows import AllBut
from deepmnist.data.shards import images
from deepmnist.data.shards.images import ShardedImages, ShardFiles
from deepmnist.errors import DataError

N = 1_000
BLOCK = 16


@pytest.fixture(autouse=True)
def few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that a thousand rows do not fit."""
    monkeypatch.setattr(images, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(images, "KEPT_BLOCKS", 12)
    monkeypatch.setattr(images, "MAX_OPEN", 2)


@pytest.fixture
def sharded(folder: Path) -> ShardedImages:
    stored = load(folder).training_part.images
    assert isinstance(stored, ShardedImages)
    return stored


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Every read that is made: first row and how many."""
    made, real = [], ShardFiles.read

    def read(self: ShardFiles, first: int, into: np.ndarray) -> None:
        made.append((first, len(into)))
        real(self, first, into)

    monkeypatch.setattr(ShardFiles, "read", read)
    return made


@given(
    rows=st.lists(st.integers(-N, N - 1), max_size=80),
    start=st.integers(-N - 2, N + 2),
    stop=st.integers(-N - 2, N + 2),
    step=st.sampled_from([1, 3, -1]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_of_shards_are_those_of_the_array(
    sharded: ShardedImages, many: Dataset, rows: list[int], start: int, stop: int, step: int
) -> None:
    numbers = np.array(rows, np.int64)
    for key in (numbers, numbers.reshape(1, -1), slice(start, stop, step)):
        np.testing.assert_array_equal(sharded[key], many.images[key])


@given(
    excluded=st.sets(st.integers(0, N - 1), max_size=300),
    start=st.integers(0, N),
    places=st.lists(st.integers(0, N - 1), min_size=1, max_size=80),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_narrowed_shards_are_the_narrowed_array(
    sharded: ShardedImages, many: Dataset, excluded: set[int], start: int, places: list[int]
) -> None:
    left_out = np.array(sorted(excluded), np.int64)
    narrowed = mapped.select(mapped.select(sharded, AllBut.of(N, left_out)), slice(start, None))
    wanted = np.delete(many.images, left_out, axis=0)[start:]
    assert narrowed.shape == wanted.shape
    np.testing.assert_array_equal(narrowed[3:200], wanted[3:200])
    if len(wanted):
        some = np.array(places) % len(wanted)
        np.testing.assert_array_equal(mapped.gather(narrowed, some), wanted[some])


def test_another_process_reads_the_same_rows_wherever_it_is(
    folder: Path, many: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "COPIED_BYTES", 0)
    monkeypatch.chdir(folder.parent)
    whole = load(folder.name).training_part
    parts = [whole, whole.take(slice(3, 700)), *split_validation(whole)]
    rows = [np.arange(len(part)) for part in parts]
    wanted = [part.gather(each) for part, each in zip(parts, rows, strict=True)]
    packed = pickle.dumps(parts)  # while files are open and blocks are kept
    assert len(packed) < many.images.nbytes / 10
    monkeypatch.chdir("/")
    again = pickle.loads(packed)  # noqa: S301
    assert [part.identity for part in again] == [part.identity for part in parts]
    for part, each, held in zip(again, rows, wanted, strict=True):
        np.testing.assert_array_equal(part.gather(each), held)


def test_one_row_a_mask_and_the_whole_are_an_array_s(sharded: ShardedImages, many: Dataset) -> None:
    np.testing.assert_array_equal(sharded[np.int64(7)], many.images[7])
    np.testing.assert_array_equal(sharded[np.arange(N) % 9 == 0], many.images[::9])
    np.testing.assert_array_equal(np.asarray(sharded), many.images)


@pytest.mark.parametrize("row", [N, -N - 1])
def test_a_row_outside_is_an_index_error(sharded: ShardedImages, row: int) -> None:
    with pytest.raises(IndexError, match="outside the 1000"):
        sharded[np.array([row])]


def test_an_epoch_reads_every_block_once_and_a_worker_its_own(
    sharded: ShardedImages, reads: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(order, "WINDOW_ROWS", 128)
    monkeypatch.setattr(images, "KEPT_BLOCKS", 40)  # a window is 8 blocks, cut at most 2 x 16 times
    plan = batches.Plan(N, 32, 10**6, 0)
    own = {}
    for worker in range(4):
        reads.clear()
        part = sharded.narrowed(slice(None))  # a process of its own
        for step in range(plan.steps_per_epoch):
            part[plan.rows(step, 1)[:, worker * 8 : (worker + 1) * 8]]
        own[worker] = [first for first, _ in reads]
        assert len(set(own[worker])) == len(own[worker])
    blocks = -(-N // BLOCK)
    assert sum(map(len, own.values())) <= blocks + 3  # what lies across is read by both


def test_neighbours_are_one_read(sharded: ShardedImages, reads: list[tuple[int, int]]) -> None:
    sharded[:700]
    assert reads == [(0, 700)]
    sharded[np.array([[35, 36], [47, 40]])]
    assert reads[1:] == [(32, BLOCK)]
    sharded[np.array([33])]
    assert len(reads) == 2


def test_as_many_blocks_and_files_are_held_as_are_allowed(sharded: ShardedImages) -> None:
    for start in range(0, N, 50):
        sharded[np.arange(start, start + 50)]
        assert len(sharded.files._open) <= 2
    assert len(sharded._blocks._slots) == 12
    assert sharded._blocks._room.shape == (12, BLOCK, 784)


def test_threads_may_share_them(sharded: ShardedImages, many: Dataset) -> None:
    asked = [np.random.default_rng(k).integers(0, N, 300) for k in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for rows, found in zip(asked, pool.map(sharded.__getitem__, asked), strict=True):
            np.testing.assert_array_equal(found, many.images[rows])
        runs = [slice(start, start + 50) for start in range(0, N, 7)]
        for run, found in zip(runs, pool.map(sharded.__getitem__, runs), strict=True):
            np.testing.assert_array_equal(found, many.images[run])


def test_a_split_reads_no_image(folder: Path, reads: list[tuple[int, int]]) -> None:
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("deepmnist.data.dataset.LARGE_SET", 500)
        patch.setattr(mapped, "COPIED_BYTES", 0)
        training, validation = split_validation(load(folder).training_part, 0.2, 3)
    assert (len(training), len(validation)) == (800, 200)
    assert isinstance(training.images, ShardedImages)
    assert len(training.images.rows.excluded) == 200
    assert reads == []
    together = np.concatenate([training.gather(slice(None)), validation.gather(slice(None))])
    assert len({image.tobytes() for image in together}) == N


def test_identity_is_of_what_the_index_says_and_of_which_rows(
    folder: Path, reads: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "COPIED_BYTES", 0)
    whole, again = (load(folder).training_part for _ in range(2))
    assert whole.identity == again.identity
    parts = [whole.take(slice(0, 900)), whole.take(slice(1, 901)), whole.take(np.arange(900))]
    assert len({part.identity for part in [whole, *parts]}) == 4
    assert reads == []


@pytest.mark.parametrize("key", [np.array([899]), slice(590, 700)])
def test_a_shard_cut_short_after_it_was_opened_is_told(
    folder: Path, sharded: ShardedImages, key: np.ndarray | slice
) -> None:
    os.truncate(folder / "train-00002-of-00004-images-idx3-ubyte", 16 + 784 * 5)
    with pytest.raises(DataError, match=r"train-00002.* has become shorter since it was opened"):
        sharded[key]


def test_a_shard_of_another_shape_is_told_when_it_is_read(
    folder: Path, sharded: ShardedImages
) -> None:
    path = folder / "train-00001-of-00004-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(content[:8] + (14).to_bytes(4) + (56).to_bytes(4) + content[16:])
    with pytest.raises(DataError, match=r"train-00001.* does not begin as an IDX file of 300 im"):
        sharded[np.array([450])]


def test_a_shard_that_is_gone_is_told_when_it_is_read(folder: Path, sharded: ShardedImages) -> None:
    (folder / "train-00003-of-00004-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match=r"cannot read .*train-00003.*No such file"):
        sharded[950:960]

"""Mapped images: rows are those of the array, nothing stays resident, a file cut short is told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmnist.data import arrays, mapped
from deepmnist.data.dataset import Dataset, split_validation
from deepmnist.data.streamed import Run, StreamedImages
from deepmnist.errors import DataError

HEADER = 100  # bytes before the images
N = 40
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux's /proc")


@pytest.fixture
def path(tiny: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.write_bytes(bytes(HEADER) + np.asarray(tiny.images).tobytes())
    return path


@pytest.fixture
def images(path: Path) -> NDArray[np.uint8]:
    return mapped.open_array(path, np.dtype(np.uint8), (N, 28, 28), HEADER)


@pytest.fixture
def none_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "COPIED_BYTES", 0)


def resident_file_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssFile"))) * 1024


@given(
    begin=st.integers(0, N - 1),
    rows=st.lists(st.integers(0, N - 1), min_size=0, max_size=50),
    start=st.integers(-N - 2, N + 2),
    stop=st.integers(-N - 2, N + 2),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_of_a_mapped_set_are_those_of_the_array(
    images: NDArray[np.uint8], tiny: Dataset, begin: int, rows: list[int], start: int, stop: int
) -> None:
    part, whole = images[begin:], tiny.images[begin:]
    numbers = np.array(rows, np.int64) % len(part)
    for key in (numbers, numbers.reshape(1, -1), slice(start, stop)):
        np.testing.assert_array_equal(mapped.gather(part, key), whole[key])


@pytest.mark.parametrize("key", [np.array([-1, 0]), slice(None, None, -2), np.arange(N) % 3 == 0])
def test_what_is_no_run_of_bytes_is_indexed_as_numpy_does(
    images: NDArray[np.uint8], tiny: Dataset, key: slice | NDArray[np.integer]
) -> None:
    np.testing.assert_array_equal(mapped.gather(images, key), tiny.images[key])


def test_a_row_outside_a_mapped_set_is_an_index_error(images: NDArray[np.uint8]) -> None:
    with pytest.raises(IndexError):
        mapped.gather(images, np.array([N]))


@pytest.mark.usefixtures("none_copied")
@pytest.mark.parametrize("stored", ["array", "map", "rows", "stream"])
def test_any_rows_may_be_taken_however_images_are_stored(
    images: NDArray[np.uint8], tiny: Dataset, stored: str
) -> None:
    whole = np.asarray(tiny.images)
    kinds = {
        "array": whole,
        "map": images,
        "rows": mapped.MappedRows(images, np.arange(N)),
        "stream": StreamedImages([Run(N, lambda: whole)]),
    }
    dataset = Dataset(kinds[stored], tiny.labels)
    for rows in (slice(3, None, 2), slice(None, None, -1), tiny.labels == 7, slice(5, -5)):
        taken = dataset.take(rows)
        np.testing.assert_array_equal(taken.gather(slice(None)), whole[rows])
        np.testing.assert_array_equal(taken.labels, tiny.labels[rows])


def test_a_mask_of_other_rows_is_refused(tiny: Dataset) -> None:
    with pytest.raises(IndexError):
        tiny.take(np.array([True, False]))


@pytest.mark.usefixtures("none_copied")
def test_rows_taken_out_of_a_mapped_set_are_read_when_indexed(
    images: NDArray[np.uint8], tiny: Dataset
) -> None:
    rows = np.array([7, 3, 30, 3])
    taken = mapped.select(images, rows)
    assert isinstance(taken, mapped.MappedRows)
    assert (taken.shape, taken.ndim, taken.dtype, len(taken)) == ((4, 28, 28), 3, np.uint8, 4)
    np.testing.assert_array_equal(np.asarray(taken), tiny.images[rows])
    np.testing.assert_array_equal(taken[2], tiny.images[30])
    np.testing.assert_array_equal(taken[1:3], tiny.images[[3, 30]])
    np.testing.assert_array_equal(mapped.select(taken, slice(1, 3))[:], tiny.images[[3, 30]])
    np.testing.assert_array_equal(
        mapped.gather(taken, np.array([[2], [0]]))[:, 0, 5], tiny.images[[30, 7], 5]
    )


@pytest.mark.usefixtures("none_copied")
def test_a_drawn_split_of_a_mapped_set_copies_no_image(tiny: Dataset, tmp_path: Path) -> None:
    np.save(tmp_path / "train_images.npy", tiny.images)
    np.save(tmp_path / "train_labels.npy", tiny.labels)
    mapped_set = arrays.read_folder(tmp_path).training_part
    assert mapped_set.identity == tiny.identity
    for found, wanted in zip(
        split_validation(mapped_set, 0.25, 0), split_validation(tiny, 0.25, 0), strict=True
    ):
        assert isinstance(found.images, mapped.MappedRows)
        assert found.identity == wanted.identity


def test_few_rows_of_a_mapped_set_are_an_array(images: NDArray[np.uint8]) -> None:
    assert type(mapped.select(images, np.arange(3))) is np.ndarray


def test_arrays_in_memory_pass_as_they_are(tiny: Dataset) -> None:
    assert np.shares_memory(mapped.gather(tiny.images, slice(3, 9)), tiny.images)
    assert np.shares_memory(mapped.select(tiny.images, slice(3, 9)), tiny.images)
    np.testing.assert_array_equal(mapped.gather(tiny.images, np.array([4])), tiny.images[[4]])


@linux
def test_reading_rows_of_a_mapped_file_leaves_no_page_resident(tmp_path: Path) -> None:
    size = 64 * 2**20
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    images = mapped.open_array(path, np.dtype(np.uint8), (size // 784, 28, 28), 0)
    before = resident_file_bytes()
    for start in range(0, len(images), 10_000):
        mapped.gather(images, np.random.default_rng(start).integers(0, len(images), 1_000))
        mapped.gather(images, slice(start, start + 10_000))
    assert resident_file_bytes() - before < size // 8
    assert images[:, 0, 0].sum() == 0  # the plain way, for comparison
    assert resident_file_bytes() - before > size // 2


@pytest.mark.parametrize("rows", [np.array([0, 30]), slice(0, 40)])
def test_a_file_cut_short_after_it_was_opened_is_told(
    path: Path, images: NDArray[np.uint8], rows: slice | NDArray[np.integer]
) -> None:
    os.truncate(path, HEADER + 784 * 20)
    with pytest.raises(DataError, match="has become shorter since it was opened; get it again"):
        mapped.gather(images, rows)


def test_a_file_put_in_its_place_changes_nothing(
    path: Path, images: NDArray[np.uint8], tiny: Dataset
) -> None:
    path.with_suffix(".new").write_bytes(bytes(path.stat().st_size))
    path.with_suffix(".new").replace(path)
    np.testing.assert_array_equal(mapped.gather(images, np.arange(N)), tiny.images)


def test_a_large_read_is_made_in_as_many_parts_as_the_system_wants(
    images: NDArray[np.uint8], tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, offset: read(file, min(size, 999), offset))
    np.testing.assert_array_equal(mapped.gather(images, slice(0, N)), tiny.images)


def test_without_reading_beside_the_map_the_map_is_read(
    images: NDArray[np.uint8], tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pread")
    np.testing.assert_array_equal(mapped.gather(images, np.arange(9)), tiny.images[:9])


@pytest.mark.parametrize("shape", [(N + 1, 28, 28), (2**62, 28, 28)])
def test_a_file_that_holds_less_than_the_array_is_refused(path: Path, shape: tuple) -> None:
    with pytest.raises(DataError, match=r"cannot map .*images: .*; get it again"):
        mapped.open_array(path, np.dtype(np.uint8), shape, HEADER)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot map .*none: .*No such file"):
        mapped.open_array(tmp_path / "none", np.dtype(np.uint8), (1, 28, 28), 0)


def test_the_file_is_closed_with_the_last_array(path: Path) -> None:
    images = mapped.open_array(path, np.dtype(np.uint8), (N, 28, 28), HEADER)
    opened = mapped.map_of(images[5:])
    assert isinstance(opened, mapped.OpenMap)
    descriptor = opened.descriptor
    os.fstat(descriptor)
    del images, opened
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)

"""shards/table.py: each line of a CSV is an image or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from deepmnist.cluster.places import Local
from deepmnist.cluster.records import Images, Piece
from deepmnist.cluster.shards import table
from deepmnist.data import table as lines
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError
from tests.cluster.files import csv_file


def read(folder: Path, text: str | bytes) -> tuple[list[Piece], list[Any]]:
    """The pieces of a file, and all their rows."""
    (folder / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    place = Local(folder)
    entry = place.entry("a.csv")
    assert entry is not None
    pieces = list(table.cut(place, entry))
    return pieces, [found for piece in pieces for found in table.rows(place, piece)]


def images_of(found: list[Any]) -> tuple[list[int], NDArray[np.uint8]]:
    blocks = [each for each in found if isinstance(each, Images)]
    rows = np.concatenate([each.rows for each in blocks])
    return rows.tolist(), np.concatenate([each.images for each in blocks])


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r\r\n"])
@pytest.mark.parametrize("block", [2**22, 20_000, 5_000])
def test_pieces_hold_every_line_once_wherever_they_are_cut(
    tmp_path: Path,
    tiny: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    labelled: bool,
    ending: str,
    block: int,
) -> None:
    monkeypatch.setattr(table, "PART_WEIGHT", 17)
    monkeypatch.setattr(table, "BLOCK_BYTES", block)
    images = np.asarray(tiny.images)
    text = csv_file(images, labelled).replace("\n", ending)
    pieces, found = read(tmp_path, text)
    assert (len(pieces) == 1) is (block == 2**22)
    rows, read_images = images_of(found)
    assert rows == list(range(1, 61))
    assert np.array_equal(read_images, images)
    assert pieces[-1].stop == 60


def test_without_a_header_and_without_a_last_line_end(tmp_path: Path, tiny: Dataset) -> None:
    images = np.asarray(tiny.images)[:3]
    _, found = read(tmp_path, csv_file(images).partition("\n")[2].rstrip("\n"))
    rows, read_images = images_of(found)
    assert rows == [1, 2, 3]
    assert np.array_equal(read_images, images)


def test_a_bad_line_is_told_and_the_others_are_read(tmp_path: Path, tiny: Dataset) -> None:
    written = csv_file(np.asarray(tiny.images)[:8]).splitlines()
    written[3] = written[3].replace(",", ",x", 1)
    written[5] = written[5][:500]
    written.insert(7, "")
    _, found = read(tmp_path, "\n".join(written) + "\n")
    assert images_of(found)[0] == [1, 2, 4, 6, 8, 9]
    bad = [each for each in found if not isinstance(each, Images)]
    assert [(each.row, each.rows) for each in bad] == [(3, 1), (5, 1)]
    assert "line 4, column 2 (pixel0)" in bad[0].reason
    assert "line 6: " in bad[1].reason


def test_the_good_rows_of_a_block_that_is_not_plain_come_at_once(
    tmp_path: Path, tiny: Dataset
) -> None:
    images = np.asarray(tiny.images)[:8]
    written = csv_file(images).replace(",", ", ").splitlines()
    written.insert(4, "1, 2")
    _, (bad, good) = read(tmp_path, "\n".join([*written, ""]))
    assert good.rows.tolist() == [1, 2, 3, 5, 6, 7, 8, 9]
    assert np.array_equal(good.images, images)
    assert (bad.row, bad.rows) == (4, 1)


@pytest.mark.parametrize("length", [70_000, 300_000])
def test_a_line_without_end_takes_no_more_memory_than_a_block(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(table, "BLOCK_BYTES", 100_000)
    header, *rest = csv_file(np.asarray(tiny.images)[:4]).splitlines()
    longest: list[int] = []
    values = table._values

    def watched(block: bytes, *others: Any) -> Any:
        longest.append(len(block))
        return values(block, *others)

    monkeypatch.setattr(table, "_values", watched)
    text = "\n".join([header, rest[0], "1" * length, *rest[1:]]) + "\n"
    _, found = read(tmp_path, text)
    assert images_of(found)[0] == [1, 3, 4, 5]
    (bad,) = [each for each in found if not isinstance(each, Images)]
    assert (bad.row, bad.rows) == (2, 1)
    assert "longer than" in bad.reason
    assert max(longest) <= 100_000 + lines.MAX_LINE_BYTES + 100_000


def test_a_line_without_end_before_the_end_of_a_piece_gives_no_row_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "PART_WEIGHT", 10)
    monkeypatch.setattr(table, "BLOCK_BYTES", 20_000)
    row = ",".join(["1"] * 784)
    for length in (66_000, 75_000):
        for after in range(1, 15):
            _, found = read(tmp_path, "\n".join([*[row] * 8, "1" * length, *[row] * after]))
            assert images_of(found)[0] == [*range(1, 9), *range(10, 10 + after)]


def test_a_file_whose_first_line_is_none_of_images_is_a_data_error(tmp_path: Path) -> None:
    for text in ("", "name,age\nx,1\n", "1,2,3\n"):
        with pytest.raises(DataError, match=r"is empty|the first of|columns; wanted"):
            read(tmp_path, text)


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, csv_file(np.zeros((0, 28, 28), np.uint8))) == ([], [])


@given(some.lists(some.sampled_from(["good", "bad", "blank"]), max_size=12), some.integers(1, 9))
def test_each_line_is_an_image_or_an_error_once(kinds: list[str], weight: int) -> None:
    import tempfile

    row = ",".join(["1"] * 784)
    text = {"good": row, "bad": "1,2", "blank": ""}
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "PART_WEIGHT", weight)
        patch.setattr(table, "BLOCK_BYTES", 2_000)
        whole = "".join(f"{line}\n" for line in [row, *(text[kind] for kind in kinds)])
        _, found = read(Path(name), whole)
    rows = [
        row for each in found for row in (each.rows if isinstance(each, Images) else [each.row])
    ]
    told = [number for number, kind in enumerate(["good", *kinds], 1) if kind != "blank"]
    assert sorted(int(row) for row in rows) == told

"""CSV: the quick reader and the careful one agree, and a fault is named by line and column."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist.data import table
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError

PIXELS = [f"pixel{index}" for index in range(784)]

PATCHES = ["", "0", "9", ",", "1,2", "\n", "\r\n", "-", "255", "256", '"', "a"]


def lines(dataset: Dataset, labelled: bool = True, header: bool = True) -> list[str]:
    rows = dataset.images.reshape(len(dataset), -1).astype(int)
    if labelled:
        rows = np.column_stack([dataset.labels.astype(int), rows])
    head = [",".join(["label"] * labelled + PIXELS)] if header else []
    return head + [",".join(map(str, row)) for row in rows]


def write(path: Path, rows: list[str], newline: str = "\n") -> Path:
    path.write_bytes((newline.join(rows) + newline).encode())
    return path


@pytest.fixture
def quick_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "careful_values", None)


@pytest.mark.usefixtures("quick_only")
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
def test_a_plain_table_is_read_back_by_the_quick_reader(tmp_path, tiny, newline, header) -> None:
    path = write(tmp_path / "train.csv", lines(tiny, header=header), newline)
    read = table.read_csv(path)
    assert np.array_equal(read.images, tiny.images)
    assert np.array_equal(read.labels, tiny.labels)
    assert read.labels.dtype == np.uint8


@pytest.mark.parametrize("header", [True, False])
def test_a_table_without_the_label_column_has_no_labels(tmp_path, tiny, header) -> None:
    read = table.read_csv(write(tmp_path / "test.csv", lines(tiny, labelled=False, header=header)))
    assert read.labels is None
    assert np.array_equal(read.images, tiny.images)


def test_quotes_spaces_blank_lines_and_a_byte_order_mark_are_read(tmp_path, tiny) -> None:
    head, *rows = lines(tiny)
    rows[3] = ",".join(f'"{cell}"' for cell in rows[3].split(","))
    rows[5] = rows[5].replace(",", " , ")
    path = write(tmp_path / "train.csv", [f"\ufeff{head}", *rows[:8], "", *rows[8:], "", ""])
    assert table.read_csv(path).identity == tiny.identity


def test_a_last_line_without_newline_is_read(tmp_path, tiny) -> None:
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines(tiny)))
    assert len(table.read_csv(path)) == 40


def test_blocks_join_without_loss_and_keep_their_line_numbers(tmp_path, tiny, monkeypatch) -> None:
    monkeypatch.setattr(table, "BLOCK_BYTES", 5_000)
    rows = lines(tiny)
    assert table.read_csv(write(tmp_path / "a.csv", rows)).identity == tiny.identity
    rows[33] += ",7"
    with pytest.raises(DataError, match=r"a.csv, line 34: 786 columns"):
        table.read_csv(write(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("seven", "'seven' is no whole number of 0..255"),
        ("", "'' is no whole number"),
        ("3.5", "'3.5' is no whole number"),
        ("5.0", "'5.0' is no whole number"),
        ("-1", "'-1' is no whole number"),
        ("1_0", "'1_0' is no whole number"),
        ("\u0665", ".* is no whole number"),
        ("256", "256 is outside 0..255"),
        ("1000", "1000 is outside 0..255"),
        ("9" * 5000, ".* is no whole number"),
    ],
)
def test_a_bad_pixel_is_named_by_line_and_column(tmp_path, tiny, cell, fault) -> None:
    rows = lines(tiny)
    cells = rows[5].split(",")
    cells[100] = cell
    rows[5] = ",".join(cells)
    with pytest.raises(DataError, match=rf"line 6, column 101 \(pixel99\): {fault}") as caught:
        table.read_csv(write(tmp_path / "a.csv", rows))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("label", ["10", "300", "256"])
def test_a_label_outside_the_classes_is_named_by_line(tmp_path, tiny, label) -> None:
    rows = lines(tiny)
    rows[2] = label + rows[2][1:]
    with pytest.raises(DataError, match=rf"line 3, column 1 \(label\): {label} is outside 0..9"):
        table.read_csv(write(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(("cut", "found"), [(-1, 784), (-100, 685)])
def test_a_row_with_missing_columns_is_named(tmp_path, tiny, cut, found) -> None:
    rows = lines(tiny)
    rows[9] = ",".join(rows[9].split(",")[:cut])
    with pytest.raises(DataError, match=f"line 10: {found} columns; wanted 785"):
        table.read_csv(write(tmp_path / "a.csv", rows))


def test_a_short_row_and_a_long_one_do_not_make_up_for_each_other(tmp_path, tiny) -> None:
    rows = lines(tiny)
    *kept, moved = rows[3].split(",")
    rows[3], rows[4] = ",".join(kept), f"{moved},{rows[4]}"
    with pytest.raises(DataError, match="line 4: 784 columns; wanted 785"):
        table.read_csv(write(tmp_path / "a.csv", rows))


def test_a_row_broken_into_two_lines_is_refused(tmp_path, tiny) -> None:
    rows = lines(tiny)
    cells = rows[3].split(",")
    rows[3:4] = [",".join(cells[:400]), ",".join(cells[400:])]
    with pytest.raises(DataError, match="line 4: 400 columns; wanted 785"):
        table.read_csv(write(tmp_path / "a.csv", rows))


def test_an_endless_line_is_left_soon(monkeypatch) -> None:
    monkeypatch.setattr(table, "BLOCK_BYTES", 4_096)
    file = io.BytesIO(b"1" * 1_000_000)
    with pytest.raises(DataError, match=r"a.csv, line 7 is longer than 65,536 bytes"):
        list(table._blocks(file, Path("a.csv"), 7))
    assert file.tell() < 80_000


@pytest.mark.parametrize("slip", ["-1", "0.5", "3000000000", "", "7x"])
def test_a_first_row_with_a_slip_in_it_is_told_and_not_taken_for_a_header(
    tmp_path, tiny, slip
) -> None:
    first, *rest = lines(tiny, header=False)
    path = write(tmp_path / "a.csv", [slip + first[first.index(",") :], *rest])
    with pytest.raises(DataError, match=rf"a.csv, line 1, column 1 \(label\): .*{slip}"):
        table.read_csv(path)


def test_numbers_after_the_word_label_are_a_header(tmp_path, tiny) -> None:
    """As pandas writes columns that were given no names."""
    head = ",".join(["Label", *map(str, range(784))])
    path = write(tmp_path / "a.csv", [head, *lines(tiny, header=False)])
    assert np.array_equal(table.read_csv(path).images, tiny.images)


def test_a_header_without_a_pixel_names_it(tmp_path, tiny) -> None:
    rows = lines(tiny)
    rows[0] = rows[0].replace(",pixel17,", ",")
    with pytest.raises(DataError, match="line 1: column pixel17 is missing"):
        table.read_csv(write(tmp_path / "a.csv", rows))


def test_a_header_with_pixels_out_of_order_is_refused(tmp_path, tiny) -> None:
    rows = lines(tiny)
    rows[0] = rows[0].replace("pixel17,pixel18", "pixel18,pixel17")
    with pytest.raises(DataError, match="line 1: pixels are repeated or out of order"):
        table.read_csv(write(tmp_path / "a.csv", rows))


def test_a_first_column_that_is_not_the_label_is_refused(tmp_path, tiny) -> None:
    rows = lines(tiny)
    rows[0] = rows[0].replace("label", "id")
    with pytest.raises(DataError, match="the first of 785 columns must be 'label', not 'id'"):
        table.read_csv(write(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n\n", "line 1: 0 columns"),
        (b"hello\n", "line 1: 1 columns; wanted 784"),
        (b"1,2,3\n", "line 1: 3 columns"),
        (b"\xff\xfel\x00a\x00", "line 1 is no line of CSV text"),
        (b"7" * 70_000, "line 1 is longer than 65,536 bytes"),
        (",".join(["label", *PIXELS]).encode() + b"\n", "is empty: it holds no row of numbers"),
        (",".join(["label", *PIXELS]).encode() + b"\n" + b"1" * 70_000, "line 2 is longer than"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path, content, fault) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=fault):
        table.read_csv(path)


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .* No such file"):
        table.read_csv(tmp_path / "none.csv")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 9_000), patch=st.sampled_from(PATCHES))
def test_the_quick_reader_never_differs_from_the_careful_one(tiny, place, patch) -> None:
    block = ("\n".join(lines(tiny.take(slice(0, 4)), header=False)) + "\n").encode()
    place = min(place, len(block) - 1)
    altered = block[:place] + patch.encode() + block[place:]
    layout = table.Layout(Path("a.csv"), labelled=True, classes=10)
    quick = table.plain_values(altered.replace(b"\r\n", b"\n"), layout)
    if quick is not None:
        assert np.array_equal(quick, table.careful_values(altered, 1, layout))

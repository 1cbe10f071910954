"""sources.py: the same listing makes the same parts; each file is in them once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist.cluster import places, sources
from deepmnist.cluster.places import Local
from deepmnist.cluster.records import Kind
from deepmnist.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.png", "b/1.PNG", "b.png", "a.png", "c/d/e.jpg", ".hidden/x.png", ".y.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_files_are_listed_folder_by_folder_in_order(folder: Path) -> None:
    listing = sources.listing(str(folder))
    paths = [entry.path for entry in listing]
    assert paths == ["a.png", "b/1.PNG", "b/2.png", "b.png", "c/d/e.jpg"]
    assert listing.passed_over == 0


def test_what_has_no_rows_is_passed_over_and_counted(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "c" / "labels-idx1-ubyte").write_text("x")
    os.mkfifo(folder / "pipe.png")
    (folder / "loop").symlink_to(folder)
    listing = sources.listing(str(folder))
    assert len(list(listing)) == 5
    assert (listing.passed_over, listing.example) == (2, "c/labels-idx1-ubyte")


def test_a_single_file_is_a_source_under_its_name(folder: Path) -> None:
    listing = sources.listing(str(folder / "b" / "2.png"))
    assert [entry.path for entry in listing] == ["2.png"]
    assert listing.place.address == str(folder / "b")


QUERY = "?region=eu-west-1&endpoint_override=http://localhost:9000"


@pytest.mark.parametrize("query", ["", QUERY])
def test_a_single_file_at_an_address_is_got_to_as_the_address_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    fs = pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed")

    def store(address: str) -> tuple[Any, str]:
        """A store that is reached with the query alone, and has the folder for a bucket."""
        named, mark, how = address.partition("?")
        assert mark + how == query
        return fs.LocalFileSystem(), named.replace("s3://bucket", str(folder))

    monkeypatch.setattr(places, "_filesystem", store)
    listing = sources.listing(f"s3://bucket/b/2.png{query}")
    assert [entry.path for entry in listing] == ["2.png"]
    assert listing.place.address == f"s3://bucket/b{query}"


def test_a_question_mark_in_a_single_file_s_name_is_part_of_it(folder: Path) -> None:
    (folder / "which?.png").write_bytes(b"x")
    assert [entry.path for entry in sources.listing(str(folder / "which?.png"))] == ["which?.png"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a/train-00000.parquet", Kind.parquet),
        ("A.CSV", Kind.table),
        ("train-images-idx3-ubyte", Kind.idx),
        ("t10k-images.idx3-ubyte.gz", Kind.idx),
        ("train-labels-idx1-ubyte", None),
        ("a.tar.gz", Kind.tar),
        ("a.csv.gz", None),
        ("a.jpeg", Kind.picture),
        ("parquet", None),
    ],
)
def test_a_name_says_the_kind(name: str, kind: Kind | None) -> None:
    assert sources.kind_of(name) == kind


def test_parts_are_full_at_a_weight_and_a_function_of_the_listing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PART_WEIGHT", 2 * 64)
    listing = sources.listing(str(folder))
    parts = list(sources.parts(listing.place, listing))
    assert [[piece.path for piece in part.pieces] for part in parts] == [
        ["a.png", "b/1.PNG"],
        ["b/2.png", "b.png"],
        ["c/d/e.jpg"],
    ]
    assert [part.number for part in parts] == [0, 1, 2]
    assert list(sources.parts(Local(folder), sources.listing(str(folder)))) == parts


def test_pages_to_be_read_make_smaller_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PART_WEIGHT", 512)
    listing = sources.listing(str(folder))
    assert len(list(sources.parts(listing.place, listing))) == 1
    assert len(list(sources.parts(listing.place, listing, read=True))) == 5


def test_a_file_that_cannot_be_cut_or_has_no_row_is_in_a_part_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"no")
    empty = np.array([0x803, 0, 28, 28], ">u4").tobytes()
    (tmp_path / "empty-images-idx3-ubyte").write_bytes(empty)
    listing = sources.listing(str(tmp_path))
    (part,) = sources.parts(listing.place, listing)
    assert {piece.path for piece in part.pieces} <= {"bad.parquet", "empty-images-idx3-ubyte"}


def test_a_source_that_is_gone_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; give a file or a folder of data"):
        sources.listing(str(tmp_path / "none"))

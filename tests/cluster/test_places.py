"""places.py: a folder here and one at an address behave the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deepmnist.cluster import places
from deepmnist.cluster.places import Local, Place, Remote
from deepmnist.errors import DataError, StorageError


@pytest.fixture(params=["path", "pyarrow", "fsspec"])
def place(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty place of each kind; pyarrow's own local one stands in for a store."""
    if request.param == "path":
        yield places.at(str(tmp_path / "root"))
    elif request.param == "pyarrow":
        yield Remote(f"file://{tmp_path / 'root'}")
    else:
        pytest.importorskip("fsspec", reason="fsspec is not installed")
        from fsspec.implementations.memory import MemoryFileSystem

        yield places.at("memory://root")
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]


def write(place: Place, path: str, data: bytes) -> None:
    with place.replacing(path) as file:
        file.write(data)


def test_what_is_written_is_listed_and_read(place: Place) -> None:
    place.sweep()
    assert place.entry() is None
    write(place, "b.txt", b"two")
    write(place, "a/deep.txt", b"one")
    entry = place.entry("b.txt")
    assert entry is not None
    assert (entry.path, entry.is_folder, entry.size) == ("b.txt", False, 3)
    assert [(each.path, each.is_folder) for each in place.children()] == [
        ("a", True),
        ("b.txt", False),
    ]
    assert [each.path for each in place.children("a")] == ["a/deep.txt"]
    with place.open("a/deep.txt") as file:
        assert (file.read(2), file.seek(1), file.read()) == (b"on", 1, b"ne")
    assert places.content(place, "b.txt", 10) == b"two"


def test_a_file_is_replaced_whole_or_not_at_all(place: Place) -> None:
    write(place, "a.txt", b"old")

    def torn() -> None:
        with place.replacing("a.txt") as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        torn()
    assert places.content(place, "a.txt", 10) == b"old"
    assert [each.path for each in place.children()] == ["a.txt"]
    write(place, "a.txt", b"new")
    assert places.content(place, "a.txt", 10) == b"new"


def test_leftovers_of_killed_writers_are_swept_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "STALE_S", -60)
    write(place, "folder/a.txt", b"x")
    write(place, "folder/.a.txt.host-1-2.part", b"half")
    write(place, ".b.txt.host-1-2.part", b"half")
    tells_time = place.children("folder")[0].modified_ns != places.NO_TIME
    place.sweep()
    left = [each.path for each in (*place.children(), *place.children("folder"))]
    assert (left == ["folder", "folder/a.txt"]) is tells_time
    assert {"folder", "folder/a.txt"} <= set(left)


def test_what_another_may_be_writing_in_a_store_is_not_swept(tmp_path: Path) -> None:
    here, another = Remote(f"file://{tmp_path}"), Remote(f"file://{tmp_path}")
    with here.replacing("a.txt") as file:
        file.write(b"ha")
        another.sweep()
        file.write(b"lf")
    assert places.content(here, "a.txt", 10) == b"half"


def test_removing_what_is_not_there_is_no_error(place: Place) -> None:
    write(place, "a.txt", b"x")
    place.remove("a.txt")
    place.remove("a.txt")
    assert place.entry("a.txt") is None


def test_what_is_not_there_is_none_and_cannot_be_opened(place: Place) -> None:
    write(place, "a.txt", b"x")
    assert place.entry("b.txt") is None
    with pytest.raises(DataError, match=r"cannot read .*b\.txt: "):
        place.open("b.txt")
    with pytest.raises(DataError, match=r"cannot read .*none: "):
        place.children("none")


def test_where_nothing_can_be_written_the_error_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for each in (Local(tmp_path / "file"), Remote(f"file://{tmp_path}/file")):
        with pytest.raises(StorageError, match=r"cannot write .*file/a\.txt: "):
            write(each, "a.txt", b"x")


def test_an_address_of_no_known_kind_is_a_data_error() -> None:
    with pytest.raises(DataError, match=r"nokind://x: pyarrow knows no nokind://|cannot reach nok"):
        places.at("nokind://x")


def test_inside_is_told_by_whole_names(tmp_path: Path) -> None:
    outer = places.at(str(tmp_path / "a"))
    for path, inner in (("a", True), ("a/b", True), ("a/../a/b", True), ("ab", False)):
        assert places.inside(places.at(str(tmp_path / path)), outer) is inner


@pytest.mark.parametrize("how", ["", "?endpoint_override=localhost:9000&scheme=http"])
def test_inside_looks_at_what_an_address_names_not_at_how_it_is_got(how: str) -> None:
    outer: Any = SimpleNamespace(address=f"s3://b/scans{how}")
    for path, inner in (("s3://b/scans", True), ("s3://b/scans/a", True), ("s3://b/scan", False)):
        place: Any = SimpleNamespace(address=f"{path}{how}")
        assert places.inside(place, outer) is inner


def test_a_question_mark_in_a_folder_s_name_is_part_of_it(tmp_path: Path) -> None:
    assert not places.inside(Local(tmp_path / "a?b"), Local(tmp_path / "a"))


def test_a_name_that_is_no_text_is_shown_and_opened_all_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.png")
    (tmp_path / name).write_bytes(b"x")
    (entry,) = Local(tmp_path).children()
    assert places.shown(entry.path) == "\\xff.png"
    assert places.content(Local(tmp_path), entry.path, 5) == b"x"
    assert places.shown("two\nlines") == "two\\nlines"

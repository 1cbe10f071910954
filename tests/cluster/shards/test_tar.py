"""shards/tar.py: the pictures of an archive, in order; a torn or damaged one says so."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deepmnist.cluster.places import Local
from deepmnist.cluster.records import Picture, Unreadable
from deepmnist.cluster.shards import tar
from tests.cluster.files import tar_file

MEMBERS = [(f"a/{each}.png", bytes([each]) * (700 * each)) for each in range(1, 6)]

END = sum(512 + -(-len(data) // 512) * 512 for _, data in MEMBERS)  # bytes before the end mark


def read(folder: Path, data: bytes, name: str = "a.tar", place: Local | None = None) -> list[Any]:
    (folder / name).write_bytes(data)
    place = place or Local(folder)
    entry = place.entry(name)
    assert entry is not None
    (piece,) = tar.cut(place, entry)
    return list(tar.rows(place, piece))


def contents(found: list[Any]) -> list[tuple[str, int, bytes]]:
    return [(each.path, each.row, each.load()) for each in found if isinstance(each, Picture)]


WHOLE = [(f"a.tar/{name}", row, data) for row, (name, data) in enumerate(MEMBERS, 1)]


def test_every_picture_is_read_in_order(tmp_path: Path) -> None:
    assert contents(read(tmp_path, tar_file(MEMBERS))) == WHOLE


def test_a_gzipped_archive_is_the_same(tmp_path: Path) -> None:
    found = read(tmp_path, gzip.compress(tar_file(MEMBERS)), "a.tgz")
    assert [data for _, _, data in contents(found)] == [data for _, data in MEMBERS]


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    others = [("a/1.cls", b"7" * 600), ("a/._1.png", b"x"), ("README", b"")]
    found = read(tmp_path, tar_file([others[0], MEMBERS[0], *others[1:], MEMBERS[1]]))
    assert contents(found) == WHOLE[:2]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_folders_and_links_do_not_confuse(tmp_path: Path, form: int) -> None:
    buffer = io.BytesIO()
    name = "é" * 60 + "/" + "x" * 120 + ".png"
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for kind, target in ((tarfile.DIRTYPE, ""), (tarfile.SYMTYPE, "y" * 150)):
            for each in (name, "short.png"):
                info = tarfile.TarInfo("a" * 120 if kind == tarfile.DIRTYPE else "b" * 120)
                info.type, info.linkname = kind, target
                archive.addfile(info)
                info = tarfile.TarInfo(each)
                info.size = 3
                archive.addfile(info, io.BytesIO(b"abc"))
    found = read(tmp_path, buffer.getvalue())
    assert [each.path for each in found] == [f"a.tar/{name}", "a.tar/short.png"] * 2
    assert [each.load() for each in found] == [b"abc"] * 4


KINDS = {"hard link": tarfile.LNKTYPE, "link": tarfile.SYMTYPE, "sparse": tarfile.GNUTYPE_SPARSE}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_picture_that_is_no_whole_file_is_told(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a/0.png")
    info.type, info.linkname = kind, "a/1.png"
    found = read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + tar_file(MEMBERS[:1]))
    assert (found[0].path, found[0].row, found[0].rows) == ("a.tar/a/0.png", 1, 1)
    assert "a link or a sparse file" in found[0].reason
    assert contents(found[1:]) == [("a.tar/a/1.png", 2, MEMBERS[0][1])]


@pytest.mark.parametrize("version", ["0.0", "1.0"])
def test_a_sparse_file_of_the_newer_kind_is_told(tmp_path: Path, version: str) -> None:
    major, minor = version.split(".")
    info = tarfile.TarInfo("GNUSparseFile.0/0")
    info.size, info.pax_headers = 3, {
        "GNU.sparse.major": major, "GNU.sparse.minor": minor, "GNU.sparse.name": "a/0.png",
    }  # fmt: skip
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"abc"))
    (told,) = read(tmp_path, buffer.getvalue())
    assert (told.path, told.rows) == ("a.tar/a/0.png", 1)


def test_the_map_of_a_sparse_file_is_passed_over(tmp_path: Path) -> None:
    info = tarfile.TarInfo("holes")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 3
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[148:156], head[482] = b" " * 8, 1
    head[148:156] = b"%06o\0 " % sum(head)
    blocks = bytes(head) + b"\0" * 504 + b"\1" + b"\0" * 7 + bytes(512) + b"abc".ljust(512, b"\0")
    assert contents(read(tmp_path, blocks + tar_file(MEMBERS))) == WHOLE


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_wherever_it_is_torn_what_came_before_is_read_and_the_tear_is_told(
    tmp_path: Path, pack: Any
) -> None:
    data = tar_file(MEMBERS)
    for kept in range(256, END + 1, 256):
        found = read(tmp_path, pack(data[:kept]))
        assert contents(found) == WHOLE[: len(contents(found))]
        assert isinstance(found[-1], Unreadable), kept
        assert found[-1].rows is None
        assert "truncated" in found[-1].reason
    assert contents(found) == WHOLE  # torn between the last member and the mark of the end


def test_a_torn_gzip_gives_the_pictures_before_the_tear(tmp_path: Path) -> None:
    import random

    members = [(f"{k}.png", random.Random(k).randbytes(900)) for k in range(20)]
    packed = gzip.compress(tar_file(members))
    found = read(tmp_path, packed[: len(packed) // 2])
    assert 5 < len(contents(found)) < 15
    assert "ended before" in found[-1].reason


def test_a_damaged_header_ends_it_with_a_word(tmp_path: Path) -> None:
    data = bytearray(tar_file(MEMBERS))
    second = 512 + 1024
    data[second : second + 512] = b"\xaa" * 512
    found = read(tmp_path, bytes(data))
    assert contents(found) == WHOLE[:1]
    assert (found[-1].row, found[-1].rows) == (2, None)
    assert "damaged" in found[-1].reason


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pictures_behind_a_zeroed_header_are_told(tmp_path: Path, pack: Any) -> None:
    data = bytearray(tar_file(MEMBERS))
    second = 512 + 1024
    data[second : second + 512] = bytes(512)
    found = read(tmp_path, pack(bytes(data)))
    assert contents(found) == WHOLE[:1]
    assert (found[-1].row, found[-1].rows) == (2, None)
    assert "goes on after its end mark" in found[-1].reason


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pictures_of_a_second_archive_behind_the_first_are_told(tmp_path: Path, pack: Any) -> None:
    found = read(tmp_path, pack(tar_file(MEMBERS[:2])) + pack(tar_file(MEMBERS[2:])))
    assert contents(found) == WHOLE[:2]
    assert (found[-1].row, found[-1].rows) == (3, None)
    assert "goes on after its end mark" in found[-1].reason


@pytest.mark.parametrize("zeros", [512, 1_024, 1_000, 10_240, 2**20 + 7])
def test_an_end_mark_may_be_a_block_or_many(tmp_path: Path, zeros: int) -> None:
    found = read(tmp_path, tar_file(MEMBERS)[:END] + bytes(zeros))
    assert contents(found) == WHOLE
    assert len(found) == len(WHOLE)


def test_a_gzip_that_is_damaged_behind_the_last_picture_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, gzip.compress(tar_file(MEMBERS))[:-8])
    assert contents(found) == WHOLE
    assert "damaged after its end mark" in found[-1].reason


def test_a_name_that_claims_megabytes_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33
    (refused,) = read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(2_000))
    assert "a name of 8,589,934,592 bytes" in refused.reason


def header(name: str, size: int, bytes_on: bytes = b"") -> bytes:
    """Of a member of so many bytes, be they fewer than none, and what follows."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (size % 2**96).to_bytes(12, "big") if size < 0 else size.to_bytes(12, "big")
    block[124] |= 0x80
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes_on


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("size", [-512, -1, 2**62, 2**70])
@pytest.mark.parametrize("name", ["labels.txt", "0.png"])
def test_a_size_that_cannot_be_ends_it_with_a_word(
    tmp_path: Path, pack: Any, size: int, name: str
) -> None:
    found = read(tmp_path, pack(tar_file(MEMBERS)[:END] + header(name, size, bytes(1_024))))
    assert contents(found)[: len(WHOLE)] == WHOLE
    assert found[-1].rows is None
    assert ("damaged: a size" if size < 0 else "truncated") in found[-1].reason


@pytest.mark.parametrize("text", ["9" * 5_000, "-1", "x"])
def test_a_noted_size_that_is_none_ends_it_with_a_word(tmp_path: Path, text: str) -> None:
    note = f"0 size={text}\n".encode()
    info = tarfile.TarInfo("note")
    info.type, info.size = tarfile.XHDTYPE, len(note)
    padded = note.ljust(-(-len(note) // 512) * 512, b"\0")
    (told,) = read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + padded + tar_file(MEMBERS))
    assert "damaged: a size" in told.reason


class Strict(io.FileIO):
    """A file of a store that does not go beyond its end, as pyarrow's are."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if offset + (self.tell() if whence == 1 else 0) > os.fstat(self.fileno()).st_size:
            raise OSError("cannot seek past the end")
        return super().seek(offset, whence)


class StrictPlace(Local):
    def open(self, path: str) -> Any:
        return io.BufferedReader(Strict(self.path / path))


@pytest.mark.parametrize("kept", [0, 500])
def test_a_store_that_does_not_seek_beyond_the_end_tells_the_tear(
    tmp_path: Path, kept: int
) -> None:
    data = tar_file([*MEMBERS[:1], ("labels.txt", b"x" * 1_000)])[: 2_048 + kept]
    *pictures, told = read(tmp_path, data, place=StrictPlace(tmp_path))
    assert contents(pictures) == WHOLE[:1]
    assert "truncated" in told.reason


def test_a_picture_that_claims_too_much_is_refused_unread(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.size = 2**40
    large, torn = read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(2_000))
    assert (large.path, large.rows) == ("a.tar/a.png", 1)
    assert "larger than 128 MiB" in large.reason
    assert "no end mark" in torn.reason

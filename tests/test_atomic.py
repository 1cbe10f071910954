"""atomic.py: the old file or the new one, never half of one, whatever goes wrong in between."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepmnist import atomic
from deepmnist.errors import StorageError


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(atomic.PART)]


def no_space(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_half_way(path: Path, failure: type[BaseException]) -> None:
    """A writer that fails after its first bytes, be it of a file or of a folder."""
    with atomic.replacing(path) as temporary:
        if path.is_dir():
            filled(temporary, new="2")
        else:
            temporary.write_bytes(b"half of the n")
        raise failure


def filled(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_write_makes_the_folders_above_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_write_replaces_what_was_there(tmp_path: Path) -> None:
    atomic.write(tmp_path / "file", b"a longer old content")
    atomic.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_old_file_stays_when_its_writer_fails(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(failure):
        fail_half_way(path, failure)
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_full_disk_while_writing_leaves_the_old_file_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half(self: Path, data: bytes) -> None:
        with self.open("wb") as file:
            file.write(data[:1])
        no_space()

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(
        StorageError, match=r"cannot write .*file: No space left.*; free some space"
    ):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_at_the_last_moment_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(StorageError, match="No space left"):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_what_is_renamed_is_on_the_disk_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: order.append("disk") or fsync(handle))
    monkeypatch.setattr(os, "replace", lambda old, new: order.append("name") or replace(old, new))
    with atomic.replacing(tmp_path / "folder") as temporary:
        (temporary / "sub").mkdir(parents=True)
        (temporary / "one").write_bytes(b"1")
        (temporary / "sub" / "two").write_bytes(b"2")
    assert order == ["disk", "disk", "name"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/under", "Not a directory|File exists"),
        ("folder", "Is a directory"),
        ("x" * 300, "File name too long"),
        (f"{'x' * 300}/file", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=reason):
        atomic.write(tmp_path / name, b"new")
    assert leftovers(tmp_path) == []
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("path", [Path("."), Path("/")])
def test_a_path_without_a_name_is_a_storage_error(path: Path) -> None:
    with pytest.raises(StorageError, match="it is a folder that is there; give a name in it"):
        atomic.write(path, b"new")


def test_a_forbidden_folder_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: Path, data: bytes) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "write_bytes", forbidden)
    with pytest.raises(StorageError, match=r"Permission denied; .* a folder you may write to"):
        atomic.write(tmp_path / "file", b"new")


# --- folders ------------------------------------------------------------------------------------


def test_a_folder_replaces_a_folder_whole(tmp_path: Path) -> None:
    path = filled(tmp_path / "folder", old="1", both="1")
    with atomic.replacing(path) as temporary:
        filled(temporary, new="2", both="2")
    assert {file.name: file.read_text() for file in path.iterdir()} == {"new": "2", "both": "2"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_stays_when_the_writer_of_the_new_one_fails(tmp_path: Path) -> None:
    path = filled(tmp_path / "folder", old="1")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(path, ZeroDivisionError)
    assert [file.name for file in path.iterdir()] == ["old"]
    assert leftovers(tmp_path) == []


def test_a_folder_comes_back_when_the_new_one_cannot_take_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "folder", old="1")
    replace = os.replace

    def only_the_old(source: Path, target: Path) -> None:
        if (Path(source) / "new").exists():
            no_space()
        replace(source, target)

    monkeypatch.setattr(os, "replace", only_the_old)
    with pytest.raises(StorageError, match="No space left"), atomic.replacing(path) as temporary:
        filled(temporary, new="2")
    assert [file.name for file in path.iterdir()] == ["old"]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("moved", ["old", "new"])
def test_a_folder_comes_back_when_ctrl_c_falls_between_the_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    path = filled(tmp_path / "folder", old="1")
    replace = os.replace

    def interrupted(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", replace)  # it comes once
        if moved == "old":
            replace(source, target)
        raise KeyboardInterrupt

    def second(source: Path, target: Path) -> None:
        replace(source, target)
        monkeypatch.setattr(os, "replace", interrupted)

    monkeypatch.setattr(os, "replace", interrupted if moved == "old" else second)
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path) as temporary:
        filled(temporary, new="2")
    assert [file.name for file in path.iterdir()] == ["old"]
    assert leftovers(tmp_path) == []


def test_a_link_to_a_folder_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target = filled(tmp_path / "target", old="1")
    link = tmp_path / "link"
    link.symlink_to(target)
    with atomic.replacing(link) as temporary:
        filled(temporary, new="2")
    assert not link.is_symlink()
    assert [file.name for file in link.iterdir()] == ["new"]
    assert [file.name for file in target.iterdir()] == ["old"]
    assert leftovers(tmp_path) == []


# --- killed writers -----------------------------------------------------------------------------


def test_a_killed_writer_leaves_the_old_file_and_one_part_that_sweep_removes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    program = (
        "import os, pathlib, sys\nfrom deepmnist import atomic\n"
        "with atomic.replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert path.read_bytes() == b"old"
    assert len(leftovers(tmp_path)) == 1
    atomic.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_writers_of_the_same_process_id_do_not_meet(tmp_path: Path) -> None:
    """As of two containers that share a folder; the last to be done is as good as the first."""
    path = tmp_path / "file"
    with atomic.replacing(path) as first, atomic.replacing(path) as second:
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert path.read_bytes() == b"1"
    assert leftovers(tmp_path) == []


def test_sweep_removes_files_folders_and_links_that_are_parts_and_nothing_else(
    tmp_path: Path,
) -> None:
    filled(tmp_path / f".folder.1{atomic.PART}", half="1")
    (tmp_path / f".file.1{atomic.PART}").write_bytes(b"half")
    kept = [tmp_path / "file.part", tmp_path / ".hidden", filled(tmp_path / "folder", whole="1")]
    kept[0].write_bytes(b"a user's own name")
    kept[1].write_bytes(b"")
    (tmp_path / f".link.1{atomic.PART}").symlink_to(kept[2])
    atomic.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert (kept[2] / "whole").exists()


def test_sweep_of_a_folder_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    atomic.sweep(tmp_path / "none")

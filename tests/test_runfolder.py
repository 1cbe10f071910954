"""runfolder.py: a folder is one run's; what is in it comes back, what was altered does not."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deepmnist import atomic, lock, recipes, runfolder
from deepmnist.errors import RunError, StorageError
from deepmnist.runfolder import RECORD, RESULT, Result, RunRecord, TeacherRecord

RUN = RunRecord(
    dataset="mnist",
    data_dir=None,
    resize=False,
    fallback=False,
    identity="0" * 64,
    config=recipes.configure("fast", seed=3, learning_rate=0.1 + 0.2),
    tensorboard=False,
    versions={"python": "3.11.0"},
)
VALUES: dict[str, Any] = {
    "recipe": "fast",
    "seed": 3,
    "dataset": "mnist",
    "fallback": False,
    "parameters": 215_370,
    "steps": 430,
    "batch_size": 256,
    "precision": "float32",
    "train_seconds": 4.25,
    "images_per_second": 25_900.4,
    "peak_memory_bytes": None,
    "validation_accuracy": 0.9916,
    "temperature": 1.1,
    "test_correct": 9_912,
    "test_n": 10_000,
    "test_accuracy": 0.9912,
    "versions": {"python": "3.11.0"},
    "machine": {"processor": "one", "cores": 2},
}


# --- claiming -----------------------------------------------------------------------------------


def test_a_new_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    assert runfolder.claim(tmp_path / "a" / "run") == tmp_path / "a" / "run"
    assert (tmp_path / "a" / "run").is_dir()


def test_an_empty_folder_can_be_claimed(tmp_path: Path) -> None:
    assert runfolder.claim(tmp_path) == tmp_path


def test_a_folder_with_a_run_is_refused_with_how_to_resume_it(tmp_path: Path) -> None:
    runfolder.write_record(tmp_path, RUN)
    with pytest.raises(
        RunError,
        match=rf"already holds a run; continue it with --resume {re.escape(str(tmp_path))}",
    ):
        runfolder.claim(tmp_path)


def test_a_folder_with_anything_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("mine")
    with pytest.raises(RunError, match="is not empty; name a new folder with --out"):
        runfolder.claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_a_lock_and_what_was_left_half_written_may_be_there(tmp_path: Path) -> None:
    for name in (lock.LOCK, ".run.json.123.part"):
        (tmp_path / name).touch()
    assert runfolder.claim(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "File exists"), ("file/run", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_a_place_that_cannot_be_a_folder_is_a_storage_error(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        StorageError, match=rf"cannot be made a run's folder: {reason}; name another"
    ):
        runfolder.claim(tmp_path / name)


@pytest.mark.parametrize("function", ["mkdir", "exists", "iterdir"])
def test_a_folder_that_may_not_be_used_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def forbidden(*arguments: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, function, forbidden)
    with pytest.raises(StorageError, match="Permission denied; name another with --out"):
        runfolder.claim(tmp_path / "run")


def test_a_claimed_folder_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: Path, data: bytes) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "write_bytes", forbidden)
    with pytest.raises(StorageError, match=r"cannot write .*run\.json: Permission denied"):
        runfolder.write_record(runfolder.claim(tmp_path), RUN)


def test_the_default_folder_tells_data_recipe_and_time() -> None:
    assert re.fullmatch(r"runs/mnist-fast-\d{8}-\d{6}", str(runfolder.default("mnist", "fast")))
    assert runfolder.default("/data/my digits.csv", "fast").name.startswith("my digits.csv-fast-")


# --- the newest ---------------------------------------------------------------------------------


def finished(folder: Path, at: float) -> Path:
    runfolder.write_result(folder, VALUES)
    os.utime(folder / RESULT, (at, at))
    return folder


def test_the_newest_is_the_one_that_finished_last_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished(Path("runs/z"), at=100)
    newest = finished(Path("runs/a"), at=300)
    finished(Path("runs/m"), at=200)
    runfolder.write_record(Path("runs/unfinished"), RUN)
    assert runfolder.newest() == newest


def test_no_finished_run_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runfolder.write_record(Path("runs/unfinished"), RUN)
    with pytest.raises(RunError, match=r"no trained model under runs/; train one .* --model"):
        runfolder.newest()


# --- run.json -----------------------------------------------------------------------------------


def test_a_record_comes_back_equal(tmp_path: Path) -> None:
    runfolder.write_record(tmp_path, RUN)
    assert runfolder.read_record(tmp_path) == RUN


def test_a_record_with_a_teacher_comes_back_equal(tmp_path: Path) -> None:
    taught = msgspec.structs.replace(RUN, teacher=TeacherRecord("/models/a", "1" * 64))
    runfolder.write_record(tmp_path, taught)
    assert runfolder.read_record(tmp_path) == taught


def test_a_record_from_before_there_were_teachers_and_members_is_read(tmp_path: Path) -> None:
    values = msgspec.to_builtins(RUN)
    del values["teacher"]
    for name in ("members", "teacher", "teaching", "teacher_temperature"):
        del values["config"][name]
    (tmp_path / RECORD).write_bytes(msgspec.json.encode(values))
    assert runfolder.read_record(tmp_path) == RUN


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run to resume: it has no run\.json"):
        runfolder.read_record(tmp_path)
    with pytest.raises(RunError, match="holds no run to resume"):
        runfolder.read_record(tmp_path / "none")


def record_with(**changes: Any) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(RUN), **changes})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "truncated"),
        (b'{"dataset": "mn', "truncated"),
        (b'{"dataset": "\xff"}', "utf-8"),
        (b"[]", "Expected `object`"),
        (record_with(surprise=1), "unknown field `surprise`"),
        (record_with(config={"recipe": "fast"}), "missing required field"),
        (record_with(config={**asdict(RUN.config), "batch_size": -1}), "batch_size"),
        (record_with(identity=7), "identity"),
    ],
)
def test_a_record_that_is_torn_or_of_another_version_is_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(RunError, match=rf"run\.json cannot be read: .*{told}"):
        runfolder.read_record(tmp_path)


@pytest.mark.parametrize("read", [runfolder.read_record, runfolder.read_result])
def test_a_folder_that_cannot_be_looked_into_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]
) -> None:
    with pytest.raises(RunError, match=r"json cannot be read: File name too long$"):
        read(tmp_path / ("x" * 300))

    def forbidden(self: Path, **named: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "stat", forbidden)
    with pytest.raises(RunError, match=r"json cannot be read: Permission denied$"):
        read(tmp_path)


def test_a_single_net_keeps_its_own_in_the_folder_itself_and_members_in_one_each() -> None:
    assert runfolder.of_member(Path("c"), 1, members=1) == Path("c")
    assert runfolder.of_member(Path("c"), 1, members=5) == Path("c/member-01")
    assert runfolder.of_member(Path("c"), 12, members=64) == Path("c/member-12")


# --- result.json --------------------------------------------------------------------------------


def test_a_result_comes_back_equal(tmp_path: Path) -> None:
    written = runfolder.write_result(tmp_path, VALUES)
    assert runfolder.read_result(tmp_path) == written == Result(**VALUES, folder=tmp_path)


def test_result_json_holds_the_values_and_not_where_it_lies(tmp_path: Path) -> None:
    runfolder.write_result(tmp_path, VALUES)
    assert msgspec.json.decode((tmp_path / RESULT).read_bytes()) == VALUES


def test_a_result_tells_of_members_and_teacher_where_there_were_any(tmp_path: Path) -> None:
    plain = runfolder.write_result(tmp_path / "plain", VALUES)
    assert (plain.members, plain.teacher_train_seconds) == (1, None)
    values = {**VALUES, "members": 5, "teacher_train_seconds": 60.5}
    runfolder.write_result(tmp_path / "taught", values)
    read = runfolder.read_result(tmp_path / "taught")
    assert read is not None
    assert (read.members, read.teacher_train_seconds) == (5, 60.5)


def test_a_result_that_was_moved_says_where_it_is_now(tmp_path: Path) -> None:
    runfolder.write_result(tmp_path / "old", VALUES)
    (tmp_path / "old").rename(tmp_path / "new")
    result = runfolder.read_result(tmp_path / "new")
    assert result is not None
    assert result.bundle == tmp_path / "new" / "bundle"
    assert result.report == tmp_path / "new" / "report.html"


def test_an_unfinished_run_has_no_result(tmp_path: Path) -> None:
    runfolder.write_record(tmp_path, RUN)
    assert runfolder.read_result(tmp_path) is None


def test_the_summary_is_the_last_line_of_train(tmp_path: Path) -> None:
    result = runfolder.write_result(tmp_path, VALUES)
    assert result.summary() == "Test accuracy is 99.12% (9912 of 10000)"


def test_a_summary_does_not_round_to_all(tmp_path: Path) -> None:
    counted = {"test_correct": 59_998, "test_n": 60_000, "test_accuracy": 59_998 / 60_000}
    result = runfolder.write_result(tmp_path, {**VALUES, **counted})
    assert result.summary() == "Test accuracy is 99.997% (59998 of 60000)"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"null",
        b'"\xff"',
        b'{"\xff": 1}',
        b"{}",
        msgspec.json.encode({**VALUES, "test_accuracy": "99 %"}),
        msgspec.json.encode({**VALUES, "test_correct": 9_912.5}),
        msgspec.json.encode({**VALUES, "machine": None}),
        msgspec.json.encode({name: VALUES[name] for name in VALUES if name != "test_n"}),
    ],
    ids=lambda content: repr(content[:10]),
)
def test_a_result_that_was_tampered_with_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RESULT).write_bytes(content)
    with pytest.raises(RunError, match=r"result\.json cannot be read: "):
        runfolder.read_result(tmp_path)


def test_a_result_cannot_send_its_reader_to_another_folder(tmp_path: Path) -> None:
    (tmp_path / RESULT).write_bytes(msgspec.json.encode({**VALUES, "folder": "/elsewhere"}))
    result = runfolder.read_result(tmp_path)
    assert result is not None
    assert result.folder == tmp_path


def test_a_full_disk_leaves_no_result_so_that_the_run_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "_to_disk", full)
    with pytest.raises(StorageError, match=r"result\.json: No space left"):
        runfolder.write_result(tmp_path, VALUES)
    assert runfolder.read_result(tmp_path) is None


def test_two_runs_of_one_second_get_two_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runfolder.time, "strftime", lambda form: "now")
    first = runfolder.claim(runfolder.default("mnist", "fast"))
    second = runfolder.claim(runfolder.made("mnist", "fast"))
    third = runfolder.claim(runfolder.made("mnist", "fast"))
    named = [first.name, second.name, third.name]
    assert named == ["mnist-fast-now", "mnist-fast-now-2", "mnist-fast-now-3"]


def test_commands_that_start_at_once_are_given_a_folder_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runfolder.time, "strftime", lambda form: "now")
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: runfolder.made("mnist", "fast"), range(40)))
    assert len(set(given)) == 40
    assert all(folder.is_dir() for folder in given)


@pytest.mark.parametrize(("name", "reason"), [("mnist", "File exists"), ("x" * 250, "too long")])
def test_a_default_folder_that_cannot_be_made_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "mnist":
        Path("runs").write_text("mine")
    with pytest.raises(StorageError, match=rf"can be made in runs: .*{reason}; name another"):
        runfolder.made(name, "fast")

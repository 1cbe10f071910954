"""job.py: what is done stays done, what is missing is scored, and nothing else is touched."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepmnist.cluster import job, places, plan, sources, tables
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError, RunError, StorageError
from tests.cluster.files import answers, errors, png, tar_file

SHARDS = 6  # each a part of its own


@pytest.fixture
def shards(tmp_path: Path, tiny: Dataset) -> Path:
    """Six archives of ten pictures, of which two are none."""
    folder, images = tmp_path / "shards", np.asarray(tiny.images)
    folder.mkdir()
    for shard in range(SHARDS):
        members = [(f"{each}.png", png(images[10 * shard + each])) for each in range(10)]
        if shard in (2, 4):
            members[shard] = ("torn.png", b"nothing")
        (folder / f"{shard}.tar").write_bytes(tar_file(members))
    return folder


def test_the_same_command_scores_what_is_missing_alone(
    score: Callable[..., Any], shards: Path, tmp_path: Path, model: Any
) -> None:
    out = tmp_path / "out"
    score(shards, out)
    whole = answers(out), errors(out)
    (out / "part-00002.parquet").unlink()
    (out / "part-00005.parquet").unlink()
    tally = score(shards, out)
    assert (tally.rows, tally.unreadable) == (19, 1)
    assert (answers(out), errors(out)) == whole
    assert score(shards, out).rows == 0


def test_it_goes_on_by_the_runtime_that_was_sooner_when_it_began(
    shards: Path, tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def once_sooner(_: Any, images: int) -> bool:
        asked.append(images)
        return len(asked) == 1

    monkeypatch.setattr(type(model), "onnx_is_sooner", once_sooner)
    for _ in range(2):
        with job.begun(str(shards), str(tmp_path / "out"), model, None, False) as begun:
            assert begun.job.onnx
    assert asked == [begun.manifest.weight]


def test_a_scoring_of_an_older_version_is_told_as_that(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    score(shards, out := tmp_path / "out")
    manifest = json.loads((out / "_manifest.json").read_text())
    del manifest["onnx"]
    (out / "_manifest.json").write_text(json.dumps({**manifest, "schema_version": 2}))
    with pytest.raises(RunError, match="it has schema version 2, not 3; give another --out"):
        score(shards, out)


@pytest.fixture
def store() -> Iterator[str]:
    """An address in a store where nothing is yet."""
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    from fsspec.implementations.memory import MemoryFileSystem

    yield "memory://new/answers"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_a_new_address_is_scored_into_and_gone_on_with(
    score: Callable[..., Any], shards: Path, store: str
) -> None:
    assert score(shards, store).rows == 58
    places.at(store).remove(tables.part_name(1))
    assert score(shards, store).rows == 10


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (True, "begun with read True, not False; go on with the same"),
        (False, "begun in .* meanwhile; give the same command again to take part"),
    ],
)
def test_what_another_began_in_a_store_meanwhile_is_not_written_over(
    score: Callable[..., Any],
    shards: Path,
    store: str,
    model: Any,
    monkeypatch: Any,
    read: bool,
    told: str,
) -> None:
    cut = sources.parts

    def slowly(*given: Any) -> Any:
        yield from cut(*given)
        monkeypatch.setattr(sources, "parts", cut)
        with job.begun(str(shards), store, model, None, read=read):
            pass

    monkeypatch.setattr(sources, "parts", slowly)
    with pytest.raises(RunError, match=told):
        score(shards, store)
    with job.begun(str(shards), store, model, None, read=read) as begun:
        assert begun.manifest.asked.read is read


@pytest.mark.parametrize("done", [[], [2], [0, 3, 5]])
def test_the_weight_left_is_that_of_what_is_missing(
    score: Callable[..., Any], shards: Path, tmp_path: Path, model: Any, done: list[int]
) -> None:
    out = tmp_path / "out"
    if done:
        score(shards, out)
    for part in set(range(SHARDS)) - set(done) if done else []:
        (out / tables.part_name(part)).unlink()
    with job.begun(str(shards), str(out), model, None, read=False) as begun:
        assert begun.done == set(done)
        assert begun.weight == sum(part.weight for part in begun.missing()) > 0


def test_what_killed_writers_left_is_removed(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(shards, out)
    leftovers = [out / ".part-00009.parquet.x-1-a.part", out / "_errors" / ".errors.y-2-b.part"]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    score(shards, out)
    assert not any(leftover.exists() for leftover in leftovers)


def test_errors_of_an_attempt_that_was_not_finished_do_not_stay(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(shards, out)
    (out / "part-00000.parquet").unlink()
    stale = out / tables.errors_name(0)
    stale.write_bytes((out / tables.errors_name(2)).read_bytes())
    score(shards, out)
    assert not stale.exists()


@pytest.mark.parametrize("stage", ["manifest", "plan"])
def test_a_beginning_that_was_killed_is_begun_anew(
    score: Callable[..., Any], shards: Path, tmp_path: Path, stage: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if stage == "manifest":
        (out / "_plan.parquet").write_bytes(b"half")
    (out / "._plan.parquet.x.part").write_bytes(b"half")
    assert score(shards, out).rows == 58


def test_another_model_source_or_option_is_refused_with_its_name(
    score: Callable[..., Any], shards: Path, tmp_path: Path, model: Any
) -> None:
    out = tmp_path / "out"
    score(shards, out)
    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    with pytest.raises(RunError, match=r"begun with read False, not True; go on with the same"):
        score(shards, out, read=True)
    with pytest.raises(RunError, match=r"begun with model ffffffffffff\.\.\., not 000000000000"):
        score(shards, out, model=type(model)(model.make, "0" * 64))
    with pytest.raises(RunError, match=r"begun with source .*shards, not .*0\.tar"):
        score(shards / "0.tar", out)
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == before


@pytest.mark.parametrize("package", ["deepmnist", "ai-edge-litert", "numpy"])
def test_another_version_of_what_decides_an_answer_is_refused_with_its_name(
    score: Callable[..., Any], shards: Path, tmp_path: Path, package: str
) -> None:
    versions = plan.versions()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "versions", lambda: {**versions, package: "9.9"})
        score(shards, tmp_path / "out")
    with pytest.raises(
        RunError, match=rf"begun with {package} 9\.9, not \d.*; go on with the same"
    ):
        score(shards, tmp_path / "out")


def test_a_source_that_changed_is_refused_with_the_file(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(shards, out)
    kept = (shards / "3.tar").read_bytes()
    times = (shards / "3.tar").stat()
    (shards / "1-new.tar").write_bytes(kept)
    with pytest.raises(RunError, match=r"source was another: 1-new\.tar is new; put it back"):
        score(shards, out)
    (shards / "1-new.tar").unlink()
    (shards / "3.tar").unlink()
    with pytest.raises(RunError, match=r"3\.tar is gone"):
        score(shards, out)
    (shards / "3.tar").write_bytes(kept + b"\0")
    with pytest.raises(RunError, match=r"3\.tar has changed"):
        score(shards, out)
    (shards / "3.tar").write_bytes(kept)
    os.utime(shards / "3.tar", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert score(shards, out).rows == 0


def test_a_folder_with_something_else_in_it_is_left_alone(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    (out / ".thesis.tex.part").write_text("some more")
    with pytest.raises(RunError, match=r"out holds thesis\.tex and no _manifest\.json"):
        score(shards, out)
    assert {path.name for path in out.iterdir()} == {"thesis.tex", ".thesis.tex.part"}


def test_answers_with_other_columns_are_refused(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(shards, out)
    pq.write_table(pa.table({"digit": [1]}), out / "part-00000.parquet")
    with pytest.raises(RunError, match=r"has the columns digit int64; this command writes path"):
        score(shards, out)


@pytest.mark.parametrize(
    ("name", "data"),
    [("_manifest.json", b"{}"), ("_manifest.json", b"\xff"), ("_plan.parquet", b"PAR1")],
)
def test_a_damaged_manifest_or_plan_is_refused(
    score: Callable[..., Any], shards: Path, tmp_path: Path, name: str, data: bytes
) -> None:
    score(shards, tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(data)
    with pytest.raises(RunError, match=r"cannot be gone on with: .*give another --out"):
        score(shards, tmp_path / "out")


def test_answers_may_not_go_into_the_source(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    for out in (shards, shards / "out", shards / ".." / "shards" / "deep" / "er"):
        with pytest.raises(RunError, match="lies in the source"):
            score(shards, out)
    assert len(list(shards.iterdir())) == SHARDS


def test_a_source_that_is_not_there_or_of_no_kind_is_an_error_of_one_line(
    score: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist; give a file or a folder"):
        score(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"a\.txt is of no kind that is scored; known are files"):
        score(tmp_path / "a.txt", tmp_path / "out")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"folder holds nothing that is scored; known are files"):
        score(tmp_path / "folder", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_where_nothing_can_be_written_nothing_is(
    score: Callable[..., Any], shards: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file; give a folder"):
        score(shards, tmp_path / "file")
    with pytest.raises(StorageError, match=r"cannot write .*: Not a directory; name a folder"):
        score(shards, tmp_path / "file" / "out")


def test_a_second_command_is_kept_off(
    score: Callable[..., Any], shards: Path, tmp_path: Path, model: Any
) -> None:
    with (
        job.begun(str(shards), str(tmp_path / "out"), model, None, False),
        pytest.raises(RunError, match=r"another command is writing .*; wait for it"),
    ):
        score(shards, tmp_path / "out")
    assert score(shards, tmp_path / "out").rows == 58


# ---- kill -9 ------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-c", "from deepmnist.cli import main; main()", "score", "--local"]


def start(shards: Path, out: Path) -> subprocess.Popen[bytes]:
    given = [str(shards), "--out", str(out), "--quiet"]
    return subprocess.Popen(
        [*COMMAND, *given], stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": PATH}
    )


PATH = str(Path(job.__file__).parents[2])


def test_a_driver_killed_at_random_moments_loses_nothing_and_doubles_nothing(
    shards: Path, tmp_path: Path
) -> None:
    moments, started = random.Random(0), time.monotonic()
    assert start(shards, tmp_path / "whole").wait() == 0
    length = time.monotonic() - started
    whole = answers(tmp_path / "whole"), errors(tmp_path / "whole")
    assert len(whole[0]) == 58
    killed = 0
    for attempt in range(3):
        out = tmp_path / f"cut{attempt}"
        for _ in range(3):
            child = start(shards, out)
            try:
                child.wait(moments.uniform(0.3, 0.9) * length)
            except subprocess.TimeoutExpired:
                child.kill()
                killed += 1
            child.wait()
        assert start(shards, out).wait() == 0
        assert (answers(out), errors(out)) == whole
        assert not list(out.rglob("*.part"))
    assert killed >= 3


def test_a_disk_that_fills_ends_in_one_line_and_leaves_nothing_half_written(
    shards: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands in for the disk's end."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "from deepmnist.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "score", "--local", str(shards), "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": PATH},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write ")
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_a_part_is_whole_or_not_there(
    score: Callable[..., Any], shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills in the middle of the third part, after its errors were begun."""
    flush, flushed = tables.Table.flush, []

    def full(self: tables.Table) -> None:
        flushed.append(1)
        if len(flushed) == 5:
            raise OSError(28, "No space left on device")
        flush(self)

    monkeypatch.setattr(tables.Table, "flush", full)
    with pytest.raises(StorageError, match="No space left on device; free some space"):
        score(shards, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.part"))
    monkeypatch.undo()
    score(shards, tmp_path / "out")
    assert len(answers(tmp_path / "out")) == 58
    assert len(errors(tmp_path / "out")) == 2

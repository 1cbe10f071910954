"""history.py: figures come back as written; a torn line costs itself, a resume what came after."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmnist import atomic, history
from deepmnist.errors import StorageError
from deepmnist.history import METRICS


@pytest.fixture
def written(tmp_path: Path, fake_progress: Any) -> Path:
    """A folder with the figures of steps 10, 20 and 30, the last of them validated."""
    for step in (10, 20):
        history.append(tmp_path, fake_progress(step=step, loss=1 / step))
    history.append(tmp_path, fake_progress(step=30, validation_accuracy=0.5, validation_loss=1.5))
    return tmp_path


def steps(folder: Path) -> list[float]:
    return [line["step"] for line in history.read(folder)]


def test_figures_come_back_in_order_and_in_full(written: Path, fake_progress: Any) -> None:
    lines = history.read(written)
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert lines[0] == {
        "step": 10,
        "epoch": 1.0,
        "loss": 0.1,
        "learning_rate": 0.01,
        "images_per_second": 12_345.6,
        "train_seconds": 2.0,
    }


def test_figures_that_are_none_are_left_out_and_the_others_are_not(written: Path) -> None:
    first, _, last = history.read(written)
    assert "validation_accuracy" not in first
    assert (last["validation_accuracy"], last["validation_loss"]) == (0.5, 1.5)


def test_a_line_is_one_json_object_and_ends(written: Path) -> None:
    text = (written / METRICS).read_bytes()
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 3


def test_there_are_none_before_the_first(tmp_path: Path) -> None:
    assert history.read(tmp_path) == []


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_gives_the_whole_lines_before_the_cut(data: st.DataObject) -> None:
    lines = [b'{"step":%d,"loss":0.5}\n' % step for step in (1, 2, 3)]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / METRICS).write_bytes(whole[:cut])
        # the newline itself is not needed: up to the brace the line is whole
        assert steps(Path(name)) == [1, 2, 3][: (cut + 1) // len(lines[0])]


@pytest.mark.parametrize(
    "torn",
    [b'{"step":4', b"\0\0\0\0", b'{"st\xff', b'{"\xff":1}', b"[1]", b"{}", b'{"loss":null}', b""],
)
def test_a_torn_line_and_what_follows_it_are_dropped(written: Path, torn: bytes) -> None:
    with (written / METRICS).open("ab") as file:
        file.write(torn + b"\n" + b'{"step":50,"loss":0.5}\n')
    assert steps(written) == [10, 20, 30]


@pytest.mark.parametrize(
    ("step", "kept"), [(0, []), (10, [10]), (25, [10, 20]), (99, [10, 20, 30])]
)
def test_rewind_drops_what_came_after_the_step(written: Path, step: int, kept: list[int]) -> None:
    history.rewind(written, step)
    assert steps(written) == kept
    assert [path.name for path in written.iterdir()] == [METRICS]


def test_rewind_mends_a_torn_line_so_that_the_next_one_is_whole(
    written: Path, fake_progress: Any
) -> None:
    with (written / METRICS).open("ab") as file:
        file.write(b'{"step":40,"lo')
    history.rewind(written, 99)
    history.append(written, fake_progress(step=50))
    assert steps(written) == [10, 20, 30, 50]


def test_rewind_of_no_history_starts_one(tmp_path: Path) -> None:
    history.rewind(tmp_path, 0)
    assert history.read(tmp_path) == []


def test_lines_of_an_ensemble_say_whose_they_are(tmp_path: Path, fake_progress: Any) -> None:
    history.append(tmp_path, fake_progress(step=10), member=1)
    history.append(tmp_path, fake_progress(step=10), member=2)
    assert [(line["member"], line["step"]) for line in history.read(tmp_path)] == [(1, 10), (2, 10)]


def test_rewind_of_a_member_leaves_the_lines_of_the_others(
    tmp_path: Path, fake_progress: Any
) -> None:
    for member in (1, 2, 3):
        for step in (10, 20):
            history.append(tmp_path, fake_progress(step=step), member)
    history.rewind(tmp_path, 20, member=1)
    history.rewind(tmp_path, 10, member=2)
    history.rewind(tmp_path, 0, member=3)
    left = [(line["member"], line["step"]) for line in history.read(tmp_path)]
    assert left == [(1, 10), (1, 20), (2, 10)]


def test_a_full_disk_is_a_storage_error(
    written: Path, monkeypatch: pytest.MonkeyPatch, fake_progress: Any
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match=r"metrics\.jsonl: No space left.*; free some space"):
        history.append(written, fake_progress(step=40))


def test_a_full_disk_during_rewind_leaves_the_file(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "_to_disk", full)
    with pytest.raises(StorageError, match="No space left"):
        history.rewind(written, 10)
    assert steps(written) == [10, 20, 30]


def test_lines_of_a_net_trained_apart_become_a_member_s_from_where_they_begin(
    tmp_path: Path, fake_progress: Any
) -> None:
    apart = tmp_path / "apart"
    apart.mkdir()
    for member, step in ((1, 10), (2, 10), (2, 20), (2, 30)):
        history.append(tmp_path, fake_progress(step=step, loss=1.0), member)
    for step in (20, 30, 40):
        history.append(apart, fake_progress(step=step, loss=2.0))
    wanted = [(1, 10, 1.0), (2, 10, 1.0), (2, 20, 2.0), (2, 30, 2.0), (2, 40, 2.0)]
    for _ in range(2):  # cut off, it is done again
        history.take(tmp_path, apart, 2)
        found = [(line["member"], line["step"], line["loss"]) for line in history.read(tmp_path)]
        assert found == wanted
    history.take(tmp_path, tmp_path / "nothing", 1)
    assert len(history.read(tmp_path)) == len(wanted)

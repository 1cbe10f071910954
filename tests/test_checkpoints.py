"""checkpoints.py: what was saved comes back bit for bit, or the one before it does."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmnist import atomic, checkpoints
from deepmnist.checkpoints import Checkpoint
from deepmnist.errors import StorageError


def state(step: int, seconds: float = 1.25) -> Checkpoint:
    generator = np.random.default_rng(step)
    odd = np.array([np.float32(-0.0), np.inf, np.nan, np.float32(1e-45)])  # a denormal, too
    arrays = [
        generator.normal(size=(3, 4)).astype(np.float32),
        odd.astype(np.float32),
        generator.integers(0, 2**32, 2, dtype=np.uint32),
        np.array(step, np.int64),
        np.empty((0, 5), np.float16),
        np.asfortranarray(generator.integers(0, 255, (2, 3)).astype(np.uint8)),
    ]
    return Checkpoint(step, seconds, arrays)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bits(array: NDArray) -> tuple[str, tuple[int, ...], bytes]:
    return str(array.dtype), array.shape, array.tobytes()


def assert_same(found: Checkpoint | None, saved: Checkpoint) -> None:
    assert found is not None
    assert (found.step, found.train_seconds) == (saved.step, saved.train_seconds)
    assert [bits(array) for array in found.arrays] == [bits(array) for array in saved.arrays]


def test_the_newest_is_that_of_the_highest_step_however_many_digits_it_has(tmp_path: Path) -> None:
    for step in (99_999_998, 99_999_999, 100_000_000):
        checkpoints.save(tmp_path, state(step))
    assert_same(checkpoints.latest(tmp_path), state(100_000_000))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with checkpoints of steps 10 and 20."""
    checkpoints.save(tmp_path, state(10))
    checkpoints.save(tmp_path, state(20))
    return tmp_path


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = state(7, seconds=0.1 + 0.2)
    checkpoints.save(tmp_path / "new" / "folder", saved)
    assert_same(checkpoints.latest(tmp_path / "new" / "folder"), saved)


def test_more_than_ten_arrays_keep_their_order(tmp_path: Path) -> None:
    saved = Checkpoint(1, 0.0, [np.full(2, i, np.int64) for i in range(25)])
    checkpoints.save(tmp_path, saved)
    assert_same(checkpoints.latest(tmp_path), saved)


def test_the_newest_two_are_kept_and_the_newest_is_the_latest(tmp_path: Path) -> None:
    for step in (9, 10, 100, 860):
        checkpoints.save(tmp_path, state(step))
    assert names(tmp_path) == [
        "step-00000100.json",
        "step-00000100.npz",
        "step-00000860.json",
        "step-00000860.npz",
    ]
    assert_same(checkpoints.latest(tmp_path), state(860))


def test_a_step_saved_twice_is_the_second(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, state(10, seconds=1.0))
    checkpoints.save(tmp_path, state(10, seconds=2.0))
    assert_same(checkpoints.latest(tmp_path), state(10, seconds=2.0))


def test_there_is_none_in_an_empty_or_missing_folder(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) is None
    assert checkpoints.latest(tmp_path / "none") is None


# --- torn ---------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("tear", [cut, emptied, flipped, folder_instead])
def test_a_torn_file_gives_the_checkpoint_before_it_with_a_warning(
    two: Path, tear: object, suffix: str
) -> None:
    tear(two / f"step-00000020{suffix}")
    with pytest.warns(UserWarning, match=r"step-00000020.*; the checkpoint before it is used"):
        assert_same(checkpoints.latest(two), state(10))


def test_missing_arrays_give_the_checkpoint_before_it_with_a_warning(two: Path) -> None:
    (two / "step-00000020.npz").unlink()
    with pytest.warns(UserWarning, match=r"step-00000020\.json cannot be read"):
        assert_same(checkpoints.latest(two), state(10))


def test_arrays_without_a_manifest_are_no_checkpoint_and_no_cause_to_warn(two: Path) -> None:
    """So a kill between the two files leaves it."""
    (two / "step-00000020.json").unlink()
    assert_same(checkpoints.latest(two), state(10))
    checkpoints.save(two, state(30))
    assert "step-00000020.npz" not in names(two)


def test_two_torn_ones_give_none_with_a_warning_each(two: Path) -> None:
    cut(two / "step-00000010.npz")
    cut(two / "step-00000020.npz")
    with pytest.warns(UserWarning, match="is torn: its hash differs") as caught:
        assert checkpoints.latest(two) is None
    assert [re.findall(r"step-0*(\d+)", str(warning.message)) for warning in caught] == [
        ["20"],
        ["10"],
    ]


def test_a_manifest_under_another_step_s_name_is_torn(two: Path) -> None:
    (two / "step-00000020.json").write_bytes((two / "step-00000010.json").read_bytes())
    with pytest.warns(UserWarning, match="step-00000020 is torn"):
        assert_same(checkpoints.latest(two), state(10))


@given(st.sampled_from([".npz", ".json"]), st.data())
@settings(max_examples=40, deadline=None)
def test_any_byte_flipped_in_either_file_is_noticed(suffix: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoints.save(folder, state(10))
        checkpoints.save(folder, state(20))
        path = folder / f"step-00000020{suffix}"
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="the checkpoint before it is used"):
            assert_same(checkpoints.latest(folder), state(10))


def forge(folder: Path, data: bytes) -> None:
    """Checkpoint 20 with `data` for arrays and a hash that agrees."""
    path = folder / "step-00000020.json"
    values = msgspec.json.decode(path.read_bytes())
    own = checkpoints._sha256(data, values["step"], values["train_seconds"])
    path.with_suffix(".npz").write_bytes(data)
    path.write_bytes(msgspec.json.encode({**values, "sha256": own}))


def saved_bytes(save: object, *arrays: object, **named: object) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arrays, **named)
    return buffer.getvalue()


class Exploit:
    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (99,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip file",
        saved_bytes(np.save, np.zeros(3)),
        saved_bytes(np.savez, other=np.zeros(3)),
        saved_bytes(np.savez, np.array([Exploit()], dtype=object)),
    ],
    ids=["empty", "text", "npy", "other names", "pickle"],
)
def test_arrays_that_save_never_wrote_are_refused_and_run_nothing(two: Path, data: bytes) -> None:
    forge(two, data)
    with pytest.warns(UserWarning, match=r"step-00000020\.npz holds no arrays of deepmnist"):
        assert_same(checkpoints.latest(two), state(10))


def test_the_hash_is_of_the_arrays_and_of_the_figures_beside_them(two: Path) -> None:
    path = two / "step-00000020.json"
    values = msgspec.json.decode(path.read_bytes())
    digest = hashlib.sha256(path.with_suffix(".npz").read_bytes() + b"[20,1.25]")
    assert values == {"step": 20, "train_seconds": 1.25, "sha256": digest.hexdigest()}


# --- no space, killed ---------------------------------------------------------------------------


@pytest.mark.parametrize("full_from", [".npz", ".json"])
def test_a_full_disk_is_a_storage_error_and_leaves_the_last_good_one(
    two: Path, monkeypatch: pytest.MonkeyPatch, full_from: str
) -> None:
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if full_from in self.name:
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"step-00000030.*No space left.*free some space"):
        checkpoints.save(two, state(30))
    monkeypatch.undo()
    assert_same(checkpoints.latest(two), state(20))
    assert {"step-00000010.json", "step-00000020.json"} <= set(names(two))
    checkpoints.save(two, state(30))
    assert_same(checkpoints.latest(two), state(30))


def test_latest_sweeps_what_a_killed_save_left(two: Path) -> None:
    before = names(two)
    (two / f".step-00000030.npz.123{atomic.PART}").write_bytes(b"half")
    checkpoints.latest(two)
    assert names(two) == before

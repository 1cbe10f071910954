"""Sets of any size are made a chunk at a time and read back; memory is told by kind."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scale
from deepmnist.data import Corpus, Dataset, load, mapped

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux's /proc")


def test_a_set_larger_than_its_source_is_made_of_ever_new_changes(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "CHUNK", 60)  # in step with its source, as the true size is
    monkeypatch.setattr(scale, "load", lambda *_: Corpus(tiny, tiny, "tiny"))
    scale.make(tmp_path / "made", 130, None)
    made = load(tmp_path / "made").training_part
    assert len(made) == 130
    assert mapped.map_of(made.images)
    np.testing.assert_array_equal(made.required_labels(), np.resize(tiny.required_labels(), 130))
    assert len({image.tobytes() for image in made.images}) == 130
    assert (made.images.max(axis=(1, 2)) > 100).all()  # no digit is lost


@linux
def test_memory_of_a_mapped_file_is_told_apart_from_the_process_s_own(tmp_path: Path) -> None:
    size = 32 * 2**20
    (tmp_path / "data").write_bytes(bytes(size))
    with scale.Memory() as memory:
        memory.stage("before")
        with (tmp_path / "data").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert np.frombuffer(mapped, np.uint8).sum() == 0
        memory.stage("mapped")
        fresh = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # nobody's before
        own = np.frombuffer(fresh, np.uint8)
        own[:] = 1
        memory.stage("own")
        mapped.close()
    stages = memory.figures()["stages"]
    grown = {
        kind: stages["mapped"][kind] - stages["before"][kind] for kind in ("file", "anonymous")
    }
    assert grown["file"] > 0.9 * size
    assert grown["anonymous"] < 0.5 * size
    assert stages["own"]["anonymous"] - stages["mapped"]["anonymous"] > 0.9 * own.size
    assert memory.figures()["peak_resident_bytes"] >= sum(stages["own"].values()) * 0.9


def test_growth_is_of_the_slowest_larger_size_over_the_smallest() -> None:
    times = {"npy": [20.0, 18.0, 19.0], "shards": [20.0, 23.0, 21.0]}
    runs = [
        {"layout": layout, "images": 10**place, "microseconds_per_image": each}
        for layout, found in times.items()
        for place, each in enumerate(found)
    ]
    assert scale.growth(runs) == pytest.approx({"npy": -0.05, "shards": 0.15})
    assert scale.growth(runs[::-1]) == scale.growth(runs)
    assert scale.growth(runs[::3]) == {"npy": 0, "shards": 0}

"""How time and memory grow with the number of training images: 60 thousand to 6 million.

    python -m benchmarks.scale [--images 60000 --images 600000] [--steps 1000] [--repeats 3]

The images are MNIST's own, changed by the augmenter, in .npy files that are made a chunk at a time,
the same again in shards, and removed at the end (784 bytes an image and layout: 9.4 GB for 6
million). Each training is its own process
and takes the product's way: the folder is loaded, its identity hashed, the last 5,000 held out, and
a fixed number of steps takes batches from all over it. Time per image leaves out the first step,
which traces. Linux only, for what /proc says of memory:

* resident: the most physical memory the process ever had mapped, all kinds together (VmHWM);
* anonymous: its own memory, which only it can give back (RssAnon, looked at 50 times a second);
* file: pages of mapped files, libraries and data, which the system may take back (RssFile).
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.lib import format as npy
from numpy.typing import NDArray

from benchmarks import apart, results, terminal
from deepmnist import recipes
from deepmnist.contract import SIDE
from deepmnist.data import Dataset, load, shard, split_validation

SIZES = [60_000, 600_000, 6_000_000]
CHUNK = 10_000  # images made at once
CHANGES = {"rotation_deg": 10.0, "shift_px": 2.0, "scale": 0.1, "shear": 0.1}
LAYOUTS = ("npy", "shards")
LOOK_S = 0.02  # between two looks at the memory
GIB = 2**30


def main(
    images: Annotated[list[int], typer.Option(help="Training images.")] = SIZES,
    steps: Annotated[int, typer.Option(min=2, help="Of each training.")] = 1_000,
    repeats: Annotated[int, typer.Option(min=1, help="Trainings of each size.")] = 3,
    recipe: Annotated[str, typer.Option(help="What is trained.")] = recipes.DEFAULT_RECIPE,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds mnist/.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the images go for a while.")] = None,
) -> None:
    """Make, train, print, write benchmarks/results/scale.json."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(dir=folder) as name:
        places = {
            (size, layout): Path(name) / f"{size}-{layout}" for size in images for layout in LAYOUTS
        }
        for size in images:
            started = time.perf_counter()
            apart.run(make, places[size, "npy"], size, data_dir)
            apart.run(shard, places[size, "npy"], places[size, "shards"])
            print(f"{size:,} images made in {time.perf_counter() - started:.0f} s", flush=True)
        for _ in range(repeats):
            for (size, layout), place in places.items():
                run = apart.run(train, place, recipe, steps)
                found.setdefault((size, layout), []).append(run)
                print(f"{size:,} images, {layout}: {_told(run)}", flush=True)
    runs = [
        {"images": size, "layout": layout, **_figures(trainings)}
        for (size, layout), trainings in found.items()
    ]
    figures = {
        "recipe": recipe,
        "steps": steps,
        "repeats": repeats,
        "growth": growth(runs),
        "peak_resident_bytes": max(run["peak_resident_bytes"] for run in runs),
        "runs": runs,
    }
    told = ", ".join(f"{share:+.1%} in {layout}" for layout, share in figures["growth"].items())
    print(
        f"time per image: {told}; at most {figures['peak_resident_bytes'] / GIB:.2f} GiB resident"
    )
    print(results.write("scale", figures))


def growth(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By layout, by how much of the smallest size's time an image takes longer at its slowest."""
    found, rising = {}, sorted(runs, key=lambda run: run["images"])
    for layout in LAYOUTS:
        times = [run["microseconds_per_image"] for run in rising if run["layout"] == layout]
        found[layout] = max(times[1:], default=times[0]) / times[0] - 1
    return found


def make(folder: Path, size: int, data_dir: Path | None) -> None:
    """Write `size` changed training images and MNIST's test images as a folder of .npy files."""
    corpus = load("mnist", data_dir)
    folder.mkdir()
    source = corpus.training_part
    with (folder / "train_images.npy").open("wb") as file:
        shape = (size, SIDE, SIDE)
        npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for chunk in _changed(source.images, size):
            file.write(chunk.tobytes())
    np.save(folder / "train_labels.npy", np.resize(source.required_labels(), size))
    np.save(folder / "test_images.npy", corpus.test_part.images)
    np.save(folder / "test_labels.npy", corpus.test_part.required_labels())


def _changed(images: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    """Chunks of `size` images in all: the given ones again and again, each time changed anew."""
    import tensorflow as tf

    from deepmnist.augmentation import augment

    config = replace(recipes.RECIPES[recipes.DEFAULT_RECIPE], **CHANGES)
    for start in range(0, size, CHUNK):
        rows = np.arange(start, min(start + CHUNK, size)) % len(images)
        pixels = tf.constant(images[rows], tf.float32)
        yield augment(pixels, tf.constant([0, start]), config).numpy().round().astype(np.uint8)


def train(folder: Path, recipe: str, steps: int) -> dict[str, Any]:
    """Train on a folder as a run does; seconds, and the memory after each stage."""
    from deepmnist import training

    with Memory() as memory:
        started = time.perf_counter()
        dataset: Dataset = load(folder).training_part
        loaded = time.perf_counter()
        memory.stage("loaded")
        dataset.identity  # noqa: B018
        hashed = time.perf_counter()
        memory.stage("hashed")
        parts = split_validation(dataset)
        split = time.perf_counter()
        memory.stage("split")
        seen: list[training.Progress] = []
        config = recipes.configure(recipe, steps=steps, warmup_batch=1.0)
        training.train(*parts, config, seen.append)
        memory.stage("trained")
    first, last = seen[0], seen[-1]  # the first step traces
    batch = config.batch_size
    seconds = last.train_seconds - first.train_seconds
    return {
        "load_seconds": loaded - started,
        "identity_seconds": hashed - loaded,
        "split_seconds": split - hashed,
        "microseconds_per_image": 1e6 * seconds / ((last.step - first.step) * batch),
        **memory.figures(),
    }


class Memory:
    """What a process holds, looked at again and again from a thread of its own."""

    def __init__(self) -> None:
        self._most = {"anonymous": 0, "file": 0}
        self._stages: dict[str, dict[str, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._over.set()
        self._thread.join()

    def stage(self, name: str) -> None:
        """Keep what is held now under a name."""
        self._stages[name] = {"anonymous": apart.held("RssAnon"), "file": apart.held("RssFile")}

    def figures(self) -> dict[str, Any]:
        """The peaks, bytes, and what was held at each stage."""
        return {
            "peak_resident_bytes": apart.held("VmHWM"),
            "peak_anonymous_bytes": self._most["anonymous"],
            "peak_file_bytes": self._most["file"],
            "stages": self._stages,
        }

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self._most["anonymous"] = max(self._most["anonymous"], apart.held("RssAnon"))
            self._most["file"] = max(self._most["file"], apart.held("RssFile"))


def _figures(trainings: list[dict[str, Any]]) -> dict[str, Any]:
    times = [run["microseconds_per_image"] for run in trainings]
    peaks = ("peak_resident_bytes", "peak_anonymous_bytes", "peak_file_bytes")
    return {
        "microseconds_per_image": statistics.median(times),
        **{peak: max(run[peak] for run in trainings) for peak in peaks},
        "trainings": trainings,
    }


def _told(run: dict[str, Any]) -> str:
    return (
        f"{run['microseconds_per_image']:.1f} µs an image, "
        f"{run['peak_resident_bytes'] / GIB:.2f} GiB resident "
        f"({run['peak_anonymous_bytes'] / GIB:.2f} its own, "
        f"{run['peak_file_bytes'] / GIB:.2f} files), identity {run['identity_seconds']:.1f} s"
    )


if __name__ == "__main__":
    terminal.run(main)

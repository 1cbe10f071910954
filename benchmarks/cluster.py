"""Scoring on one core, on two one-core workers, in bulk and through Ray; and what it holds.

    python -m benchmarks.cluster [--rows 1000000] [--memory-rows 1000000 --memory-rows 10000000]

The rows are MNIST's test images again and again, as Parquet of 28x28 images in files of one part
each. Every figure is a whole scoring of its own, in a process of its own. Its clock starts when as
many parts are done as are scored at once: starting Python, or Ray, is told beside it. The ways take
turns, and each keeps its best time, for the machine may be shared.

* in bulk: the predictor of such a job alone, on all cores, of images that are in memory;
* one worker, two workers: Ray tasks of one core each;
* local: the same parts in one process, on all cores, and on one.

Memory is the most that a process ever had mapped (VmHWM), of every worker. Linux only. Without Ray
(extra `cluster`) its part is left out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import apart, results, terminal
from deepmnist import bundle
from deepmnist.cluster import connection, job, local, on_ray
from deepmnist.cluster.progress import Progress
from deepmnist.cluster.records import PART_WEIGHT
from deepmnist.cluster.scoring import model_of
from deepmnist.data import load
from deepmnist.prediction import usable_cores

MIB = 2**20
AT_ONCE = 4_096  # images, in bulk


def main(
    rows: Annotated[
        int, typer.Option(min=4 * PART_WEIGHT, help="Of each scoring that is timed.")
    ] = 1_000_000,
    memory_rows: Annotated[
        list[int] | None, typer.Option(help="Of those whose memory is looked at.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds, of which the best counts.")] = 3,
    model: Annotated[Path, typer.Option(help="Bundle.")] = bundle.SHIPPED,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds mnist/.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the rows go for a while.")] = None,
) -> None:
    """Make, score, print, write benchmarks/results/cluster.json."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source = Path(name) / "rows"
        apart.run(make, source, rows, data_dir)
        runs = _rounds(source, model, repeats)
        memory = []
        for count in memory_rows or [1_000_000, 10_000_000]:
            larger = Path(name) / f"rows-{count}"
            apart.run(make, larger, count, data_dir)
            memory.append({"rows": count, **_memory(larger, model)})
            print(f"{count:,} rows: {_told(memory[-1])}", flush=True)
    figures = {"rows": rows, "repeats": repeats, "runs": runs, "memory": memory, **_ratios(runs)}
    print(results.write("cluster", figures))


def make(folder: Path, rows: int, data_dir: Path | None) -> None:
    """Write so many rows, in files of a part each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = np.asarray(load("mnist", data_dir).test_part.images)
    folder.mkdir()
    for number, start in enumerate(range(0, rows, PART_WEIGHT)):
        chosen = np.arange(start, min(start + PART_WEIGHT, rows)) % len(images)
        cells = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(784), len(chosen), [None, pa.py_buffer(images[chosen].tobytes())]
        )
        pq.write_table(
            pa.table({"image": cells}), folder / f"{number:05}.parquet", row_group_size=2**14
        )


# ---- the ways -----------------------------------------------------------------------------------


def in_bulk(source: Path, model: Path) -> dict[str, Any]:
    """The job's predictor alone, and so its runtime: what no pipeline around it can exceed."""
    import pyarrow.parquet as pq

    cells = pq.read_table(source)["image"]
    images = np.frombuffer(b"".join(cells.to_pylist()), np.uint8).reshape(-1, 28, 28)
    of_job = model_of(bundle.load(model))
    predictor = of_job.predictor(usable_cores(), of_job.onnx_is_sooner(len(images)))
    predictor.predict_proba(images[:AT_ONCE])  # loads what answers so many
    started = time.perf_counter()
    for start in range(0, len(images), AT_ONCE):
        predictor.predict_proba(images[start : start + AT_ONCE])
    return _figures(len(images), time.perf_counter() - started)


def in_one_process(source: Path, model: Path, cores: int) -> dict[str, Any]:
    """`score --local`; cores: 0 for all."""
    return _scored(source, model, lambda begun, shown: local.run(begun, shown, cores))


def on_workers(source: Path, model: Path, workers: int) -> dict[str, Any]:
    """Ray on this machine, so many tasks at once."""
    return _scored(
        source, model, lambda begun, shown: on_ray.run(begun, shown, None, workers), workers
    )


class _Warm(Progress):
    """Knows when every worker had done a part, so that starting is not counted as scoring."""

    warm_at = 0.0
    warm_rows = 0
    at_once = 1

    def finished(self, *given: Any) -> None:
        super().finished(*given)
        if self.done == self.at_once:
            self.warm_at, self.warm_rows = time.perf_counter(), self.rows


def _scored(source: Path, model: Path, run: Callable[..., Any], at_once: int = 1) -> dict[str, Any]:
    scored = model_of(bundle.load(model))
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=source.parent) as out,
        job.begun(str(source), f"{out}/answers", scored, None, False) as begun,
    ):
        shown = _Warm(begun.manifest.weight, begun.manifest.parts)
        shown.at_once = at_once
        total = run(begun, shown)
        ended = time.perf_counter()
    figures = _figures(total.rows - shown.warm_rows, ended - shown.warm_at)
    return {**figures, "until_warm_seconds": shown.warm_at - started}


def _figures(rows: int, seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "peak_bytes": apart.held("VmHWM"),
    }


def _rounds(source: Path, model: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """The best of each way; they take turns."""
    ways: dict[str, tuple[Any, ...]] = {
        "bulk": (in_bulk,),
        "local": (in_one_process, 0),
        "local_one_core": (in_one_process, 1),
    }
    if connection.installed():
        ways |= {"ray_one_worker": (on_workers, 1), "ray_two_workers": (on_workers, 2)}
    best: dict[str, dict[str, Any]] = {}
    for _ in range(repeats):
        for name, (way, *options) in ways.items():
            found = apart.run(way, source, model, *options)
            print(f"{name}: {found['rows_per_second']:,.0f} rows/s", flush=True)
            if name not in best or found["rows_per_second"] > best[name]["rows_per_second"]:
                best[name] = found
    return best


def _ratios(runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """What the issue asks: two workers against one, and each pipeline against the bulk rate."""
    rates = {name: run["rows_per_second"] for name, run in runs.items()}
    found = {"local_over_bulk": rates["local"] / rates["bulk"]}
    if "ray_two_workers" in rates:
        found["two_workers_over_one"] = rates["ray_two_workers"] / rates["ray_one_worker"]
        found["ray_over_bulk"] = rates["ray_two_workers"] / rates["bulk"]
    print(", ".join(f"{name} {ratio:.2f}" for name, ratio in found.items()), flush=True)
    return found


# ---- memory -------------------------------------------------------------------------------------


def _memory(source: Path, model: Path) -> dict[str, Any]:
    """The most that one process held, and that each of two workers did."""
    found = {"local_peak_bytes": apart.run(in_one_process, source, model, 0)["peak_bytes"]}
    if connection.installed():
        found |= apart.run(on_watched_workers, source, model)
    return found


def on_watched_workers(source: Path, model: Path) -> dict[str, int]:
    """Two workers' peaks, looked at whenever a part is done; and the driver's own."""
    peaks: dict[int, int] = {}

    class Watching(Progress):
        def finished(self, *given: Any) -> None:
            super().finished(*given)
            peaks.update(_workers())

    scored = model_of(bundle.load(model))
    with (
        tempfile.TemporaryDirectory(dir=source.parent) as out,
        job.begun(str(source), f"{out}/answers", scored, None, False) as begun,
    ):
        shown = Watching(begun.manifest.weight, begun.manifest.parts)
        on_ray.run(begun, shown, None, 2)
    return {"worker_peak_bytes": max(peaks.values()), "driver_peak_bytes": apart.held("VmHWM")}


def _workers() -> dict[int, int]:
    """Peaks of the processes that score for Ray, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"ray::_score"):
                lines = (folder / "status").read_text().splitlines()
                (line,) = (line for line in lines if line.startswith("VmHWM:"))
                found[int(folder.name)] = int(line.split()[1]) * 1_024
        except (OSError, ValueError):  # gone meanwhile
            continue
    return found


def _told(figures: dict[str, Any]) -> str:
    peaks = {name: value for name, value in figures.items() if name.endswith("peak_bytes")}
    return ", ".join(
        f"{name.removesuffix('_bytes')} {at / MIB:,.0f} MiB" for name, at in peaks.items()
    )


if __name__ == "__main__":
    terminal.run(main)

"""How near each recipe's training step comes to what the processor can do, and what keeps it away.

    python -m benchmarks.limits [--recipe fast --recipe tutorial] [--rounds 5]

The limit is a plain matrix product in the recipe's own number format, the best of several sizes. It
is measured right before and right after each chunk of steps, since a shared machine changes from
one second to the next; a share is of the mean of those two, and the median over rounds counts.
Steps are steady ones: tracing and compiling are over. Operations come from flops.py, which counts
matrix products alone, so that all else a step does lowers its share. What augmentation adds is told
by the same steps without it, right after.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tensorflow as tf
import typer

from benchmarks import flops, results, terminal, timeline
from deepmnist import recipes, training
from deepmnist.data import load, split_validation

SIZES = (512, 1_024, 2_048)  # side of the square matrices
REPEATS = 3  # of each size, every time the limit is looked at
CHUNK_S = 0.5  # seconds of steps between two looks
ENDLESS = 10**6  # steps: no run ends while it is measured
GIGA = 1e9
PROFILED_STEPS = 30
SHOWN = 15  # operations of a profile


@dataclass(frozen=True)
class Subject:
    """A recipe's training, warm, with the work of a step on one image."""

    run: training.Training
    unchanged: training.Training | None  # the same without augmentation; None where there is none
    forward: int  # matrix operations
    step: int
    dtype: str  # "float32" or "bfloat16"
    count: int  # steps that take about CHUNK_S


def main(
    recipe: Annotated[list[str] | None, typer.Option(help="Default: every net.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Chunks of each recipe.")] = 5,
    profiled: Annotated[str, typer.Option(help="Recipe whose step is taken apart.")] = "fast",
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds mnist/.")] = None,
) -> None:
    """Measure, print, write benchmarks/results/limits.json."""
    names = recipe or of_each_net()
    parts = split_validation(load("mnist", data_dir).training_part)
    subjects = {name: _subject(recipes.configure(name), *parts) for name in names}
    peaks = {dtype: [peak(dtype)] for dtype in ("float32", "bfloat16")}
    chunks: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    added: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, subject in subjects.items():
            chunks[name].append(_beside_peak(subject, peaks[subject.dtype]))
            added[name] += _augmentation(subject)
    figures = {
        "rounds": rounds,
        "peak": {dtype: _peak_figures(found) for dtype, found in peaks.items()},
        "recipes": {
            name: {**_figures(subjects[name], found), **_augmentation_figures(added[name])}
            for name, found in chunks.items()
        },
    }
    if profiled in subjects:
        figures["profile"] = {"recipe": profiled, **_profile(subjects[profiled])}
    _print(figures)
    print(results.write("limits", figures))


def of_each_net() -> list[str]:
    """The first recipe of every architecture."""
    first: dict[str, str] = {}
    for name, each in recipes.RECIPES.items():
        first.setdefault(each.architecture, name)
    return list(first.values())


def _subject(config: recipes.TrainingConfig, *parts: Any) -> Subject:
    """A step of a whole batch; of a taught net without its teacher, which is another's work."""
    alone = replace(config, steps=ENDLESS, warmup_batch=1.0, teacher=None, teaching=0.0)
    run = training.Training(*parts, alone)
    rate = _warm(run)
    unchanged = None
    if run.config.augments:
        none = replace(alone, rotation_deg=0.0, shift_px=0.0, scale=0.0, shear=0.0)
        _warm(unchanged := training.Training(*parts, none))
    dtype = "float32" if run.config.precision == "float32" else "bfloat16"
    count = max(1, round(rate * CHUNK_S / run.plan.batch_size))
    return Subject(run, unchanged, flops.forward(run.net), flops.step(run.net), dtype, count)


def _warm(run: training.Training) -> float:
    """Images a second, after what is done once: tracing, and oneDNN's preparing of its kernels."""
    run.advance(1)
    return _advance(run, 5).images_per_second


def _beside_peak(subject: Subject, peaks: list[dict[int, float]]) -> tuple[float, float]:
    """(images/s, share of peak) of a chunk; the peaks before and after go on the list."""
    before = peak(subject.dtype)
    rate = _advance(subject.run, subject.count).images_per_second
    after = peak(subject.dtype)
    peaks += [before, after]
    limit = (max(before.values()) + max(after.values())) / 2
    return rate, rate * subject.step / GIGA / limit


def _augmentation(subject: Subject) -> list[float]:
    """Of a chunk's time the share that augmentation took; nothing of a net that has none."""
    if subject.unchanged is None:
        return []
    with_it, without = (
        _advance(run, subject.count).images_per_second for run in (subject.run, subject.unchanged)
    )
    return [1 - with_it / without]


def _advance(run: training.Training, count: int) -> training.Progress:
    """`count` steps, or an epoch of a set too small for that, from where an epoch leaves room."""
    count, left = min(count, run.plan.steps_per_epoch), run.plan.alike(run.step)
    if left < count:
        run.advance(left)
    return run.advance(count)


def peak(dtype: str) -> dict[int, float]:
    """GFLOP/s of a square matrix product in `dtype`, the best of a few, by size."""
    return {size: _product(dtype, size) for size in SIZES}


def _product(dtype: str, size: int) -> float:
    left, right = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))
    tf.linalg.matmul(left, right).numpy()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        product = tf.linalg.matmul(left, right)
        product[0, 0].numpy()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds) / GIGA


def _peak_figures(found: list[dict[int, float]]) -> dict[str, Any]:
    by_size = {str(size): max(each[size] for each in found) for size in SIZES}
    looks = [max(each.values()) for each in found]
    return {"gflops_best": max(looks), "gflops_by_size": by_size, "gflops": results.spread(looks)}


def _figures(subject: Subject, chunks: list[tuple[float, float]]) -> dict[str, Any]:
    rates = [rate for rate, _ in chunks]
    shares = [share for _, share in chunks]
    return {
        "flops_per_image_forward": subject.forward,
        "flops_per_image_step": subject.step,
        "dtype": subject.dtype,
        "batch_size": subject.run.plan.batch_size,
        "images_per_second_median": statistics.median(rates),
        "images_per_second": results.spread(rates),
        "gflops": statistics.median(rates) * subject.step / GIGA,
        "share_of_peak": statistics.median(shares),
        "shares_of_peak": shares,
    }


def _augmentation_figures(shares: list[float]) -> dict[str, Any]:
    if not shares:
        return {}
    return {"augmentation_share": statistics.median(shares), "augmentation_shares": shares}


def _profile(subject: Subject) -> dict[str, Any]:
    """A chunk of steps taken apart by layer and operation; milliseconds are of one step.

    Two operations may run at once and slow each other down, so `share` is of their summed time.
    """
    run, steps = subject.run, min(PROFILED_STEPS, subject.run.plan.steps_per_epoch)
    plain = run.plan.batch_size / _advance(run, steps).images_per_second
    events = timeline.record(lambda: _advance(run, steps))
    span = max(event.end for event in events) - min(event.start for event in events)
    names = [*(layer.name for layer in run.net.layers), run.optimizer.name]
    seconds = timeline.by_layer(events, names)
    total = sum(seconds.values())
    return {
        "steps": steps,
        "ms_per_step": 1e3 * plain,
        "ms_per_step_profiled": 1e3 * span / steps,
        "ms_nothing_runs": 1e3 * (span - timeline.covered(events)) / steps,
        "ms_of_operations": 1e3 * total / steps,
        "layers": _layers(subject, seconds, steps),
        "operations": [
            {"layer": layer, "kind": kind, "ms": 1e3 * own / steps, "share": own / total}
            for (layer, kind), own in list(seconds.items())[:SHOWN]
        ],
    }


def _layers(
    subject: Subject, seconds: dict[tuple[str, str], float], steps: int
) -> list[dict[str, Any]]:
    """Each layer's time in a step and the matrix operations it does in it, for the whole batch."""
    times: dict[str, float] = defaultdict(float)
    for (layer, _), own in seconds.items():
        times[layer] += own
    work = {layer.layer: layer.step for layer in flops.count(subject.run.net)}
    batch, total = subject.run.plan.batch_size, sum(times.values())
    return [
        {
            "layer": layer,
            "ms": 1e3 * own / steps,
            "share": own / total,
            "gflops": work.get(layer, 0) * batch * steps / own / GIGA,
        }
        for layer, own in sorted(times.items(), key=lambda item: -item[1])
    ]


def _print(figures: dict[str, Any]) -> None:
    for dtype, values in figures["peak"].items():
        print(f"matrix product, {dtype}: {values['gflops_best']:.0f} GFLOP/s at best")
    for name, values in figures["recipes"].items():
        print(
            f"{name}: {values['flops_per_image_step'] / 1e6:.2f} MFLOP an image and step, "
            f"{values['images_per_second_median']:,.0f} images/s, {values['gflops']:.1f} GFLOP/s, "
            f"{values['share_of_peak']:.0%} of the {values['dtype']} peak"
        )
        if "augmentation_share" in values:
            print(f"  augmentation takes {values['augmentation_share']:.1%} of its steps")
    profile = figures.get("profile", {"layers": [], "operations": []})
    for row in profile["layers"]:
        time_of_step = f"{row['ms']:6.2f} ms {row['share']:4.0%}"
        print(f"  {row['layer']:12} {time_of_step} {row['gflops']:6.1f} GFLOP/s")
    for row in profile["operations"]:
        print(f"  {row['layer']:12} {row['kind']:28} {row['ms']:6.2f} ms {row['share']:4.0%}")


if __name__ == "__main__":
    terminal.run(main)

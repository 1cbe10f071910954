"""Two workers of one core each against one: how much faster, and what the sums between them take.

    python -m benchmarks.workers [--recipe balanced --recipe accurate] [--rounds 5] [--steps 300]

Every worker is a process held to one core, with one thread, so that two of them fit a machine of
two cores. One and two workers take turns and each keeps its best rate over a chunk of steady steps,
for the machine may be shared. A sum is timed inside the graph, many in a row, as a step makes them:
of one number, which tells what a round costs, and of as many as the recipe's net has weights.

Then the curves: the loss of every step of 1, 2 and 4 workers from the same start, in float32, and
the largest difference between them, as a share of the loss. Sums in another order round otherwise,
and training makes that larger from step to step; how much so, one worker with two threads instead
of one tells, which is no other training either. Linux only.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import results, terminal
from deepmnist import recipes
from deepmnist.roster import Roster

CURVES = (1, 2, 4)  # workers
CHUNK_S = 5.0  # seconds of steps that are timed at once
SUMS = 200  # in a row, of each size
ENDLESS = 10**6  # steps: no run ends while it is measured


def main(
    recipe: Annotated[list[str] | None, typer.Option(help="Default: balanced, accurate.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns, of which the best counts.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Of the curves.")] = 300,
    dataset: Annotated[str, typer.Option(help="Known name.")] = "mnist",
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds mnist/.")] = None,
) -> None:
    """Measure, print, write benchmarks/results/workers.json."""
    data = dataset, data_dir
    speeds, curves = {}, {}
    for name in recipe or ["balanced", "accurate"]:
        config = recipes.configure(name, steps=ENDLESS, warmup_batch=1.0, members=1)
        speeds[name] = _speed_up(config, data, rounds)
        print(name, speeds[name], flush=True)
        config = recipes.configure(name, steps=steps, members=1, precision="float32")
        curves[name] = _curves(config, data)
        print(name, "largest difference", curves[name]["largest_difference"], flush=True)
    print(results.write("workers", {"rounds": rounds, "speeds": speeds, "curves": curves}))


def _speed_up(config: recipes.TrainingConfig, data: Any, rounds: int) -> dict[str, Any]:
    turns = [
        (on(1, partial(speed, config, data))[0], on(2, partial(speed, config, data))[0])
        for _ in range(rounds)
    ]
    one, two = (max(turn[k]["images_per_second"] for turn in turns) for k in (0, 1))
    sums = [turn[1] for turn in turns]
    return {
        "images_per_second": {"one": one, "two": two},
        "speed_up": two / one,
        "steps_per_second": two / config.batch_size,
        "sum_of_one_number_ms": min(turn["sum_of_one_number_ms"] for turn in sums),
        "sum_of_all_weights_ms": min(turn["sum_of_all_weights_ms"] for turn in sums),
        "weights": sums[0]["weights"],
    }


def _curves(config: recipes.TrainingConfig, data: Any) -> dict[str, Any]:
    losses = {str(count): _alike(on(count, partial(curve, config, data))) for count in CURVES}
    threads = _alike(on(1, partial(curve, config, data), threads=2))
    apart = {name: _apart(each, losses["1"]) for name, each in losses.items() if name != "1"}
    return {
        "largest_difference": max(apart.values()),
        "largest_difference_of_two_threads": _apart(threads, losses["1"]),
        "losses": losses,
    }


def _alike(losses: list[list[float]]) -> list[float]:
    assert all(each == losses[0] for each in losses), "workers differ"
    return losses[0]


def _apart(losses: list[float], alone: list[float]) -> float:
    return float(np.abs(np.array(losses) / np.array(alone) - 1).max())


# ---- what a worker does -------------------------------------------------------------------------


def on(count: int, work: Callable[[Any], Any], threads: int = 1) -> list[Any]:
    """What `work` returns on each of `count` workers that train together, a core each."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        addresses = tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context) as processes:
        rosters = [Roster(index, addresses) for index in range(count)]
        return list(processes.map(partial(_worker, work, threads), rosters))


def _worker(work: Callable[[Any], Any], threads: int, roster: Roster) -> Any:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[roster.index % len(cores)]})
    os.environ.update(TF_NUM_INTRAOP_THREADS=str(threads), TF_CPP_MIN_LOG_LEVEL="3")
    from deepmnist import distribution, workers

    alone = contextlib.nullcontext(workers.ALONE)
    with alone if len(roster.addresses) == 1 else distribution.joined(roster) as together:
        return work(together)


def speed(config: recipes.TrainingConfig, data: Any, workers: Any) -> dict[str, Any]:
    """Images/s of all workers over CHUNK_S of steady steps; how long sums take."""
    run = _training(config, data, workers)
    run.advance(2)
    per_s = 20 / _seconds(lambda: run.advance(20))
    count = workers.total(np.array([per_s * CHUNK_S], np.int32))[0] // workers.count
    rate = 0.0
    for _ in range(2):
        count = min(max(1, int(count)), run.plan.alike(run.step))
        rate = max(rate, run.advance(count).images_per_second)
    weights = sum(int(np.prod(each.shape)) for each in run.net.trainable_variables)
    return {
        "images_per_second": rate,
        "weights": weights,
        "sum_of_one_number_ms": _sum_ms(workers, 1),
        "sum_of_all_weights_ms": _sum_ms(workers, weights),
    }


def curve(config: recipes.TrainingConfig, data: Any, workers: Any) -> list[float]:
    """The loss of every step."""
    run = _training(config, data, workers)
    return [run.advance(1).loss for _ in range(run.plan.steps)]


def _training(config: recipes.TrainingConfig, data: Any, workers: Any) -> Any:
    from deepmnist import training
    from deepmnist.data import load, split_validation

    sets = split_validation(load(*data).training_part, config.validation_share)
    return training.Training(*sets, config, workers=workers)


def _sum_ms(workers: Any, size: int) -> float:
    """Of `size` float32 numbers, in a row, each waiting for the one before."""
    import tensorflow as tf

    def body(k: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (summed,) = workers.run(workers.summed, [values])
        return k + 1, summed / workers.count

    @tf.function(autograph=False)
    def sums() -> tf.Tensor:
        return tf.while_loop(lambda k, _: k < SUMS, body, (0, tf.ones(size)))[1]

    sums()
    return 1e3 * min(_seconds(sums) for _ in range(3)) / SUMS


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    terminal.run(main)

"""LiteRT, ONNX Runtime, OpenVINO, TensorFlow and the product, side by side on our nets.

    pip install 'deepmnist[train,bench]'
    python -m benchmarks.inference [--net fast --net tutorial] [--rounds 9]

From uint8 images to probabilities in float32: one image by itself, images one by one in a row, and
10,000 at once, with one thread and with one a core. Answers must agree before anything is timed.
Nets are untrained and images random: the work is the same, and no answer saves any of it.

Each runtime is timed in every way that it may be used: one image by one of its threads or by all;
many so many at a time, its threads sharing a batch or each with its own. What counts is the way
with the best median of the very turns, which is as kind to the peers as can be. All take turns, so
that a busy moment of a shared machine falls on all of them; read the medians, and their ratios
before either. The product has one way, its own choice. For one image it is as anyone opens it, and
has answered some thousands, as they come, before it is timed; by which runtime it answers many is
decided before, as by `deepmnist score` before long work. What any runtime takes to load is left
out. Each net and number of threads has a process of its own, held to as many cores (TensorFlow's
threads can be set only once).
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib import metadata
from operator import itemgetter
from typing import Annotated, Any, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import results, terminal
from deepmnist import machine, recipes
from deepmnist.contract import SIDE
from deepmnist.data.dataset import DIGITS
from deepmnist.prediction import LiteRTPredictor, onnx_is_sooner, usable_cores

NETS = ["fast", "distilled", "tutorial"]
PRODUCT = "deepmnist"  # LiteRTPredictor.predict_proba
ENDLESS = 10**9  # images, long work for any net
ACQUAINTED = 125  # turns of one image after which the product has tried all its ways
TOLERANCE = 1e-4  # largest difference of two runtimes' probabilities
BATCHES = (32, 64, 256)  # each runtime takes many images in whichever it is fastest at
AGREEING = 4_097  # images whose answers must agree; of no batch a multiple
ONE_IMAGE_TURNS, CALLS = 5, 20  # for one image: turns a round, calls a turn
PAUSE_S = 0.01  # in which a runtime's threads stop waiting for more work
APART_S = 0.002  # before an image that comes by itself
PEERS = ("onnxruntime", "openvino", "onnx", "tf2onnx")

Answer = Callable[[NDArray[np.uint8], NDArray[np.float32]], None]  # see runtimes.Answer
Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Named = TypeVar("Named", bound=Hashable)
Ways = Mapping[str, Mapping[str, Classify]]  # of each runtime, by what they are called


def main(
    net: Annotated[list[str], typer.Option(help="A recipe, for its net.")] = NETS,
    rounds: Annotated[int, typer.Option(help="Turns each takes.")] = 9,
    images: Annotated[int, typer.Option(help="At once, in bulk.")] = 10_000,
) -> None:
    """Measure, print a table, write benchmarks/results/inference.json."""
    versions = machine.versions() | _peers()
    nets: dict[str, dict[str, Any]] = {name: {} for name in net}
    for name, threads in itertools.product(net, sorted({1, usable_cores()})):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            figures = process.submit(measure, name, threads, rounds, images).result()
        nets[name][str(threads)] = figures
        _print(name, threads, figures)
    figures = {"versions": versions, "precision": "float32", "rounds": rounds, "images": images}
    figures["architectures"] = {name: recipes.RECIPES[name].architecture for name in net}
    print(results.write("inference", {**figures, "nets": nets}))


def measure(name: str, threads: int, rounds: int, count: int) -> dict[str, Any]:
    """Each runtime's figures for one net, in this process, with so many threads."""
    _hold_to(threads)
    from benchmarks import runtimes

    runtimes.limit_tensorflow(threads)
    net = runtimes.prepare(name)
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE)).astype(np.uint8)
    by_onnx = onnx_is_sooner(net.litert, len(DIGITS), ENDLESS)
    choice = f"its own choice: {'ONNX Runtime' if by_onnx else 'LiteRT'}"
    many: dict[str, dict[str, Classify]] = {PRODUCT: {choice: _product(net.litert, by_onnx)}}
    one: dict[str, dict[str, Classify]] = {}
    for runtime, make in runtimes.RUNTIMES.items():
        one[runtime] = {
            told(1, each): in_batches([make(net, 1, each)], 1) for each in sorted({1, threads})
        }
        many[runtime] = bulk_ways(partial(make, net), threads, make is runtimes.with_tensorflow)
    difference = check_agreement(
        [way for ways in many.values() for way in ways.values()], images[:AGREEING]
    )
    turns = ONE_IMAGE_TURNS * rounds
    alone, in_a_row = (
        _of_one_image(net.litert, one, images[:1], pause_s, turns) for pause_s in (APART_S, 0)
    )
    rates = best(many, lambda way: partial(images_per_second, way, images), rounds, max)
    figures = {
        runtime: {
            "one_image_us": alone[runtime],
            "in_a_row_us": in_a_row[runtime],
            "images_per_second": rates[runtime],
        }
        for runtime in many
    }
    return {"largest_difference": difference, "runtimes": figures, **standing(figures)}


def _product(runtime: bytes, onnx: bool | None = None) -> Classify:
    return LiteRTPredictor(runtime, DIGITS, onnx=onnx).predict_proba


def _of_one_image(
    litert: bytes, ways: Ways, image: NDArray[np.uint8], pause_s: float, turns: int
) -> dict[str, dict[str, Any]]:
    """Microseconds for `image`, each after a pause: of the product, and of each runtime's best way.

    The product learns anew which way is the soonest: that depends on the pauses.
    """
    ways = {PRODUCT: {"its own choice": _product(litert)}, **ways}
    check_agreement([way for some in ways.values() for way in some.values()], image)
    acquaint(partial(one_image_us, ways[PRODUCT]["its own choice"], image, pause_s))
    return best(ways, lambda way: partial(one_image_us, way, image, pause_s), turns, min)


def best(
    ways: Ways,
    timer: Callable[[Classify], Callable[[], float]],
    rounds: int,
    choose: Callable[..., dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Of each runtime the way with the best median, min's or max's: its figures and its name."""
    timers = {
        (runtime, way): timer(classify)
        for runtime, some in ways.items()
        for way, classify in some.items()
    }
    found = in_turns(timers, rounds)
    return {
        runtime: choose(
            ({**found[runtime, way], "way": way} for way in some), key=itemgetter("median")
        )
        for runtime, some in ways.items()
    }


def acquaint(one_image: Callable[[], float]) -> None:
    """Have one image answered until the product has tried every way to, and chosen the soonest."""
    for _ in range(ACQUAINTED):
        one_image()


def bulk_ways(
    make: Callable[[int, int], Answer], threads: int, shared: bool = False
) -> dict[str, Classify]:
    """Every size of batch, its threads within one batch or each at a batch of its own.

    shared: its threads are the process's, so that all batches have them.
    """
    return {
        f"{size} at a time, {told(workers, threads, shared)}": in_batches(
            [make(size, threads // workers) for _ in range(workers)], size
        )
        for size in BATCHES
        for workers in sorted({1, threads})
    }


def told(workers: int, threads: int, shared: bool = False) -> str:
    """How a runtime's threads are used: so many batches at once, each by its part of them."""
    if shared:
        return f"{workers} at once"
    own = threads // workers
    return f"{workers} x {own} thread{'s' if own > 1 else ''}"


def in_batches(answers: Sequence[Answer], size: int) -> Classify:
    """Share images out between `answers`, each on a thread of its own, `size` at a time.

    What is left over is answered again with the images before it, so that every batch is whole.
    """
    pool = ThreadPoolExecutor(len(answers))

    def classify(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities = np.empty((len(images), len(DIGITS)), np.float32)
        starts = iter([*range(0, len(images) - size, size), len(images) - size])

        def work(answer: Answer) -> None:
            for start in starts:
                answer(images[start : start + size], probabilities[start : start + size])

        if len(answers) == 1:
            work(answers[0])
        else:
            list(pool.map(work, answers))
        return probabilities

    return classify


def check_agreement(ways: Sequence[Classify], images: NDArray[np.uint8]) -> float:
    """The largest difference of any probability; ValueError where it is past TOLERANCE."""
    answers = np.stack([classify(images) for classify in ways])
    if len(images) > 1 and answers.std(axis=1).max() < 100 * TOLERANCE:
        raise ValueError("all images are answered alike, so that agreement says nothing")
    difference = float(np.ptp(answers, axis=0).max())
    if not difference <= TOLERANCE:
        raise ValueError(f"answers differ by {difference:g}; at most {TOLERANCE:g} is float32")
    return difference


def in_turns(
    timers: Mapping[Named, Callable[[], float]], rounds: int
) -> dict[Named, dict[str, Any]]:
    """What each timer says, once a round, in an order drawn anew each round."""
    found: dict[Named, list[float]] = {name: [] for name in timers}
    order, draws = list(timers), random.Random(0)
    for _ in range(rounds):
        draws.shuffle(order)
        for name in order:
            found[name].append(timers[name]())
    return {
        name: {"median": statistics.median(values), **results.spread(values)}
        for name, values in found.items()
    }


def one_image_us(classify: Classify, images: NDArray[np.uint8], pause_s: float = 0) -> float:
    """Microseconds for one image: the median of several calls, the first of them not counted."""
    _seconds(classify, images[:1])
    calls = [_seconds(classify, images[:1], pause_s) for _ in range(CALLS)]
    return statistics.median(calls) * 1e6


def images_per_second(classify: Classify, images: NDArray[np.uint8]) -> float:
    """The rate with all images given at once."""
    return len(images) / _seconds(classify, images)


def standing(figures: Mapping[str, Any]) -> dict[str, float]:
    """The product's medians over those of the fastest of the others."""
    peers = [values for runtime, values in figures.items() if runtime != PRODUCT]
    product = figures[PRODUCT]

    def time(figure: str) -> float:
        fastest = min(values[figure]["median"] for values in peers)
        return product[figure]["median"] / fastest

    return {
        "one_image_time_to_fastest": time("one_image_us"),
        "in_a_row_time_to_fastest": time("in_a_row_us"),
        "bulk_rate_to_fastest": product["images_per_second"]["median"]
        / max(values["images_per_second"]["median"] for values in peers),
    }


def _seconds(classify: Classify, images: NDArray[np.uint8], pause_s: float = PAUSE_S) -> float:
    time.sleep(pause_s)
    started = time.perf_counter()
    classify(images)
    return time.perf_counter() - started


def _peers() -> dict[str, str]:
    """Their versions; the end of the run where one is missing, before minutes are spent."""
    try:
        return {peer: metadata.version(peer) for peer in PEERS}
    except metadata.PackageNotFoundError as error:
        needed = "pip install 'deepmnist[train,bench]'"
        raise SystemExit(f"error: {error.name} is not installed; run {needed}") from error


def _hold_to(cores: int) -> None:
    """Keep this process on so many cores, where the system can: the product uses all it may."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _print(name: str, threads: int, figures: Mapping[str, Any]) -> None:
    print(f"\n{name}, {threads} thread{'s' if threads > 1 else ''}")
    for runtime, values in figures["runtimes"].items():
        one, many = values["one_image_us"], values["images_per_second"]
        print(
            f"{runtime:>12}  {one['median']:8,.0f} us ({one['min']:,.0f}-{one['max']:,.0f})"
            f"  in a row {values['in_a_row_us']['median']:,.0f} us"
            f"  {many['median']:8,.0f} images/s ({many['min']:,.0f}-{many['max']:,.0f})"
            f"  {many['way']}"
        )
    one_image, bulk = figures["one_image_time_to_fastest"], figures["bulk_rate_to_fastest"]
    row = figures["in_a_row_time_to_fastest"]
    print(f"{PRODUCT}: {one_image:.2f}, in a row {row:.2f}, bulk {bulk:.2f} of the fastest other's")


if __name__ == "__main__":
    terminal.run(main)

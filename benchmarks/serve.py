"""The service under load, beside an empty endpoint of the same stack on the same machine.

    python -m benchmarks.serve [--seconds 5] [--rounds 5] [--connections 16]

Three questions, each with the floor that was set for it:

* one image a request: at least 60 % of the requests a second that the empty endpoint answers;
* the same at half of what each can do: the 99th percentile under 4 times the empty endpoint's;
* 256 images a request, as bytes: at least 50 % of the images a second of a bulk call in Python.

The empty endpoint is sent the same bytes. Rounds alternate, since a shared machine changes from one
second to the next; the ratio is of each round, and the median over rounds counts. Client, service
and empty endpoint are processes of their own. The service writes no journal here but in `journal`.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import load, results, terminal
from deepmnist import prediction
from deepmnist.data import load as load_dataset

SERVE = "import sys; sys.argv[0] = 'deepmnist'; from deepmnist.cli import main; main()"
BATCH = 256  # images of a large request
BULK = 4096  # images of a call in Python
PATH = "/v2/models/digits/infer"
FLOORS = {"rate": 0.6, "p99": 4.0, "batch": 0.5}


def main(
    seconds: Annotated[float, typer.Option(min=0.2, help="Of each measurement.")] = 5,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    connections: Annotated[int, typer.Option(min=1, help="Of single images.")] = 16,
    batch_connections: Annotated[int, typer.Option(min=1, help="Of batches.")] = 2,
    dataset: Annotated[str, typer.Option(help="Whose images are sent.")] = "mnist",
) -> None:
    """Measure, print, write benchmarks/results/serve.json."""
    images = load_dataset(dataset).test_part.gather(slice(0, BULK))
    requests = {
        "json": as_json(images[:1]),
        "binary": as_bytes(images[:1]),
        "batch": as_bytes(images[:BATCH]),
    }
    with started("-m", "benchmarks.empty") as (empty, _), serving("--quiet") as (service, _):
        for port, path in ((empty, "/empty"), (service, PATH)):
            load.run(port, to(requests["json"], path), connections, 1)  # warms both up
        single = [_round(empty, service, requests, connections, seconds) for _ in range(rounds)]
        batch = [
            _batches(service, requests["batch"], images, batch_connections, seconds)
            for _ in range(rounds)
        ]
    with serving() as (service, _):
        journal = load.run(service, requests["json"], connections, seconds).figures()
    figures: dict[str, Any] = {
        "seconds": seconds,
        "rounds": rounds,
        "connections": connections,
        "batch_connections": batch_connections,
        "http": "httptools" if find_spec("httptools") else "h11",
        "loop": "uvloop" if find_spec("uvloop") else "asyncio",
        "model_bytes": len(prediction.load()._runtime),
        "summary": _summary(single, batch),
        "floors": FLOORS,
        "journal": journal,
        "single": single,
        "batch": batch,
    }
    print(json.dumps(figures["summary"], indent=2))
    print(results.write("serve", figures))


# ---- requests -----------------------------------------------------------------------------------


def as_json(images: np.ndarray) -> bytes:
    """A request to infer, numbers as JSON, all outputs asked for."""
    tensor = {"name": "image", "shape": images.shape, "datatype": "UINT8"}
    body = json.dumps({"inputs": [{**tensor, "data": images.ravel().tolist()}]}).encode()
    return load.post(PATH, body, "application/json")


def as_bytes(images: np.ndarray) -> bytes:
    """A request to infer, numbers as bytes, in both directions."""
    tensor = {"name": "image", "shape": images.shape, "datatype": "UINT8"}
    parameters = {"binary_data_size": images.nbytes}
    asked = {
        "inputs": [{**tensor, "parameters": parameters}],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(asked).encode()
    length = f"Inference-Header-Content-Length: {len(head)}"
    return load.post(PATH, head + images.tobytes(), "application/octet-stream", length)


def to(request: bytes, path: str) -> bytes:
    """The same request for another path."""
    return request.replace(PATH.encode(), path.encode(), 1)


# ---- rounds -------------------------------------------------------------------------------------


def _round(
    empty: int, service: int, requests: dict[str, bytes], connections: int, seconds: float
) -> dict[str, Any]:
    """Both ends with one image, as fast as they can, then each at half of that."""
    found: dict[str, Any] = {}
    for kind in ("json", "binary"):
        ends = {"empty": (empty, to(requests[kind], "/empty")), "infer": (service, requests[kind])}
        full = {name: load.run(*end, connections, seconds) for name, end in ends.items()}
        half = {
            name: load.run(*end, connections, seconds, full[name].rate / 2)
            for name, end in ends.items()
        }
        found[kind] = {
            "full": {name: each.figures() for name, each in full.items()},
            "half": {name: each.figures() for name, each in half.items()},
        }
    return found


def _batches(
    service: int, request: bytes, images: np.ndarray, connections: int, seconds: float
) -> dict[str, Any]:
    """Images a second in large requests, and in Python right before and after."""
    model = prediction.load()
    before = _bulk(model, images, seconds / 2)
    served = load.run(service, request, connections, seconds).figures()
    after = _bulk(model, images, seconds / 2)
    return {
        "bulk_images_per_second": (before + after) / 2,
        "served_images_per_second": BATCH * served["rate"],
        **served,
    }


def _bulk(model: prediction.LiteRTPredictor, images: np.ndarray, seconds: float) -> float:
    model.scores(images[:BATCH])
    started, count = time.perf_counter(), 0
    while time.perf_counter() < started + seconds:
        model.scores(images)
        count += len(images)
    return count / (time.perf_counter() - started)


def _summary(single: list[dict[str, Any]], batch: list[dict[str, Any]]) -> dict[str, float]:
    """The three ratios, each the median over rounds; a rate of 1 is the empty endpoint's."""
    found = {}
    for kind in ("json", "binary"):
        fulls, halves = ([each[kind][load_] for each in single] for load_ in ("full", "half"))
        found[f"{kind}_rate"] = statistics.median(
            each["infer"]["rate"] / each["empty"]["rate"] for each in fulls
        )
        found[f"{kind}_p99"] = statistics.median(
            each["infer"]["p99_ms"] / each["empty"]["p99_ms"] for each in halves
        )
    found["batch"] = statistics.median(
        each["served_images_per_second"] / each["bulk_images_per_second"] for each in batch
    )
    return found


# ---- processes ----------------------------------------------------------------------------------


@contextmanager
def started(*arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A Python process, and the port that it prints at the end of its first line."""
    child = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ,
    )
    try:
        assert child.stdout
        yield int(child.stdout.readline().rpartition(":")[2]), child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


def serving(*options: str) -> Any:
    """`deepmnist serve`, as `started` gives a process."""
    return started("-c", SERVE, "serve", "--port", "0", *options)


if __name__ == "__main__":
    terminal.run(main)

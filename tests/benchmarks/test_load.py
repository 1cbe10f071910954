"""load.py: what the load client measures is what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks import load, serve
from deepmnist.service.registry import Registry
from tests.conftest import FakePredictor
from tests.service.conftest import Running, request, running

IMAGES = np.zeros((2, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running(Registry.of({"digits": FakePredictor()})) as found:
        yield found


@pytest.mark.parametrize("request_", [serve.as_json(IMAGES), serve.as_bytes(IMAGES)])
def test_every_answer_is_counted_and_its_latency_with_it(service: Running, request_: bytes) -> None:
    route = ("deepmnist_requests_total", '200"')
    before = _counted(service, *route)
    outcome = load.run(service.port, request_, connections=3, seconds=0.3)
    figures = outcome.figures()
    assert figures["requests"] == len(outcome.latencies) == pytest.approx(outcome.rate * 0.3)
    assert 0 <= _counted(service, *route) - before - figures["requests"] <= 4  # under way
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"] + 1


def _counted(service: Running, name: str, status: str) -> float:
    text = service.ask(request("/metrics", method="GET"))[2].decode()
    lines = [line for line in text.splitlines() if line.startswith(name) and status in line]
    return sum(float(line.split()[-1]) for line in lines if "infer" in line)


def test_a_paced_run_keeps_its_rate(service: Running) -> None:
    started = time.perf_counter()
    outcome = load.run(service.port, serve.as_bytes(IMAGES), 4, 0.5, rate=20)
    assert time.perf_counter() - started < 5
    assert 2 <= len(outcome.latencies) <= 11  # of ten; a busy machine answers fewer


def test_an_answer_that_is_not_200_ends_the_run(service: Running) -> None:
    with pytest.raises(RuntimeError, match=r"the answer is b'HTTP/1\.1 404"):
        load.run(service.port, load.post("/nothing", b"", "text/plain"), 1, 1)

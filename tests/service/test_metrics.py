"""metrics.py: what is counted, and that no client can make new series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from deepmnist.page.files import Asset
from deepmnist.rejection import Scores
from deepmnist.service.logs import UNMATCHED
from deepmnist.service.metrics import Metrics
from tests.service.conftest import Images, infer_body


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(client: TestClient, some_images: Images) -> None:
    path = "/v2/models/digits/infer"
    for _ in range(3):
        client.post(path, json=infer_body(some_images))
    client.post(path, json={})
    client.get("/v2/models/other")
    found = samples(client.get("/metrics").text)
    route = "/v2/models/{model}/infer"
    assert found["deepmnist_requests_total", "POST", route, "200"] == 3
    assert found["deepmnist_requests_total", "POST", route, "400"] == 1
    assert found["deepmnist_requests_total", "GET", "/v2/models/{model}", "404"] == 1
    assert found["deepmnist_request_seconds_count", route] == 4
    assert found["deepmnist_requests_in_flight",] == 1  # /metrics itself
    assert found["deepmnist_batch_images_count", "digits", "1"] == 3
    assert found["deepmnist_batch_images_sum", "digits", "1"] == 15


def test_files_of_the_page_are_counted_by_their_address(make: Callable[..., FastAPI]) -> None:
    client = TestClient(make(site={"index.html": Asset(b"page", "text/html")}))
    for path in ("/", "/", "/index.html"):
        client.get(path)
    client.post("/")
    found = samples(client.get("/metrics").text)
    assert found["deepmnist_requests_total", "GET", "/", "200"] == 2
    assert found["deepmnist_requests_total", "GET", "/index.html", "200"] == 1
    assert found["deepmnist_requests_total", "POST", "/", "405"] == 1
    assert not any(UNMATCHED in sample for sample in found)


def test_no_client_makes_new_series(client: TestClient) -> None:
    for number in range(2):
        client.get(f"/nothing/{number}")
        client.get(f"/v2/models/m{number}")
        client.request(f"M{number}", "/v2")
    client.get("/metrics")
    known = set(samples(client.get("/metrics").text))
    for number in range(2, 40):
        client.get(f"/nothing/{number}")
        client.get(f"/v2/models/m{number}")
        client.request(f"M{number}", "/v2")
    assert set(samples(client.get("/metrics").text)) == known


def test_confidences_and_rejections_are_counted() -> None:
    metrics = Metrics()
    observe = metrics.observer("m", "1", threshold=0.9)
    probabilities = np.zeros((4, 10), np.float32)
    probabilities[:, 3] = (0.0625, 0.5, 0.96875, 1.0)
    observe(Scores(probabilities, np.ones(4, np.float32)))
    found = samples(metrics.text().decode())
    assert found["deepmnist_rejections_total", "m", "1"] == 2
    below = {
        sample.labels["le"]: sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name == "deepmnist_confidence_bucket"
    }
    assert below == {
        **{"0.1": 1, "0.25": 1, "0.5": 2, "0.75": 2, "0.9": 2, "0.95": 2, "0.99": 3},
        **{"0.999": 3, "1.0": 4, "+Inf": 4},
    }
    assert found["deepmnist_confidence_count", "m", "1"] == 4
    assert found["deepmnist_confidence_sum", "m", "1"] == 2.53125


def test_loads_are_counted() -> None:
    metrics = Metrics()
    metrics.loaded("loaded")
    metrics.loaded("refused")
    found = samples(metrics.text().decode())
    assert (
        found["deepmnist_loads_total", "loaded"] == found["deepmnist_loads_total", "refused"] == 1
    )

"""assets.py: the page's files, exactly these, with tags, gzip and their policy."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deepmnist.service import assets
from deepmnist.service.registry import Registry
from tests.conftest import FakePredictor
from tests.service.conftest import refusal, request, running


@dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str


PAGE = b"<!doctype html><title>digits</title>" * 50
NOISE = np.random.default_rng(0).bytes(2000)
SITE = {
    "index.html": Asset(PAGE, "text/html; charset=utf-8"),
    "runtime/x.wasm": Asset(b"\0asm" * 1000, "application/wasm"),
    "models/model.tflite": Asset(NOISE, "application/octet-stream"),
}
POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"


@pytest.fixture
def app(make: Callable[..., FastAPI]) -> FastAPI:
    return make(site=SITE, policy=POLICY)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, headers={"accept-encoding": "identity"})


def test_each_file_is_at_its_address_and_the_page_at_the_root(client: TestClient) -> None:
    for path, key in [("/", "index.html"), *((f"/{key}", key) for key in SITE)]:
        response = client.get(path)
        assert response.content == SITE[key].content
        assert response.headers["content-type"] == SITE[key].media_type
        assert response.headers["content-security-policy"] == POLICY
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-content-type-options"] == "nosniff"
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == response.headers["content-length"]


def test_what_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    etag = client.get("/").headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = client.get("/", headers={"if-none-match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
        assert response.headers["content-security-policy"] == POLICY
    assert client.get("/", headers={"if-none-match": '"other"'}).status_code == 200
    assert client.get("/runtime/x.wasm").headers["etag"] != etag


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*", "GZIP"])
def test_what_gzip_makes_smaller_is_sent_so_where_it_is_taken(
    client: TestClient, app: FastAPI, accepted: str
) -> None:
    response = client.get("/", headers={"accept-encoding": accepted})
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) < len(PAGE) / 2
    assert response.content == PAGE  # the test client unpacked it
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity"])
def test_elsewhere_it_is_sent_as_it_is(client: TestClient, accepted: str) -> None:
    response = client.get("/", headers={"accept-encoding": accepted})
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept-Encoding"


def test_what_gzip_does_not_help_is_never_gzipped(client: TestClient) -> None:
    assert len(gzip.compress(NOISE)) > assets.WORTHWHILE * len(NOISE)
    response = client.get("/models/model.tflite", headers={"accept-encoding": "gzip"})
    assert response.content == NOISE
    assert "content-encoding" not in response.headers
    assert "vary" not in response.headers


OUTSIDE = [
    "/../pyproject.toml",
    "/runtime/../../pyproject.toml",
    "/runtime/..%2f..%2fpyproject.toml",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..\\..\\etc\\passwd",
    "//etc/passwd",
    "/etc/passwd",
    "/runtime/",
    "/runtime",
    "/runtime/x.wasm/",
    "/index.html%00.png",
    "/./index.html/..",
    "/INDEX.HTML",
    "/models/model.tflite%20",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_else_can_be_reached(service_with_page, path: str) -> None:
    status, _, body = service_with_page.ask(request(path, method="GET"))
    assert status in (400, 404)
    assert b"root:" not in body
    assert b"[project]" not in body


def test_a_file_takes_no_post(client: TestClient) -> None:
    response = client.post("/index.html")
    refusal(response, 405)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_without_a_page_there_is_none(make: Callable[..., FastAPI]) -> None:
    refusal(TestClient(make()).get("/"), 404)


@pytest.fixture(scope="module")
def service_with_page():
    with running(Registry.of({"digits": FakePredictor()}), site=SITE, policy=POLICY) as found:
        yield found

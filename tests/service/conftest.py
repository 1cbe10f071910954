"""What the service's tests share: an application of a fake predictor, in process or on a port."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray
from starlette.testclient import TestClient

from deepmnist.service import server
from deepmnist.service.app import create_app
from deepmnist.service.limits import Limits
from deepmnist.service.registry import Registry
from tests.conftest import FakePredictor

Images = NDArray[np.uint8]
SMALL = Limits(body_bytes=200_000, images=8, pictures=2, pixels=100_000, readings=4)


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor()


@pytest.fixture
def make(predictor: FakePredictor) -> Callable[..., FastAPI]:
    """Makes an application of the fake predictor, called digits, with small limits."""

    def made(limits: Limits = SMALL, **named: Any) -> FastAPI:
        return create_app(Registry.of({"digits": predictor}), limits, **named)

    return made


@pytest.fixture
def client(make: Callable[..., FastAPI]) -> TestClient:
    return TestClient(make())


@pytest.fixture
def some_images() -> Images:
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)


def infer_body(images: NDArray[Any], **more: Any) -> dict[str, Any]:
    """A request to infer, its numbers flat."""
    datatype = "UINT8" if images.dtype == np.uint8 else "FP32"
    tensor = {"name": "image", "shape": list(images.shape), "datatype": datatype}
    return {"inputs": [{**tensor, "data": images.ravel().tolist()}], **more}


def refusal(response: Any, status: int) -> str:
    """The one line of a refusal, its status and shape checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    (told,) = response.json().items()
    assert told[0] == "error"
    assert len(told[1].splitlines()) == 1
    return str(told[1])


@dataclass
class Running:
    """A service on a port of this machine."""

    port: int
    models: Registry

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to raw bytes."""
        with self.connect() as connection:
            connection.sendall(sent)
            return received(connection)


def received(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next answer on a connection: status, headers in lower case, body."""
    file = connection.makefile("rb")
    status = int(file.readline().split()[1])
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, file.read(int(headers.get("content-length", 0)))


def request(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: here", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def infer_request(images: NDArray[Any]) -> bytes:
    """The bytes of a request to infer."""
    body = json.dumps(infer_body(images)).encode()
    return request("/v2/models/digits/infer", body, content_type="application/json")


@contextmanager
def running(models: Registry, limits: Limits = SMALL, **named: Any) -> Iterator[Running]:
    """The service on a free port, in a thread."""
    app = create_app(models, limits, **named)
    listener = server.listening("127.0.0.1", 0)
    uvicorn = server.server(app, models, limits)
    thread = threading.Thread(target=uvicorn.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not uvicorn.started:
            time.sleep(0.005)
        yield Running(listener.getsockname()[1], models)
    finally:
        uvicorn.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def service(predictor: FakePredictor) -> Iterator[Running]:
    with running(Registry.of({"digits": predictor})) as found:
        yield found

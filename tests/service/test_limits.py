"""limits.py: bodies too large, too slow or too many are refused before anything is decoded."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deepmnist.service import server
from deepmnist.service.limits import Limits
from deepmnist.service.registry import Registry
from tests.conftest import FakePredictor
from tests.service.conftest import (
    SMALL,
    Images,
    Running,
    infer_body,
    infer_request,
    received,
    refusal,
    request,
    running,
)

PATH = "/v2/models/digits/infer"
PATHS = [PATH, "/v1/models/digits:predict", "/read"]
JSON = {"content-type": "application/json"}
SLOW = dataclasses.replace(SMALL, send_s=0.4)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_says_it_is_too_large_is_not_read(client: TestClient, path: str) -> None:
    def never():
        raise AssertionError("it was read")
        yield b""

    headers = {"content-length": "200001", "content-type": "application/octet-stream"}
    told = refusal(client.post(path, content=b"x", headers=headers), 413)
    assert told == "the body is larger than 200,000 bytes, the most that is taken"


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_does_not_say_is_cut_off_at_the_limit(service: Running, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n"
    status, _, body = service.ask(head.encode() + chunk)
    assert status == 413
    assert b"larger than 200,000 bytes" in body


def test_a_form_s_file_counts_as_body(client: TestClient) -> None:
    files = {"picture": ("a.png", b"x" * 200_000)}
    refusal(client.post("/read", files=files), 413)


def test_a_body_of_the_very_limit_is_taken(make: Callable[..., FastAPI], some_images) -> None:
    body = json.dumps(infer_body(some_images)).encode()
    for size, status in ((len(body), 200), (len(body) - 1, 413)):
        client = TestClient(make(dataclasses.replace(SMALL, body_bytes=size)))
        assert client.post(PATH, content=body, headers=JSON).status_code == status


def test_more_bodies_than_memory_is_set_aside_for_are_503(
    make: Callable[..., FastAPI], some_images: Images
) -> None:
    client = TestClient(make(dataclasses.replace(SMALL, bodies_bytes=1000)))
    response = client.post(PATH, json=infer_body(some_images))
    refusal(response, 503)
    assert response.headers["retry-after"] == "1"
    client = TestClient(make(dataclasses.replace(SMALL, bodies_bytes=20_000)))
    for _ in range(10):  # and what is answered is no longer counted
        assert client.post(PATH, json=infer_body(some_images)).status_code == 200


def test_a_wrong_content_length_is_400(service: Running) -> None:
    for length in ("x", "-1", "1e3", "5\r\nContent-Length: 6"):
        sent = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\nabcdef"
        assert service.ask(sent.encode())[0] == 400


def test_limits_are_sound_by_default() -> None:
    limits = Limits()
    assert limits.body_bytes * 4 <= limits.bodies_bytes
    assert limits.images * 28 * 28 * 4 <= limits.body_bytes  # as float32 bytes


@pytest.mark.parametrize("path", PATHS[:2])
@pytest.mark.parametrize("field", ["instances", "inputs", "parameters"])
def test_more_numbers_than_all_images_have_are_422_before_they_are_decoded(
    client: TestClient, path: str, field: str
) -> None:
    body = f'{{"{field}": [{",".join(["x"] * 8000)}]}}'
    told = refusal(client.post(path, content=body, headers=JSON), 422)
    assert told == "more numbers in a request than 8 images have, the most taken"


# ---- time ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow() -> Iterator[Running]:
    """A service that gives a client 0.4 seconds."""
    with running(Registry.of({"digits": FakePredictor()}), SLOW) as found:
        yield found


def drip(connection, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a byte at a time until an answer comes."""
    connection.settimeout(0.02)
    for byte in content:
        connection.sendall(bytes([byte]))
        try:
            connection.recv(1, 2)  # MSG_PEEK
            break
        except TimeoutError:
            continue
    connection.settimeout(5)
    return received(connection)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_comes_a_byte_at_a_time_is_408_and_others_are_unharmed(
    slow: Running, some_images: Images, path: str
) -> None:
    head = request(path, b"x" * 100_000, content_type="application/octet-stream")[:-100_000]
    with slow.connect() as connection:
        started = time.perf_counter()
        connection.sendall(head)
        assert slow.ask(infer_request(some_images))[0] == 200
        status, headers, body = drip(connection, b"x" * 1000)
        assert status == 408
        assert headers["connection"] == "close"
        assert json.loads(body) == {"error": "the body did not come within 0.4 seconds"}
        assert 0.3 < time.perf_counter() - started < 3
        assert connection.recv(1) == b""


def test_headers_that_come_a_byte_at_a_time_are_408(slow: Running) -> None:
    with slow.connect() as connection:
        status, headers, body = drip(connection, b"GET /v2 HTTP/1.1\r\n" + b"x" * 1000)
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body) == {"error": "the headers did not come in time"}
        assert connection.recv(1) == b""


def test_a_second_request_s_headers_have_to_hurry_too(slow: Running) -> None:
    with slow.connect() as connection:
        connection.sendall(request("/v2", method="GET"))
        assert received(connection)[0] == 200
        assert drip(connection, b"GET /v2 HTTP/1.1\r\n" + b"x" * 1000)[0] == 408


def test_a_connection_that_says_nothing_is_closed(slow: Running) -> None:
    with slow.connect() as connection:
        assert received(connection)[0] == 408
        assert connection.recv(1) == b""


def breaks(do: Callable[[], object], seconds: float = 5) -> bool:
    """Whether a connection breaks off, reset or by a broken pipe, while something is repeated."""
    end = time.perf_counter() + seconds
    try:
        while time.perf_counter() < end:
            do()
            time.sleep(0.02)
    except OSError:
        return True
    return False


def test_a_body_that_goes_on_after_its_answer_is_cut_off(slow: Running) -> None:
    with slow.connect() as connection:
        connection.sendall(request(PATH, b"")[:-4].replace(b"Length: 0", b"Length: 999999999"))
        connection.sendall(b"\r\n\r\n")
        assert received(connection)[0] == 413
        assert breaks(lambda: connection.sendall(b"x" * 1000))


LARGE = 30_000_000  # bytes: more than the system holds for a connection
LITTLE = 60_000


@dataclasses.dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str


def taken(connection: socket.socket) -> int:
    """How many bytes still come, until the connection ends."""
    count = 0
    try:
        while more := len(connection.recv(1 << 20)):
            count += more
    except ConnectionError:
        pass
    return count


def test_an_answer_that_nobody_fetches_is_given_up(some_images: Images) -> None:
    site = {"index.html": Asset(np.random.default_rng(0).bytes(LARGE), "text/plain")}
    models = Registry.of({"digits": FakePredictor()})
    with running(models, SLOW, site=site) as service, service.connect() as connection:
        connection.sendall(request("/", method="GET"))
        time.sleep(1.2)
        assert service.ask(infer_request(some_images))[0] == 200
        assert 0 < taken(connection) < LARGE


def test_an_answer_is_given_up_however_little_of_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Less than an event loop holds back by itself, where the system takes next to nothing."""
    made = server.listening

    def listening(host: str, port: int) -> socket.socket:
        found = made(host, port)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return found

    monkeypatch.setattr(server, "listening", listening)
    site = {"index.html": Asset(bytes(LITTLE), "text/plain")}
    models = Registry.of({"digits": FakePredictor()})
    with running(models, SLOW, site=site) as service, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(request("/", method="GET"))
        time.sleep(1.2)
        assert 0 < taken(connection) < LITTLE


def test_a_client_that_leaves_mid_request_harms_nobody(
    service: Running, some_images: Images
) -> None:
    whole = infer_request(some_images)
    for part in (whole[:20], whole[:200], whole[:-5], whole):
        connection = service.connect()
        connection.sendall(part)
        connection.close()
    status, _, body = service.ask(whole)
    assert status == 200
    expected = [str(label) for label in FakePredictor.answers(some_images)]
    assert {out["name"]: out.get("data") for out in json.loads(body)["outputs"]}[
        "label"
    ] == expected
    assert 'status="500"' not in service.ask(request("/metrics", method="GET"))[2].decode()

"""connections.py: more connections than are served are told so, and the rest are unharmed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from deepmnist.service import connections
from deepmnist.service.registry import Registry
from tests.conftest import FakePredictor
from tests.service.conftest import (
    SMALL,
    Images,
    Running,
    infer_request,
    received,
    request,
    running,
)

MOST = 4


@pytest.fixture
def crowded() -> Iterator[Running]:
    """A service of four connections."""
    limits = dataclasses.replace(SMALL, connections=MOST)
    with running(Registry.of({"digits": FakePredictor()}), limits) as found:
        yield found


def test_one_connection_too_many_is_503_and_the_others_go_on(
    crowded: Running, some_images: Images
) -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(crowded.connect()) for _ in range(MOST)]
        for connection in kept:
            connection.sendall(infer_request(some_images))
            assert received(connection)[0] == 200
        status, headers, body = crowded.ask(infer_request(some_images))
        assert status == 503
        assert headers["retry-after"] == "1"
        assert headers["connection"] == "close"
        assert headers["x-content-type-options"] == "nosniff"
        assert json.loads(body) == {
            "error": "as many clients are connected as are served at once; ask again"
        }
        for connection in kept:
            connection.sendall(infer_request(some_images))
            assert received(connection)[0] == 200
        text = received_metrics(kept[0])
        assert "deepmnist_refused_connections_total 1.0" in text
    assert until_served(crowded, infer_request(some_images)) == 200  # they left: there is room


def received_metrics(connection) -> str:
    connection.sendall(request("/metrics", method="GET"))
    return received(connection)[2].decode()


def until_served(service: Running, sent: bytes) -> int:
    """The status, once those who left are noticed to have left."""
    for _ in range(100):
        status = service.ask(sent)[0]
        if status != 503:
            break
    return status


def ends(connection) -> bool:
    """Whether a connection is closed without an answer."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_far_more_connections_are_closed_at_once(crowded: Running) -> None:
    with ExitStack() as stack:
        for _ in range(2 * MOST):
            stack.enter_context(crowded.connect())
        connection = stack.enter_context(crowded.connect())
        assert ends(connection)


def test_requests_sent_one_after_the_other_without_waiting_are_answered_in_order(
    crowded: Running, some_images: Images
) -> None:
    with crowded.connect() as connection:
        connection.sendall(
            infer_request(some_images[:1]) + request("/v2", method="GET") + request("/no")
        )
        file = connection.makefile("rb")
        statuses = []
        for _ in range(3):
            statuses.append(int(file.readline().split()[1]))
            length = 0
            while line := file.readline().strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.split()[1])
            file.read(length)
        assert statuses == [200, 200, 404]


CHUNKED = b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [b"nonsense\r\n\r\n", b"GET /v2 HTTP/1.1\r\nHost x\r\n\r\n", CHUNKED + b"ZZ\r\n"],
    ids=["no request", "no header", "no chunk"],
)
def test_what_is_no_http_is_400_in_the_one_shape(crowded: Running, sent: bytes) -> None:
    status, headers, body = crowded.ask(sent)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert json.loads(body) == {"error": "what came is no HTTP request"}


class Transport:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def test_what_is_written_in_one_turn_is_sent_at_once_and_before_the_end() -> None:
    async def written() -> list[bytes | str]:
        transport = Transport()
        joining = connections.Joining(transport)  # type: ignore[arg-type]
        joining.write(b"head ")
        joining.write(b"body")
        await asyncio.sleep(0)
        joining.write(b"last")
        joining.close()
        await asyncio.sleep(0)
        return transport.done

    assert asyncio.run(written()) == [b"head body", b"last", "closed"]


def test_an_answer_comes_in_one_piece(crowded: Running, some_images: Images) -> None:
    with crowded.connect() as connection:
        for _ in range(5):
            connection.sendall(infer_request(some_images))
            head, _, body = connection.recv(1 << 20).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert json.loads(body)["model_name"] == "digits"

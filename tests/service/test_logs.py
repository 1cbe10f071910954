"""logs.py: a line of JSON a request, with the id that its answer carries, and nothing secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deepmnist.service.logs import Journal, JournalHandler
from tests.service.conftest import refusal


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def client(make: Callable[..., FastAPI], written: io.StringIO) -> TestClient:
    return TestClient(make(journal=Journal(written)), raise_server_exceptions=False)


def lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_request_is_a_line_of_json(client: TestClient, written: io.StringIO) -> None:
    response = client.get("/v2?secret=x", headers={"X-Request-ID": "abc-1"})
    (line,) = lines(written)
    assert list(line) == [
        *("time", "event", "request_id", "client", "method", "path", "status", "ms", "bytes")
    ]
    assert (line["event"], line["method"], line["path"]) == ("request", "GET", "/v2")
    assert (line["status"], line["bytes"]) == (200, len(response.content))
    assert line["request_id"] == response.headers["x-request-id"] == "abc-1"
    assert "secret" not in written.getvalue()


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 129, "-a", 'a"b', "a;b", "é"])
def test_an_id_that_is_no_plain_word_is_replaced(
    client: TestClient, written: io.StringIO, given: str
) -> None:
    response = client.get("/v2", headers={"X-Request-ID": given.encode()})
    (line,) = lines(written)
    assert line["request_id"] == response.headers["x-request-id"] != given


def test_ids_given_twice_are_replaced_and_new_ones_differ(client: TestClient) -> None:
    twice = [("X-Request-ID", "a"), ("X-Request-ID", "b")]
    found = [client.get("/v2", headers=twice).headers["x-request-id"] for _ in range(2)]
    assert len({*found, "a", "b"}) == 4


def test_nothing_in_a_path_can_forge_a_line(client: TestClient, written: io.StringIO) -> None:
    client.get("/v2/%0A%7B%22event%22:%22forged%22%7D%1B[2J" + "x" * 500)
    (line,) = lines(written)
    assert line["event"] == "request"
    assert len(str(line["path"])) == 200


def test_what_nobody_caught_is_500_without_its_inside_which_is_written_down(
    make: Callable[..., FastAPI], written: io.StringIO, predictor
) -> None:
    def broken(images: object) -> None:
        raise RuntimeError("the inside")

    predictor.predict_proba = broken
    client = TestClient(make(journal=Journal(written)))
    tensor = {"name": "image", "shape": [1, 28, 28], "datatype": "UINT8", "data": [0] * 784}
    response = client.post("/v2/models/digits/infer", json={"inputs": [tensor]})
    told = refusal(response, 500)
    error, line = lines(written)
    assert "the inside" not in told
    assert str(error["request_id"]) in told
    assert "RuntimeError: the inside" in str(error["traceback"])
    assert (line["status"], line["request_id"]) == (500, error["request_id"])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert 'status="500"' in client.get("/metrics").text


def test_the_server_s_own_warnings_are_lines_too(written: io.StringIO) -> None:
    logger = logging.Logger("server")
    logger.addHandler(JournalHandler(Journal(written)))
    logger.info("not this")
    logger.warning("Invalid %s", "request")
    (line,) = lines(written)
    assert (line["event"], line["level"]) == ("server", "warning")
    assert line["message"] == "Invalid request"


def test_a_line_is_written_while_stderr_is_taken_from_native_libraries() -> None:
    program = (
        "import os\n"
        "from deepmnist import chatter\n"
        "from deepmnist.service.logs import Journal\n"
        "journal = Journal()\n"
        "with chatter.dropped():\n"
        "    journal.write('kept')\n"
        "    os.write(2, b'lost')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["kept"]


def test_within_a_program_that_keeps_what_is_written_lines_go_there(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", written)
    Journal().write("kept")
    assert [line["event"] for line in lines(written)] == ["kept"]

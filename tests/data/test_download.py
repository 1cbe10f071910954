"""Downloads, against a server of our own: whole and right, or not there and said why."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deepmnist.data import download
from deepmnist.data.sources import RemoteFile
from deepmnist.errors import DataNotFoundError, StorageError

CONTENT = bytes(range(256)) * 1_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    """Answers by the first part of the path: /good/, /wrong/, /missing/, ..."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        self.server.asked.append(kind)
        getattr(self, kind)()

    def answer(self, body: bytes, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def good(self) -> None:
        self.answer(CONTENT)

    def slow(self) -> None:
        time.sleep(0.05)
        self.answer(CONTENT)

    def wrong(self) -> None:
        self.answer(CONTENT[::-1])

    def missing(self) -> None:
        self.answer(b"nothing here", 404)

    def truncated(self) -> None:
        self.answer(CONTENT[:1000], length=len(CONTENT))
        self.close_connection = True

    def short(self) -> None:
        self.answer(CONTENT[:1000])

    def flaky(self) -> None:
        if self.server.asked.count("flaky") < 3:
            self.answer(b"later", 503)
        else:
            self.answer(CONTENT)

    def silent(self) -> None:
        time.sleep(0.5)

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while True:
                self.wfile.write(CONTENT)
                self.server.sent += len(CONTENT)
        except OSError:
            self.close_connection = True  # the client hung up, as it should

    def moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/good/file.gz")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.asked, running.sent = [], 0
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between attempts are recorded, not waited; no proxy stands before the server."""
    waits: list[float] = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return waits


def remote(server: ThreadingHTTPServer, *kinds: str) -> RemoteFile:
    address = f"http://127.0.0.1:{server.server_address[1]}"
    mirrors = tuple(f"{address}/{kind}/" for kind in kinds)
    return RemoteFile("file.gz", SHA256, len(CONTENT), mirrors)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["good", "moved"])
def test_a_good_file_arrives_whole_and_alone(tmp_path: Path, server, kind) -> None:
    path = download.fetch(remote(server, kind), tmp_path / "new" / "mnist")
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file.gz"]


def test_a_good_file_that_is_there_is_not_fetched_again(tmp_path: Path, server) -> None:
    (tmp_path / "file.gz").write_bytes(CONTENT)
    download.fetch(remote(server, "good"), tmp_path)
    assert server.asked == []


def test_a_damaged_file_that_is_there_is_replaced(tmp_path: Path, server) -> None:
    (tmp_path / "file.gz").write_bytes(CONTENT[::-1])
    assert download.fetch(remote(server, "good"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("first", ["wrong", "missing", "truncated", "short", "endless"])
def test_the_second_mirror_is_used_when_the_first_fails(tmp_path: Path, server, first) -> None:
    path = download.fetch(remote(server, first, "good"), tmp_path)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["file.gz"]


@pytest.mark.parametrize(
    ("kind", "reason", "attempts"),
    [
        ("wrong", "its SHA-256 is [0-9a-f]{64}, not " + SHA256, 1),
        ("missing", "HTTP 404 Not Found", 1),
        ("truncated", "the connection broke off", 3),
        ("short", "1,000 bytes instead of 256,000", 3),
        ("endless", "it sends more than the 256,000 bytes stated", 1),
    ],
)
def test_every_failure_is_named_and_leaves_nothing(
    tmp_path: Path, server, kind, reason, attempts
) -> None:
    with pytest.raises(
        DataNotFoundError, match=rf"/{kind}/file.gz: {reason}\); give a folder"
    ) as e:
        download.fetch(remote(server, kind), tmp_path)
    assert "\n" not in str(e.value)
    assert str(e.value).endswith("with --data-dir or $DEEPMNIST_DATA_DIR")
    assert server.asked == [kind] * attempts
    assert names(tmp_path) == []


def test_every_address_is_listed_when_all_fail(tmp_path: Path, server) -> None:
    with pytest.raises(
        DataNotFoundError, match=r"/missing/file.gz: HTTP 404 .*; .*/wrong/file.gz: "
    ):
        download.fetch(remote(server, "missing", "wrong"), tmp_path)


def test_a_passing_fault_is_tried_again_after_growing_waits(
    tmp_path: Path, server, no_waiting
) -> None:
    assert download.fetch(remote(server, "flaky"), tmp_path).read_bytes() == CONTENT
    assert no_waiting == [download.BACKOFF_S, 2 * download.BACKOFF_S]


def test_an_endless_server_is_left_soon(tmp_path: Path, server) -> None:
    with pytest.raises(DataNotFoundError):
        download.fetch(remote(server, "endless"), tmp_path)
    assert server.sent < 100 * len(CONTENT)


def test_a_refused_connection_is_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(DataNotFoundError, match=rf"{mirror}file.gz: connection refused"):
            download.fetch(RemoteFile("file.gz", SHA256, 1, (mirror,)), tmp_path)


def test_a_silent_server_times_out(tmp_path: Path, server, monkeypatch) -> None:
    monkeypatch.setattr(download, "READ_TIMEOUT_S", 0.05)
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    with pytest.raises(DataNotFoundError, match=r"/silent/file.gz: timed out"):
        download.fetch(remote(server, "silent"), tmp_path)


def test_two_processes_at_once_both_get_the_file(tmp_path: Path, server) -> None:
    context = multiprocessing.get_context("spawn")
    job = (remote(server, "slow"), tmp_path)
    processes = [context.Process(target=download.fetch, args=job) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert names(tmp_path) == ["file.gz"]


def test_what_a_killed_run_left_is_swept_and_a_living_one_is_not(tmp_path: Path, server) -> None:
    dead, living = tmp_path / ".file.gz.1.part", tmp_path / ".file.gz.2.part"
    for path in (dead, living):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * download.STALE_S
    os.utime(dead, (long_ago, long_ago))
    download.fetch(remote(server, "good"), tmp_path)
    assert names(tmp_path) == [".file.gz.2.part", "file.gz"]


def test_a_name_that_cannot_be_written_to_is_a_storage_error(tmp_path: Path, server) -> None:
    (tmp_path / "file.gz").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*file.gz"):
        download.fetch(remote(server, "good"), tmp_path)
    assert server.asked == ["good"]
    assert names(tmp_path) == ["file.gz"]


def test_nothing_is_shown_where_standard_error_is_no_terminal(tmp_path, server, capfd) -> None:
    download.fetch(remote(server, "good"), tmp_path)
    assert capfd.readouterr() == ("", "")

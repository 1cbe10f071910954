"""server.py and `deepmnist serve` as a process: ready soon, reloads, drains, says what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from deepmnist import bundle
from deepmnist.bundle import Bundle
from deepmnist.errors import ServiceError
from deepmnist.service import server
from tests.service.conftest import infer_request, received, request

COMMAND = "import sys; sys.argv[0] = 'deepmnist'; from deepmnist.cli import main; main()"
IMAGE = np.zeros((1, 28, 28), np.uint8)


class Process:
    """`deepmnist serve` on a free port."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", COMMAND, "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert self.child.stdout
        self.greeting = self.child.stdout.readline()
        self.port = int(self.greeting.rpartition(":")[2] or 0)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.connect() as connection:
            connection.sendall(sent)
            return received(connection)

    def versions(self) -> list[str]:
        return json.loads(self.ask(request("/v2/models/m", method="GET"))[2])["versions"]

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def end(self) -> tuple[int, list[dict[str, object]]]:
        """Status and journal, once it has ended."""
        _, written = self.child.communicate(timeout=20)
        return self.child.returncode, [json.loads(line) for line in written.splitlines()]


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[Process]:
    found = Process(*arguments, **environment)
    try:
        yield found
    finally:
        if found.child.poll() is None:
            found.child.kill()
            found.child.communicate()


def until(condition, seconds: float = 10.0) -> bool:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_the_model_that_comes_along_is_served_and_sigterm_ends_it_well() -> None:
    with process() as service:
        assert service.greeting.startswith("Serving digits (1) at http://127.0.0.1:")
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/v2/health/ready") as answer:
            assert json.load(answer) == {"ready": True}
        service.signal(signal.SIGTERM)
        status, journal = service.end()
    assert status == 0
    assert [line["path"] for line in journal] == ["/v2/health/ready"]


def test_the_page_at_the_root_has_the_model_that_is_served() -> None:
    with process("--quiet") as service:
        status, headers, index = service.ask(request("/", method="GET"))
        assert (status, b"<canvas" in index) == (200, True)
        assert "wasm-unsafe-eval" in headers["content-security-policy"]
        model = service.ask(request(f"/{bundle.RUNTIME}", method="GET"))[2]
        assert model == (bundle.SHIPPED / bundle.RUNTIME).read_bytes()
        assert service.ask(request("/../bundle.json", method="GET"))[0] == 404


def test_a_model_of_other_classes_is_served_without_a_page(
    tmp_path: Path, tiny_bundle: Bundle
) -> None:
    letters = msgspec.structs.replace(tiny_bundle.manifest, class_names=list("abcdefghij"))
    shutil.copytree(tiny_bundle.folder, tmp_path / "letters")
    (tmp_path / "letters" / bundle.MANIFEST).write_bytes(msgspec.json.encode(letters))
    with process("--model", str(tmp_path / "letters"), "--quiet") as service:
        assert "There is no page at /" in service.child.stdout.readline()
        assert service.ask(request("/", method="GET"))[0] == 404


def test_ctrl_c_ends_it_well_too() -> None:
    with process("--quiet") as service:
        service.signal(signal.SIGINT)
        assert service.end() == (0, [])


def test_serving_loads_no_tensorflow() -> None:
    """Nor anything else that only training needs; every door is opened first."""
    program = (
        "import sys\n"
        "from starlette.testclient import TestClient\n"
        "from deepmnist.service import examples, registry\n"
        "from deepmnist.service.app import create_app\n"
        "client = TestClient(create_app(registry.Registry(registry.sources([]))))\n"
        "for path, body in (('/v2/models/digits/infer', examples.INFER),\n"
        "                   ('/v1/models/digits:predict', examples.INSTANCES)):\n"
        "    assert client.post(path, json=body).status_code == 200\n"
        "assert client.post('/read', content=examples.picture()).status_code == 200\n"
        "assert client.get('/metrics').status_code == 200\n"
        "assert client.get('/openapi.json').status_code == 200\n"
        "heavy = {'tensorflow', 'keras', 'scipy', 'sklearn', 'matplotlib', 'pyarrow'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_sighup_serves_a_new_version_without_dropping_a_request(
    tmp_path: Path, tiny_bundle: Bundle
) -> None:
    shutil.copytree(tiny_bundle.folder, tmp_path / "m" / "1")
    with process("--model", f"m={tmp_path / 'm'}", "--quiet") as service:
        statuses: list[int] = []
        stop = threading.Event()
        sent = infer_request(IMAGE).replace(b"/digits/", b"/m/")

        def keep_asking() -> None:
            with service.connect() as connection:
                while not stop.is_set():
                    connection.sendall(sent)
                    statuses.append(received(connection)[0])

        askers = [threading.Thread(target=keep_asking) for _ in range(3)]
        for asker in askers:
            asker.start()
        shutil.copytree(tiny_bundle.folder, tmp_path / "m" / "2")
        service.signal(signal.SIGHUP)
        assert until(lambda: service.versions() == ["1", "2"])
        (tmp_path / "m" / "2" / bundle.RUNTIME).write_bytes(b"bad")
        shutil.copytree(tiny_bundle.folder, tmp_path / "m" / "3")
        service.signal(signal.SIGHUP)
        assert until(lambda: service.versions() == ["1", "2", "3"])
        stop.set()
        for asker in askers:
            asker.join()
        service.signal(signal.SIGTERM)
        status, journal = service.end()
    assert status == 0
    assert set(statuses) == {200}
    (refused,) = [line for line in journal if line["event"] == "model refused"]
    assert "is altered" in str(refused["error"])
    assert journal[-1]["serving"] == {"m": [1, 2, 3]}


def test_sigterm_lets_what_is_being_answered_end(tmp_path: Path, tiny_bundle: Bundle) -> None:
    with process("--model", f"digits={tiny_bundle.folder}", "--quiet") as service:
        sent = infer_request(IMAGE)
        with service.connect() as half, service.connect() as idle:
            half.sendall(sent[:-100])
            idle.sendall(request("/v2", method="GET"))
            received(idle)
            time.sleep(0.2)
            service.signal(signal.SIGTERM)
            assert until(lambda: not can_connect(service.port))
            assert service.child.poll() is None
            assert idle.recv(1) == b""
            half.sendall(sent[-100:])
            assert received(half)[0] == 200
        assert service.end()[0] == 0


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_client_that_never_ends_does_not_keep_it_from_ending() -> None:
    with process("--drain-timeout", "1", "--quiet") as service, service.connect() as half:
        half.sendall(infer_request(IMAGE)[:-100])
        time.sleep(0.2)
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


# ---- what is wrong ------------------------------------------------------------------------------


def refused(*arguments: str, **environment: str) -> str:
    """The one line that `deepmnist serve` ends with."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_a_port_that_is_taken_is_one_line() -> None:
    with server.listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        line = refused("--port", str(port))
    assert line == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "give another --port"
    )


def test_a_model_or_key_that_is_wrong_is_one_line(tmp_path: Path) -> None:
    assert "does not exist" in refused("--port", "0", "--model", f"m={tmp_path / 'none'}")
    assert "give at least 16 printable" in refused("--port", "0", DEEPMNIST_API_KEY="short")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "x" * 300])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ServiceError, match="cannot listen on"):
        server.listening(host, 0)


def test_an_address_is_told_as_a_browser_takes_it() -> None:
    with server.listening("127.0.0.1", 0) as listener:
        assert server.address(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"

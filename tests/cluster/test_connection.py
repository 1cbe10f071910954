"""connection.py: what keeps Ray from being there is told in a line, in the time that is stated."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from deepmnist import machine
from deepmnist.cluster import connection
from deepmnist.errors import ConfigError, MissingExtraError, RunError


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deepmnist\[cluster\]'"):
        connection.check("auto", "this")


@pytest.fixture
def any_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ray", lambda needed_for: None)


@pytest.mark.usefixtures("any_ray")
def test_a_cluster_that_does_not_answer_is_told_within_the_time_that_is_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RunError, match=r"no cluster answers at 127\.0\.0\.1:1 within 10 s: Conn"):
        connection.check("127.0.0.1:1", "this")
    monkeypatch.setattr(connection, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]  # they fill the queue: nobody accepts
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        with pytest.raises(RunError, match="timed out"):
            connection.check(f"ray://127.0.0.1:{port}", "this")
        assert time.monotonic() - started < 5
        for each in waiting:
            each.close()


@pytest.mark.usefixtures("any_ray")
@pytest.mark.parametrize(
    "address",
    [
        *("nowhere", "host:", "ray://host", "host:70000", "a b:c"),
        *("[::1:6379", "head..local:6379", f"{'x' * 70}:6379", "ray://\udcff:1"),
    ],
)
def test_an_address_that_is_none_is_told_with_what_one_is(address: str) -> None:
    with pytest.raises(ConfigError, match="is none: give auto, host:port or ray://host:port"):
        connection.check(address, "this")


@pytest.mark.usefixtures("any_ray")
def test_an_address_of_the_environment_is_looked_at_like_one_that_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(ConfigError, match=r"^\$RAY_ADDRESS 'nowhere' is none: give auto, host"):
        connection.check(None, "this")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    connection.check(None, "this")
    monkeypatch.delenv("RAY_ADDRESS")
    connection.check(None, "this")


@pytest.mark.parametrize(
    ("given", "environment", "asked"),
    [
        (None, None, "local"),  # whatever cluster may run on this machine
        (None, "", "local"),
        (None, "local", "local"),
        (None, "head:6379", "head:6379"),
        (None, "auto", "auto"),
        ("auto", None, "auto"),
        ("auto", "head:6379", "head:6379"),  # as Ray has it
        ("other:6379", "head:6379", "other:6379"),
    ],
)
def test_the_cluster_is_the_one_that_was_given_or_named_else_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch, given: str | None, environment: str | None, asked: str
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if environment is not None:
        monkeypatch.setenv("RAY_ADDRESS", environment)
    monkeypatch.setattr(connection, "_check_answers", lambda *_: None)
    addresses = []

    class Ray:
        def init(self, address: str | None, **options: Any) -> None:
            addresses.append(address)

        def shutdown(self) -> None:
            pass

    with connection.made(Ray(), given, "leave it"):
        pass
    assert addresses == [asked]


def test_ray_is_not_asked_for_a_cluster_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(RunError, match="no cluster answers at 127"):  # noqa: SIM117
            with connection.made(None, None, "leave it"):
                pass


def test_a_machine_with_other_versions_is_refused_with_the_difference() -> None:
    here = machine.versions()
    connection.check_versions("node7", here, here)
    other = {**here, "numpy": "1.0"}
    with pytest.raises(RunError, match=r"node7 has numpy 1\.0, this machine .*; install"):
        connection.check_versions("node7", here, other)


def test_a_worker_that_does_not_see_the_driver_s_folder_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "run.json"
    with pytest.raises(RunError, match=r"does not see .*run\.json; give --out a folder that all"):
        connection.check_worker(machine.versions(), shared)
    shared.touch()
    connection.check_worker(machine.versions(), shared)
    with pytest.raises(RunError, match=r"has unheard-of none, this machine 1\.0"):
        connection.check_worker({"unheard-of": "1.0"}, shared)


def test_whole_cores_are_counted_of_nodes_that_live_and_have_any() -> None:
    class Ray:
        def nodes(self) -> list[dict[str, Any]]:
            nodes = [(True, 2.0), (False, 8.0), (True, 3.5), (True, 0.0)]
            return [{"Alive": alive, "Resources": {"CPU": cpus}} for alive, cpus in nodes]

    assert connection.cores(Ray()) == [2, 3]

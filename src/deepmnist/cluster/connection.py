"""Ray, found and connected to: what all that runs on a cluster begins with. Imported late."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deepmnist import machine
from deepmnist.errors import (
    ConfigError,
    DeepMNISTError,
    LostError,
    MissingExtraError,
    RunError,
    reason,
    unforeseen,
)

ENVIRONMENT = "RAY_ADDRESS"
AUTO, LOCAL = "auto", "local"  # Ray's names for the cluster of this machine, and for one of our own
CONNECT_S = 10  # for an address to answer at all
GO_ON = "; the same command goes on with what is missing"
START_S = 45  # for Ray to connect, or to start on this machine; it gives up itself at 60


def installed() -> bool:
    """Whether Ray can be imported."""
    return find_spec("ray") is not None


def ray(needed_for: str) -> Any:
    """The module. MissingExtraError, saying what it is needed for, where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(needed_for, "cluster") from error
    return ray


def named(address: str | None) -> str | None:
    """The cluster that is meant; None for cores of this machine that are nobody else's.

    address: as --cluster has it. As for Ray, $RAY_ADDRESS is meant where none is given and by auto;
    but without both it is not what happens to run on this machine, which Ray would join.
    """
    if address is not None and address != AUTO:
        return address
    found = os.environ.get(ENVIRONMENT) or address
    return None if found == LOCAL else found


def check(address: str | None, needed_for: str) -> None:
    """Before any work: MissingExtraError without Ray, RunError where no cluster answers in time."""
    ray(needed_for)
    _answering(address)


def _answering(address: str | None) -> str | None:
    """The cluster that is meant, which answers; Ray itself would wait for it for minutes."""
    meant = named(address)
    if meant is not None and meant != AUTO:
        _check_answers(meant, given_by(address, meant))
    return meant


def given_by(address: str | None, meant: str) -> str:
    """What says which cluster is meant: the option, or the environment."""
    return "--cluster" if meant == address else f"${ENVIRONMENT}"


@contextmanager
def made(ray: Any, address: str | None, otherwise: str) -> Iterator[None]:
    """Ray is connected as long as this lasts.

    address: as --cluster has it, see named. otherwise: what a person may do without it. RunError
    where no cluster answers, or Ray is not there within START_S.
    """
    meant = _answering(address)
    ready, over = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def connect() -> None:
        """Ray's own processes end with the thread that started them."""
        try:
            ray.init(meant or LOCAL, logging_level=logging.ERROR, log_to_driver=False)
        except BaseException as error:  # noqa: BLE001  told below, in the thread that waits
            failed.append(error)
        ready.set()
        over.wait()

    threading.Thread(target=connect, daemon=True).start()
    try:
        if not ready.wait(START_S) or failed:
            why = reason(failed[0]) if failed else f"no answer within {START_S} s"
            raise RunError(
                f"cannot connect to Ray at {meant or 'this machine'}: {why}; "
                f"start it with `ray start --head`, or {otherwise}"
            )
        _take_back_sigterm()
        yield
    finally:
        if ready.is_set():
            ray.shutdown()
        over.set()


def _take_back_sigterm() -> None:
    """Ray puts a handler of its own before Python's, which prints a trace and aborts."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def cores(ray: Any) -> list[int]:
    """Whole cores of each node that has any."""
    nodes = (int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])
    return [count for count in nodes if count > 0]


def result(ray: Any, task: Any, what: str, advice: str = GO_ON) -> Any:
    """A task's result; what went wrong there is raised here, in one line.

    LostError, with `advice` behind it, where its worker or node is gone.
    """
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DeepMNISTError):  # Ray's own copy has a traceback for a text
            raise error.cause from error
        raise RunError(f"{what} failed: {unforeseen(error.cause)}") from error
    except ray.exceptions.RayError as error:
        raise LostError(f"{what} was lost: {reason(error)}{advice}") from error


def check_versions(where: str, wanted: dict[str, str], found: dict[str, str]) -> None:
    """RunError, naming the first difference, unless a machine has the same versions."""
    for package, version in wanted.items():
        if found[package] != version:
            raise RunError(
                f"{where} has {package} {found[package]}, this machine {version}; "
                "install the same everywhere"
            )


def check_worker(wanted: dict[str, str], shared: Path) -> None:
    """RunError, on a worker, unless it has the driver's versions and sees its file `shared`."""
    where = socket.gethostname()
    check_versions(where, wanted, {**dict.fromkeys(wanted, "none"), **machine.versions()})
    if not shared.is_file():
        raise RunError(
            f"{where} does not see {shared}; give --out a folder that all machines share"
        )


def _check_answers(address: str, given: str) -> None:
    """Ray itself would wait for minutes, or end the process."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as the socket does
    except ValueError:
        host = port = None
    if not host or not port:
        raise ConfigError(f"{given} {address!r} is none: give auto, host:port or ray://host:port")
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        raise RunError(
            f"no cluster answers at {address} within {CONNECT_S} s: {reason(error)}; "
            "look whether it runs and its port is open"
        ) from error

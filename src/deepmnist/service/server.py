"""The application on a port: what `deepmnist serve` runs.

SIGHUP looks for new models in a thread, while the old ones answer. SIGTERM and Ctrl-C stop taking
connections, let what is being answered end, and leave with status 0.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

from deepmnist.errors import ServiceError, reason
from deepmnist.service.connections import protocol, refuse
from deepmnist.service.limits import Limits
from deepmnist.service.logs import Journal, JournalHandler, Observed
from deepmnist.service.registry import Registry
from deepmnist.service.security import SecurityHeaders

KEEP_ALIVE_S = 75  # a connection that asks nothing for so long is closed
BACKLOG = 1024  # connections that wait to be taken
COLLECT_AFTER = (20_000, 20, 20)  # new objects, collections: a request makes hundreds, no circles


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free. ServiceError where it cannot be had."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
    except (OSError, UnicodeError) as error:
        raise ServiceError(f"cannot listen on {host!r}: {reason(error)}; try 127.0.0.1") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ServiceError(
            f"cannot listen on {host} port {port}: {reason(error)}; give another --port"
        ) from error
    return listener


def address(listener: socket.socket) -> str:
    """Where a listening socket is reached, as a browser is told."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn's, which says when it has begun: it takes connections, and signals end it well."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await super().startup(sockets)
        self._begun()


def server(
    app: ASGIApp,
    models: Registry,
    limits: Limits,
    journal: Journal | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Server:
    """A server of the application; its `run(sockets=[...])` starts it."""
    refusing = SecurityHeaders(Observed(refuse, journal, models.metrics))
    config = uvicorn.Config(
        app,
        http=protocol(limits, refusing, models.metrics),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=limits.drain_s,
    )
    return Server(config, begun)


def run(
    app: ASGIApp,
    listener: socket.socket,
    models: Registry,
    limits: Limits,
    journal: Journal,
    begun: Callable[[], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C; then drain and return. For the main thread.

    `begun` is called as soon as requests are answered.
    """
    logging.getLogger("uvicorn.error").addHandler(JournalHandler(journal))
    logging.getLogger("uvicorn.error").propagate = False
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again, once it drained
        signal.signal(number, _drained)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _reloader(models, journal))
    _spare_what_stays()
    server(app, models, limits, journal, begun).run(sockets=[listener])


def leave() -> NoReturn:
    """End the process with status 0, whatever its threads are at.

    One that is within OpenCV or LiteRT when Python takes itself apart would end it by SIGABRT.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _spare_what_stays() -> None:
    """The collector need not look again and again at what lives as long as the service."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _drained(number: int, frame: FrameType | None) -> None:
    """All is answered: the process may end as if nothing had been."""


def _reloader(models: Registry, journal: Journal) -> Callable[[int, FrameType | None], None]:
    lock = threading.Lock()

    def reload() -> None:
        with lock:
            problems = models.reload()
        for problem in problems:
            journal.write("model refused", error=str(problem))
        serving = {name: models.versions(name) for name in models.names}
        journal.write("models", serving=serving)

    def on_signal(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=reload, name="reload", daemon=True).start()

    return on_signal

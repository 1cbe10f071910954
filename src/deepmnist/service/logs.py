"""The journal: one JSON line for each request, with an id that its answer carries too.

The id is the caller's X-Request-ID where that is a plain word, else a new one. Neither headers nor
query are written: keys and what people ask for stay out. It stands outside all that may fail, so
what no handler caught ends here as a 500 with its traceback in the journal.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
import time
import traceback
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepmnist.service.failures import CLIENT_LEFT, response

if TYPE_CHECKING:
    from deepmnist.service.metrics import Metrics

REQUEST_ID = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
MOST_PATH = 200  # characters of a path that are written
UNMATCHED = "unmatched"  # the route of a path that has none


class Journal:
    """Writes lines of JSON: to a stream, or to where the process's stderr goes as it begins."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = _stderr_of_its_own() if stream is None else stream

    def write(self, event: str, **values: Any) -> None:
        """A line: time (UTC), event, values."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode({"time": now, "event": event, **values})
        self._stream.write(line.decode() + "\n")
        self._stream.flush()


def _stderr_of_its_own() -> TextIO:
    """Where stderr goes, by another descriptor: chatter.py takes the process's away for moments."""
    try:
        return open(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", closefd=False)
    except OSError:  # it is no file, as within a program that keeps what is written there
        return sys.stderr


class JournalHandler(logging.Handler):
    """What the server under us has to say, in the journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line for a warning or worse."""
        values = {"level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            values["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        self._journal.write("server", **values)


class Observed:
    """Middleware: gives each request its id and its line, counts it, ends what failed."""

    def __init__(self, app: ASGIApp, journal: Journal | None, metrics: Metrics) -> None:
        self.app = app
        self._journal = journal
        self._metrics = metrics
        self._process, self._numbers = uuid.uuid4().hex[:12], itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(self._request_id(scope), send)
        started = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            await self.app(scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001  the last to hear of it; the client is told too
            await self._failed(error, exchange, scope, receive)
        finally:
            self._metrics.in_flight.dec()
            self._tell(scope, exchange, time.perf_counter() - started)

    def _request_id(self, scope: Scope) -> str:
        given = [value for name, value in scope["headers"] if name == REQUEST_ID]
        if len(given) == 1 and SANE.fullmatch(given[0]):
            return str(given[0].decode("ascii"))
        return f"{self._process}-{next(self._numbers)}"

    async def _failed(
        self, error: Exception, exchange: _Exchange, scope: Scope, receive: Receive
    ) -> None:
        if self._journal:
            text = "".join(traceback.format_exception(error))
            self._journal.write("error", request_id=exchange.request_id, traceback=text)
        if exchange.status:  # the answer has begun: all that is left is to break it off
            raise error
        message = f"the service failed; its journal has more under {exchange.request_id}"
        await response(500, message)(scope, receive, exchange.send)

    def _tell(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        status = exchange.status or CLIENT_LEFT
        self._metrics.answered(scope["method"], route, status, seconds)
        if self._journal:
            client = scope.get("client")
            self._journal.write(
                "request",
                request_id=exchange.request_id,
                client=client[0] if client else None,
                method=scope["method"],
                path=scope["path"][:MOST_PATH],
                status=status,
                ms=round(1e3 * seconds, 3),
                bytes=exchange.bytes,
            )


class _Exchange:
    """What goes out for one request."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status = 0  # until the answer begins
        self.bytes = 0  # of the answer's body
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass a message on, the id added."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (REQUEST_ID, self.request_id.encode())
            message["headers"] = [*message["headers"], own]
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)

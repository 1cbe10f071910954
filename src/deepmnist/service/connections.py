"""What the service demands of a connection: not too many at once, and none that dawdles.

A mix-in for uvicorn's protocols, which bound neither the time that a request's headers take to come
nor the time that an answer takes to be fetched. A connection beyond the limit is heard and
answered with 503, so that its client learns why; far beyond it is closed at once.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from deepmnist.service.failures import busy, response
from deepmnist.service.limits import Limits
from deepmnist.service.security import OF_ANSWERS

if TYPE_CHECKING:
    from deepmnist.service.metrics import Metrics

REFUSED_MOST = 2  # times the limit: so many are still told why
REFUSED_S = 5.0  # seconds that a connection beyond the limit has for its headers


def protocol(limits: Limits, refusing: ASGIApp, metrics: Metrics) -> type[asyncio.Protocol]:
    """uvicorn's protocol with these limits: httptools' where that is installed, else h11's."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class Bounded(_Bounded, AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        pass

    Bounded.limits, Bounded.refusing, Bounded.metrics = limits, staticmethod(refusing), metrics
    return Bounded


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """The application of a connection beyond the limit."""
    refusal = busy("as many clients are connected as are served at once; ask again")
    headers = {**(refusal.headers or {}), "Connection": "close"}
    await response(refusal.status_code, str(refusal.detail), headers)(scope, receive, send)


def last_words(status: HTTPStatus, message: str) -> bytes:
    """The one shape of a refusal where no application is asked, and no other answer follows."""
    body = msgspec.json.encode({"error": message})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *OF_ANSWERS,
    ]
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [b": ".join(header) for header in headers]
    return b"\r\n".join([*lines, b"", body])


class Joining:
    """A transport that sends at once what is written in one turn of the event loop.

    uvicorn writes an answer's head and its body one after another: two calls of the system, two
    packets, two times that a client wakes.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data` with whatever else is written in this turn."""
        if not self._written:
            asyncio.get_running_loop().call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Close after what was written is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))


class _Bounded:
    """The limits; what it calls by `super()` is uvicorn's protocol."""

    limits: Limits
    refusing: ASGIApp
    metrics: Metrics
    transport: Any
    cycle: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._hurry: asyncio.TimerHandle | None = None  # the request has to be here by then
        self._fetch: asyncio.TimerHandle | None = None  # the answer has to be taken by then

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, or have it refused."""
        super().connection_made(Joining(transport))  # type: ignore[misc]
        transport.set_write_buffer_limits(high=0)  # pause_writing for a byte that is not taken
        count, most = len(self.connections), self.limits.connections  # type: ignore[attr-defined]
        if count <= most:
            self._arm(self.limits.send_s)
            return
        self.metrics.refused_connections.inc()
        if count > REFUSED_MOST * most:
            transport.abort()
        else:
            self.app = self.refusing
            self._arm(min(REFUSED_S, self.limits.send_s))

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: until its headers are whole, and after its answer, time runs."""
        super().data_received(data)  # type: ignore[misc]
        if self.cycle is not None and not self.cycle.response_complete:
            self._disarm()  # now limits.py watches the body
        elif self._hurry is None:
            self._arm(self.limits.send_s)

    def connection_lost(self, error: Exception | None) -> None:
        """The end."""
        self._disarm()
        self._fetched()
        super().connection_lost(error)  # type: ignore[misc]

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it is made."""
        super().pause_writing()  # type: ignore[misc]
        if self._fetch is None:
            loop = asyncio.get_running_loop()
            self._fetch = loop.call_later(self.limits.send_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It took some."""
        self._fetched()
        super().resume_writing()  # type: ignore[misc]

    def _fetched(self) -> None:
        if self._fetch is not None:
            self._fetch.cancel()
            self._fetch = None

    def _arm(self, seconds: float) -> None:
        self._hurry = asyncio.get_running_loop().call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP; `msg`, uvicorn's, says no more than that."""
        self._end(HTTPStatus.BAD_REQUEST, "what came is no HTTP request")

    def _too_slow(self) -> None:
        self._end(HTTPStatus.REQUEST_TIMEOUT, "the headers did not come in time")

    def _end(self, status: HTTPStatus, message: str) -> None:
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete or self._is_asking():
                self.transport.write(last_words(status, message))
            self.transport.close()

    def _is_asking(self) -> bool:
        """Whether the newest request is still coming, and no answer is due before its own."""
        cycle, waiting = self.cycle, getattr(self, "pipeline", None)  # httptools queues requests
        return cycle.more_body and not cycle.response_started and not waiting

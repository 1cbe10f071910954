"""How much a request may ask for, and how long a client may take to send it.

All of it is looked at before anything is decoded. The middleware here watches bodies as they come;
what a client does before its headers are complete is connections.py's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepmnist.pictures import MAX_PICTURE_PIXELS
from deepmnist.service.failures import Refusal, busy, response

MIB = 1024**2


@dataclass(frozen=True)
class Limits:
    """The limits of a service."""

    body_bytes: int = 16 * MIB  # of a request's body, as sent
    bodies_bytes: int = 256 * MIB  # of all bodies in memory at once
    images: int = 1024  # in a request
    pictures: int = 32  # encoded ones, in a request
    pixels: int = MAX_PICTURE_PIXELS  # of a picture
    readings: int = 64  # pictures that may wait to be decoded and read
    connections: int = 256  # at once
    send_s: float = 30.0  # seconds for a request to come, and for an answer to be taken
    drain_s: int = 30  # seconds that requests have to end in when the service stops


def room(body_bytes: int) -> int:
    """What to set aside for all bodies: the usual, or four of the largest, so that one is taken."""
    return max(Limits.bodies_bytes, 4 * body_bytes)


class BodyGuard:
    """Middleware: 413 for a body too large, 408 for one too slow, 503 when memory is short.

    Nothing is buffered here: each piece is counted on its way to whoever reads it.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.held = 0  # bytes of all bodies being read or worked on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, its body watched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = _content_length(scope)
        if length is not None and length > self.limits.body_bytes:
            refused = self._too_large()
            await response(refused.status_code, str(refused.detail))(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD"):  # no body is read
            await self.app(scope, receive, send)
            return
        body = _Body(self, receive)
        try:
            await self.app(scope, body.receive, send)
        finally:
            self.held -= body.count

    def _too_large(self) -> Refusal:
        return Refusal(
            413, f"the body is larger than {self.limits.body_bytes:,} bytes, the most that is taken"
        )


class _Body:
    """One request's body on its way."""

    def __init__(self, guard: BodyGuard, receive: Receive) -> None:
        self.guard = guard
        self.count = 0  # bytes so far
        self._receive = receive
        self._deadline = asyncio.get_running_loop().time() + guard.limits.send_s
        self._complete = False

    async def receive(self) -> Message:
        """The next message; Refusal where it is too much or too late."""
        if self._complete:  # what comes now is the end of the connection, whenever that is
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(
                408,
                f"the body did not come within {self.guard.limits.send_s:g} seconds",
                {"Connection": "close"},
            ) from None
        self._count(len(message.get("body", b"")))
        self._complete = not message.get("more_body", False)
        return message

    def _count(self, more: int) -> None:
        self.count += more
        self.guard.held += more
        if self.count > self.guard.limits.body_bytes:
            raise self.guard._too_large()
        if self.guard.held > self.guard.limits.bodies_bytes:
            raise busy("the service holds as many bodies as it has memory for; ask again")


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None

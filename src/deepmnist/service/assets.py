"""The page and its files, out of a mapping from address to content; nothing else can be reached.

Each address of the mapping is a route of its own, so there is no folder to climb out of. Addresses
stay the same when a model changes: browsers ask each time, and are told 304 if nothing did.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

INDEX = "index.html"
WORTHWHILE = 0.9  # of its size: what gzip makes no smaller is sent as it is
LEAST_GZIPPED = 512  # bytes
EFFORT = 3  # of gzip: beyond, a start takes longer and a file gets hardly smaller
CACHE = "no-cache"  # keep it, but ask each time whether it is still so


class Asset(Protocol):
    """A file of the page."""

    @property
    def content(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...


@dataclass(frozen=True)
class _Ready:
    """A file as it is sent."""

    content: bytes
    gzipped: bytes | None
    headers: dict[str, str]


class _File(Route):
    """A route that tells which it is, as FastAPI's do: what is counted is counted by its path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


def routes(site: Mapping[str, Asset], policy: str) -> list[Route]:
    """A route for each file; index.html is at / too. `policy`: the Content-Security-Policy."""
    found: list[Route] = []
    for key, asset in site.items():
        handler = _handler(_ready(asset, policy))
        paths = ["/", f"/{INDEX}"] if key == INDEX else [f"/{key}"]
        found += [_File(path, handler, methods=["GET"]) for path in paths]
    return found


def _ready(asset: Asset, policy: str) -> _Ready:
    gzipped = gzip.compress(asset.content, EFFORT, mtime=0)
    small = len(gzipped) < WORTHWHILE * len(asset.content)
    worthwhile = small and len(asset.content) >= LEAST_GZIPPED
    headers = {
        "etag": f'"{hashlib.sha256(asset.content).hexdigest()[:32]}"',
        "cache-control": CACHE,
        "content-security-policy": policy,
        "content-type": asset.media_type,
    }
    if worthwhile:
        headers["vary"] = "Accept-Encoding"
    return _Ready(asset.content, gzipped if worthwhile else None, headers)


def _handler(ready: _Ready):  # type: ignore[no-untyped-def]
    async def handle(request: Request) -> Response:
        if _is_known(request.headers.get("if-none-match", ""), ready.headers["etag"]):
            unsent = {
                name: value for name, value in ready.headers.items() if name != "content-type"
            }
            return Response(status_code=304, headers=unsent)
        if ready.gzipped is not None and _takes_gzip(request):
            return Response(ready.gzipped, headers={**ready.headers, "content-encoding": "gzip"})
        return Response(ready.content, headers=ready.headers)

    return handle


def _is_known(given: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return etag in tags or "*" in tags


def _takes_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = part.partition(";")
        if name.strip().lower() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

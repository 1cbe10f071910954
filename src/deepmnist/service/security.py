"""Who may ask, and what browsers may do with the answer.

The key comes from the environment or a file, never from the command line, where any user of the
machine could see it. It is compared in constant time and written nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepmnist.errors import ConfigError, reason
from deepmnist.service.failures import response

ENVIRONMENT = "DEEPMNIST_API_KEY"
LEAST_KEY = 16  # characters
MAX_KEY_BYTES = 4096
API_PREFIXES = ("/v1", "/v2", "/read", "/metrics")  # what a key guards
OPEN = ("/v2/health/",)  # and what it does not: probes carry no key

EVERY = "*"  # origins
NO_ORIGIN = "null"  # of a page in a file, or in a frame that is shut off
LOOKED_AT = (b"host", b"origin", b"sec-fetch-site")

POLICY = b"content-security-policy"
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
OF_PAGES = (
    *HEADERS,
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
# What is no page runs nothing and is framed by nobody; the headers of pages would tell it nothing
# more, and each costs a request some microseconds.
OF_ANSWERS = (*HEADERS, (POLICY, b"default-src 'none'; frame-ancestors 'none'"))
CORS_HEADERS = (
    "Authorization",
    "Content-Type",
    "Inference-Header-Content-Length",
    "X-API-Key",
    "X-Request-ID",
)
CORS_EXPOSED = ("Inference-Header-Content-Length", "Retry-After", "X-Request-ID")


def api_key(file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The key that is asked for, from a file or the environment; None where there is none.

    ConfigError where the file cannot be read, or the key is short or no plain text.
    """
    if file is None:
        text, origin = environment.get(ENVIRONMENT), f"${ENVIRONMENT}"
    else:
        text, origin = _content(file), str(file)
    if text is None:
        return None
    key = text.strip()
    if not (key.isascii() and key.isprintable()) or " " in key or len(key) < LEAST_KEY:
        raise ConfigError(
            f"the API key in {origin} is none: give at least {LEAST_KEY} printable ASCII "
            "characters without a space"
        )
    return key


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_KEY_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise ConfigError(f"the API key file {file} cannot be read: {reason(error)}") from None


class KeyGuard:
    """Middleware: 401 for what needs the key and comes without it."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app = app
        self._digest = _digest(key.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that may be served."""
        if scope["type"] != "http" or not guarded(scope["path"]) or self._known(scope):
            await self.app(scope, receive, send)
            return
        refusal = response(
            401,
            "an API key is needed: send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'",
            {"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        given = [key for name, value in scope["headers"] if (key := _key(name, value)) is not None]
        return len(given) == 1 and hmac.compare_digest(_digest(given[0]), self._digest)


def guarded(path: str) -> bool:
    """Whether a path needs the key; the page and the probes do not."""
    return path.startswith(API_PREFIXES) and not path.startswith(OPEN)


def _key(name: bytes, value: bytes) -> bytes | None:
    if name == b"x-api-key":
        return value.strip()
    if name == b"authorization":
        scheme, _, key = value.partition(b" ")
        return key.strip() if scheme.lower() == b"bearer" else b""
    return None


def _digest(key: bytes) -> bytes:
    """Of one length whatever the key's, so that comparing does not tell it."""
    return hashlib.sha256(key).digest()


def own_hosts(host: str, address: str, origins: Iterable[str]) -> frozenset[str] | None:
    """The names that a service on this address alone may be asked by; None for any.

    On loopback nobody needs others than `host`, which it was given, and those of the allowed
    origins, which a proxy may pass on; elsewhere nobody knows what it is called. ConfigError for an
    origin that is none.
    """
    named = {_name_of(origin) for origin in origins if origin not in (EVERY, NO_ORIGIN)}
    if not ip_address(address).is_loopback or EVERY in origins:
        return None
    return frozenset({host.lower(), *named})


def _name_of(origin: str) -> str:
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        name = None
    if name is None:
        raise ConfigError(
            f"--allow-origin {origin[:80]!r} is none: give one such as https://example.org, or *"
        )
    return name


class PageGuard:
    """Middleware: refuses what pages of other origins make a browser ask.

    421 for a name that is not ours: a page may have its own lead to this machine, and read all.
    403 for a POST that the browser says comes from elsewhere. Clients that are no browsers say
    nothing of the kind, and proxies pass on what browsers say.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, origins: Iterable[str]) -> None:
        self.app = app
        self._hosts = hosts
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that may be served."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        said = {name: value for name, value in scope["headers"] if name in LOOKED_AT}
        if self._hosts is not None and not _is_among(said.get(b"host", b""), self._hosts):
            return response(
                421,
                "the service is asked by a name that is not its own; ask it by its address, or "
                "give --allow-origin the one that a proxy passes on, such as https://example.org",
            )
        elsewhere = said.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
        if elsewhere and scope["method"] == "POST" and not self._allows(said.get(b"origin", b"")):
            return response(
                403, "a page of another origin asks; name its origin with --allow-origin"
            )
        return None

    def _allows(self, origin: bytes) -> bool:
        return origin in self._origins or EVERY.encode() in self._origins


def _is_among(host: bytes, hosts: frozenset[str]) -> bool:
    """Whether a Host is no name that strangers could have: theirs have a dot, addresses aside."""
    name = host.decode("latin-1").lower()
    if name.startswith("["):  # an IPv6 address
        return True
    name = name.partition(":")[0]
    return "." not in name or name in hosts or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class SecurityHeaders:
    """Middleware: every answer says what browsers must not do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, the headers added."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                is_page = any(name == POLICY for name, _ in headers)
                message["headers"] = [*headers, *(OF_PAGES if is_page else OF_ANSWERS)]
            await send(message)

        await self.app(scope, receive, with_headers)

"""Who may ask, and what browsers may do with the answer.

The key comes from the environment or a file, never from the command line, where any user of the
machine could see it. It is compared in constant time and written nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepmnist.errors import ConfigError
from deepmnist.service.failures import response

ENVIRONMENT = "DEEPMNIST_API_KEY"
LEAST_KEY = 16  # characters
MAX_KEY_BYTES = 4096
API_PREFIXES = ("/v1", "/v2", "/read", "/metrics")  # what a key guards
OPEN = ("/v2/health/",)  # and what it does not: probes carry no key

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
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"the API key file {file} cannot be read: {reason}") from None


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

"""What went wrong, told in one shape by every protocol: {"error": "one line"}.

Both protocols served here have this shape, and /read takes it over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from deepmnist.errors import ConfigError, DataError, DeepMNISTError, PictureError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

STATUS: dict[type[DeepMNISTError], int] = {PictureError: 422, ConfigError: 422, DataError: 400}
CLIENT_LEFT = 499  # never sent: nobody is there to read it; it is for the journal
RETRY_AFTER_S = 1  # seconds after which a busy service may be asked again


class Refusal(HTTPException):
    """A request that is not answered, with the status and the line that says why."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, headers)


def busy(message: str) -> Refusal:
    """503: it could be answered, but not now."""
    return Refusal(503, message, {"Retry-After": str(RETRY_AFTER_S)})


def response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """The one shape."""
    content = msgspec.json.encode({"error": " ".join(message.split())})
    return Response(content, status, headers, media_type="application/json")


def install(app: FastAPI) -> None:
    """Have every exception that a request can cause told in the one shape."""
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_parameters)
    app.exception_handler(DeepMNISTError)(_ours)
    app.exception_handler(ClientDisconnect)(_left)


async def _http(request: Request, error: HTTPException) -> Response:
    return response(error.status_code, str(error.detail), error.headers)


async def _parameters(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    return response(422, f"parameter {first['loc'][-1]}: {first['msg']}")


async def _ours(request: Request, error: DeepMNISTError) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    return response(status, str(error))


async def _left(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=CLIENT_LEFT)

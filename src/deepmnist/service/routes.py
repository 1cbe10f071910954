"""How the protocols' routes are declared: handlers of the bare request, described by hand.

FastAPI's own parsing builds a model of every number, which for images costs more than the answer. A
Bare route hands its handler the request and nothing more, and what it takes and gives is said with
the schemas of schemas.py.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response

from deepmnist.service import schemas
from deepmnist.service.failures import Refusal
from deepmnist.service.registry import Registry, Served

JSON = "application/json"
BINARY = "application/octet-stream"
FORM = "application/x-www-form-urlencoded"  # what curl -d calls anything

REASONS = {
    400: "No valid request.",
    401: "The API key is missing or wrong.",
    404: "No such model, or no such version of it.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The content type is none that is taken.",
    422: "More images or larger pictures than are taken, or no picture.",
    503: "Busy; ask again after the seconds in Retry-After.",
}


PARTS = {
    "model": {"description": "A model's name.", "example": "digits"},
    "version": {"description": "One of its versions.", "example": "1"},
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Bare(APIRoute):
    """A route whose handler is given the request alone; its path and handler come first."""

    def __init__(self, path: str, handler: Handler, **described: Any) -> None:
        super().__init__(path, handler, **described)
        self.app = request_response(handler)  # Starlette's: without what FastAPI sets up to solve


def bare(
    path: str,
    handler: Handler,
    tag: str,
    responses: dict[int | str, dict[str, Any]],
    body: dict[str, Any] | None = None,
    parameters: Sequence[dict[str, Any]] = (),
) -> Bare:
    """A route: POST where it takes a body (OpenAPI's description of it), else GET.

    `responses` and `parameters` are OpenAPI's too; the path's own parts are described here.
    """
    extra: dict[str, Any] = {"parameters": [*_parts(path), *parameters]}
    if body is not None:
        extra["requestBody"] = body
    return Bare(
        path,
        handler,
        methods=["GET" if body is None else "POST"],
        tags=[tag],
        responses=responses,
        response_class=Response,
        openapi_extra=extra,
    )


def _parts(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, **about}
        for name, about in PARTS.items()
        if f"{{{name}}}" in path
    ]


def answer(
    schema: dict[str, Any], example: Any, binary: bool = False
) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a 200; `binary`: it may come with tensors after the JSON."""
    content: dict[str, Any] = {JSON: {"schema": schema, "example": example}}
    if binary:
        content[BINARY] = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": "The answer.", "content": content}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of statuses that are refusals."""
    content = {JSON: {"schema": schemas.reference(schemas.Error)}}
    return {status: {"description": REASONS[status], "content": content} for status in statuses}


def responded(value: Any) -> Response:
    """200 with a value as JSON."""
    return Response(msgspec.json.encode(value), media_type=JSON)


def asked_model(request: Request, models: Registry) -> Served:
    """The version of a model that the path names; 404 where it is not served."""
    parts = request.path_params
    return served(models, parts["model"], parts.get("version"))


def served(models: Registry, model: str, version: str | None = None) -> Served:
    """The version of a model; 404 where it is not served."""
    found = models.find(model, version)
    if found is None:
        asked = f"{model!r}" if version is None else f"version {version!r} of {model!r}"
        raise Refusal(404, f"{asked} is not served; served: {models.described()}")
    return found


def check_content_type(request: Request, *allowed: str) -> str:
    """The body's content type, '' where none is given; 415 where it is none of `allowed`."""
    given = request.headers.getlist("content-type")
    kind = given[0].partition(";")[0].strip().lower() if given else ""
    if len(given) > 1 or (kind and kind not in allowed):
        shown = ", ".join(given)[:80]
        raise Refusal(415, f"the content type is {shown!r}; give one of {', '.join(allowed)}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "the body is compressed; send it as it is")
    return kind

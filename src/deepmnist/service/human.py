"""POST /read: a picture, and what is read in it, in the JSON of `deepmnist read --format json`.

The picture is the body, or the one file of a form. The options are the query; a file of allowed
values (@FILE) is none of them, since it would be a file of the server's.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from deepmnist import transcription
from deepmnist.service import examples
from deepmnist.service.failures import Refusal
from deepmnist.service.limits import Limits
from deepmnist.service.readings import Readings
from deepmnist.service.registry import Registry
from deepmnist.service.routes import (
    BINARY,
    FORM,
    answer,
    check_content_type,
    errors,
    responded,
    served,
)
from deepmnist.service.schemas import ReadPicture, reference

PICTURES = ("image/png", "image/jpeg", "image/bmp", "image/tiff", "image/webp", "image/gif")
MULTIPART = "multipart/form-data"
FIELDS = 8  # of a form, beside the file
CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")  # of a form's text
MOST_EXPECTED, LONGEST = 8, 200  # expectations, and characters of each

Expect = Annotated[
    list[Annotated[str, Query(max_length=LONGEST)]],
    Query(
        max_length=MOST_EXPECTED,
        description="What each line is: a length (5, 4-6), a pattern (\\d{5}), luhn, isbn10, "
        "isbn13, mod97, values (117|250). Again for more.",
    ),
]
Grid = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,3}x[0-9]{1,3}$", description="Rows x columns, such as 9x9."),
]
Coverage = Annotated[
    float | None,
    Query(gt=0, le=1, description="Accept so that this share of digits is accepted."),
]
ModelName = Annotated[str | None, Query(description="Which model. The first, if none is named.")]
ModelVersion = Annotated[str | None, Query(description="Which version. The highest, if none.")]


class Reading:
    """The route, for the models of a registry."""

    def __init__(self, models: Registry, limits: Limits, readings: Readings) -> None:
        self.models = models
        self.limits = limits
        self.readings = readings

    def routes(self) -> list[APIRoute]:
        """The one route."""
        responses = answer({"type": "array", "items": reference(ReadPicture)}, examples.READ)
        return [
            APIRoute(
                "/read",
                self.read,
                methods=["POST"],
                tags=["Reading"],
                responses=responses | errors(400, 404, 408, 413, 415, 422, 503),
                response_class=Response,
                openapi_extra={"requestBody": _body()},
            )
        ]

    async def read(
        self,
        request: Request,
        expect: Expect = [],  # noqa: B006  FastAPI copies it
        grid: Grid = None,
        coverage: Coverage = None,
        model: ModelName = None,
        version: ModelVersion = None,
    ) -> Response:
        """The digits in a picture, line by line, left to right: a list of one picture."""
        name = self.models.names[0] if model is None else model
        found = served(self.models, name, version)
        if any(text.strip().startswith("@") for text in expect):
            raise Refusal(422, "expect takes no @FILE here; give the values, such as 117|250")
        how = transcription.way(expect, grid, coverage)
        path, content = await _picture(request)
        most = self.limits.pixels

        def transcribed() -> transcription.Answer:
            return transcription.transcribe(content, path, found.batcher, how, None, most)

        told = await self.readings.run(transcribed, request.receive)
        if told.error is not None:
            raise Refusal(422, told.error)
        return responded([transcription.plain(told)])


async def _picture(request: Request) -> tuple[str | None, bytes]:
    """The name and the content of the one picture that came."""
    kind = check_content_type(request, *PICTURES, BINARY, FORM, MULTIPART)
    if kind != MULTIPART:
        return None, await request.body()
    _check_charset(request)
    async with request.form(max_files=1, max_fields=FIELDS) as form:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if len(files) == 1:
            return files[0].filename or None, await files[0].read()
    raise Refusal(400, "the form holds no file; send the picture as one, such as 'picture'")


def _check_charset(request: Request) -> None:
    """400 unless it is one of those whose work grows with the text alone.

    Starlette decodes each field in whatever Python knows, among it codecs that take a minute.
    """
    _, options = parse_options_header(request.headers["content-type"])
    charset = options.get(b"charset", b"utf-8").decode("latin-1").lower()
    if charset not in CHARSETS:
        known = ", ".join(CHARSETS)
        raise Refusal(400, f"the form's charset is {charset[:40]!r}; use one of {known}, or none")


def _body() -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": ["picture"], "properties": {"picture": file}}
    content: dict[str, Any] = {kind: {"schema": file} for kind in (*PICTURES, BINARY)}
    return {"required": True, "content": {**content, MULTIPART: {"schema": form}}}

"""The application: models, limits and a page in, an ASGI application out.

Nothing is loaded or opened here, so a test makes one of a fake predictor in milliseconds. What
listens on a port is server.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

import deepmnist
from deepmnist.service import assets, failures, metrics, schemas, security
from deepmnist.service.assets import Asset
from deepmnist.service.human import Reading
from deepmnist.service.limits import BodyGuard, Limits
from deepmnist.service.logs import Journal, Observed
from deepmnist.service.oip import OpenInference
from deepmnist.service.readings import Readings
from deepmnist.service.registry import Registry
from deepmnist.service.routes import bare
from deepmnist.service.tfserving import TensorFlowServing

DESCRIPTION = (
    "Handwritten digits over HTTP: the Open Inference Protocol v2, TensorFlow Serving's REST API, "
    'and a picture read. What goes wrong is one shape everywhere: {"error": "one line"}.'
)
PLAIN_POLICY = "default-src 'self'; frame-ancestors 'none'"


def create_app(
    models: Registry,
    limits: Limits = Limits(),  # noqa: B008  frozen
    site: Mapping[str, Asset] | None = None,
    *,
    policy: str = PLAIN_POLICY,
    key: str | None = None,
    origins: Sequence[str] = (),
    hosts: frozenset[str] | None = None,
    journal: Journal | None = None,
) -> FastAPI:
    """The service of some models, and of a page with its Content-Security-Policy.

    `key`: what must be sent to be answered; `origins`: whose pages may ask ('*': all); `hosts`: by
    which names (None: any); `journal`: where requests are written down.
    """
    app = FastAPI(
        title="deepmnist",
        version=deepmnist.__version__,
        description=DESCRIPTION,
        docs_url=None,  # these pages would load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    readings = Readings(limits.readings)
    routes: list[BaseRoute] = [
        *OpenInference(models, limits).routes(),
        *TensorFlowServing(models, limits, readings).routes(),
        *Reading(models, limits, readings).routes(),
        _metrics(models.metrics),
        *assets.routes(site or {}, policy),
    ]
    app.router.routes.extend(routes)
    failures.install(app)
    _guard(app, limits, key, origins)
    app.add_middleware(security.PageGuard, hosts=hosts, origins=origins)
    app.add_middleware(Observed, journal=journal, metrics=models.metrics)
    app.add_middleware(security.SecurityHeaders)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _guard(app: FastAPI, limits: Limits, key: str | None, origins: Sequence[str]) -> None:
    """Middleware; the last that is added is asked first."""
    app.add_middleware(BodyGuard, limits=limits)
    if key is not None:
        app.add_middleware(security.KeyGuard, key=key)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=list(security.CORS_HEADERS),
            expose_headers=list(security.CORS_EXPOSED),
        )


def _metrics(found: metrics.Metrics) -> BaseRoute:
    async def read_metrics(request: Request) -> Response:
        """Everything that is counted, for Prometheus."""
        return Response(found.text(), media_type=metrics.CONTENT_TYPE)

    content = {"text/plain": {"schema": {"type": "string"}}}
    responses: dict[int | str, dict[str, Any]] = {
        200: {"description": "The answer.", "content": content}
    }
    return bare("/metrics", read_metrics, "Metrics", responses)


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, with our own schemas among the components."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        found.setdefault("components", {}).setdefault("schemas", {}).update(schemas.components())
        app.openapi_schema = found
    return app.openapi_schema

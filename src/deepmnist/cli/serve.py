"""deepmnist serve."""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from deepmnist.errors import BundleError, ConfigError, MissingExtraError

if TYPE_CHECKING:
    from deepmnist.page import Asset
    from deepmnist.service.registry import Registry

ASKING = (
    "The page at / asks this server, since what runs the model in a browser is missing; "
    "python -m deepmnist.page fetches it"
)
NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(
    model: Annotated[
        list[str] | None,
        Option(
            metavar="[NAME=]PATH",
            help="Bundle, run folder, or folder of bundles named 1, 2, ... (versions); without a "
            "name it is 'digits'. Again for more. [default: the one that comes along]",
        ),
    ] = None,
    host: Annotated[str, Option(help="Address to listen on; 0.0.0.0 is every one.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="0 is any that is free.")] = 8000,
    api_key_file: Annotated[
        Path | None,
        Option(help="File with the key that is asked for. [default: $DEEPMNIST_API_KEY, if set]"),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        Option(help="Origin whose pages may ask, such as https://example.org; * is all. Again."),
    ] = None,
    max_body_mib: Annotated[float, Option(min=0.01, max=1024, help="Of a request's body.")] = 16,
    max_images: Annotated[int, Option(min=1, help="In a request.")] = 1024,
    max_pictures: Annotated[int, Option(min=1, help="Encoded ones, in a request.")] = 32,
    max_megapixels: Annotated[float, Option(min=0.01, max=64, help="Of a picture.")] = 64,
    max_connections: Annotated[int, Option(min=1, help="At once.")] = 256,
    send_timeout: Annotated[
        float, Option(min=0.1, help="Seconds a client has to send a request.")
    ] = 30,
    drain_timeout: Annotated[
        int, Option(min=0, help="Seconds that requests have to end in when it stops.")
    ] = 30,
    quiet: Annotated[bool, Option("--quiet", help="No line for each request.")] = False,
) -> None:
    """Serve models over HTTP by two protocols, read pictures, and a page on which one draws."""
    _check_extra()
    for option, value in {
        "--max-body-mib": max_body_mib,
        "--max-megapixels": max_megapixels,
        "--send-timeout": send_timeout,
    }.items():
        if not math.isfinite(value):
            raise ConfigError(f"{option} is {value:g}; give a finite number")
    from deepmnist import page
    from deepmnist.service import limits, registry, security, server
    from deepmnist.service.app import create_app
    from deepmnist.service.logs import Journal

    body_bytes = int(max_body_mib * limits.MIB)
    chosen = limits.Limits(
        body_bytes=body_bytes,
        bodies_bytes=limits.room(body_bytes),
        images=max_images,
        pictures=max_pictures,
        pixels=int(max_megapixels * 1e6),
        connections=max_connections,
        send_s=send_timeout,
        drain_s=drain_timeout,
    )
    key = security.api_key(api_key_file, os.environ)
    sources = registry.sources(model or [])
    with server.listening(host, port) as listener:  # a taken port is told before models load
        models = registry.Registry(sources)
        site, note = _site(models)
        journal = Journal()
        origins = allow_origin or []
        app = create_app(
            models,
            chosen,
            site,
            policy=page.POLICY,
            key=key,
            origins=origins,
            hosts=security.own_hosts(host, listener.getsockname()[0], origins),
            journal=None if quiet else journal,
        )

        def greet() -> None:
            print(f"Serving {models.described()} at {server.address(listener)}", flush=True)
            if note:
                print(note, flush=True)

        server.run(app, listener, models, chosen, journal, greet)
    server.leave()


def _site(models: Registry) -> tuple[dict[str, Asset], str]:
    """The page, with the model that answers where none is named; and what it lacks, in words."""
    from deepmnist import bundle, page
    from deepmnist.page import runtime

    served = models.find(models.names[0])
    if served is None or served.folder is None:
        return {}, ""
    try:
        site = page.assets(bundle.load(served.folder))
    except BundleError as error:
        return {}, f"There is no page at /: {error}"
    return site, "" if runtime.complete() else ASKING


def _check_extra() -> None:
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError("serving", "serve")

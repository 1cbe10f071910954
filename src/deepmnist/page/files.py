"""The files that are the page, for one bundle: by relative URL, or as a folder.

The page's own files are the package's; the bundle gives its LiteRT file unchanged, and what the
page must know of it as `model.json`. All addresses in the page are relative, so that it works under
any path. Who serves the files, and what else is served, is no business of this module's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepmnist import __version__, atomic, bundle
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import BundleError
from deepmnist.page import runtime
from deepmnist.rejection import DEFAULT_THRESHOLD

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"  # what a server gives for the page's own address
MODEL = "model.json"
WORKER = "service-worker.js"
RUNTIME = "runtime/"

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}

# The Content-Security-Policy of the page: its own files and nothing else. WebAssembly is compiled,
# but no text is ever run as a script.
_DIRECTIVES = (
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
)
META_POLICY = "; ".join(
    _DIRECTIVES
)  # the same as a <meta> of the page has it, who may not say more
POLICY = f"{META_POLICY}; frame-ancestors 'none'"


@dataclass(frozen=True)
class Asset:
    """One file of the page."""

    content: bytes
    media_type: str


def assets(opened: bundle.Bundle) -> dict[str, Asset]:
    """The page's files by URL, relative to the page's own; `index.html` is the page itself.

    Without the runtime's files (runtime.complete) the page asks the server it came from.
    BundleError where the model's classes are not the digits.
    """
    _check_digits(opened)
    with_runtime = runtime.complete()
    contents = {
        name: path.read_bytes()
        for name, path in _own_files().items()
        if with_runtime or not name.startswith(RUNTIME)
    }
    contents[bundle.RUNTIME] = opened.runtime.read_bytes()
    if opened.layers is not None:
        contents[bundle.LAYERS] = opened.layers.read_bytes()
    contents[MODEL] = json.dumps(_model(opened, with_runtime), indent=2).encode() + b"\n"
    contents[WORKER] = _with_list(contents)
    return {name: Asset(content, _media_type(name)) for name, content in contents.items()}


def write(opened: bundle.Bundle, out: Path) -> None:
    """The page as a folder, for any server of files; whole or not at all.

    BundleError as `assets`; StorageError where something lies at `out` or the system refuses.
    """
    atomic.check_free(out)
    with atomic.replacing(out) as unfinished:
        for name, asset in assets(opened).items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(asset.content)


def _check_digits(opened: bundle.Bundle) -> None:
    names = opened.manifest.class_names
    if tuple(names) != DIGITS:
        raise BundleError(
            f"{opened.folder} tells {', '.join(names)} apart; the page reads the digits 0 to 9: "
            "give it a model trained on digits"
        )


def _own_files() -> dict[str, Path]:
    """The package's files of the page by URL, sorted; hidden ones are leftovers."""
    files = (path for path in STATIC.rglob("*") if path.is_file())
    names = {path.relative_to(STATIC).as_posix(): path for path in sorted(files)}
    return {name: path for name, path in names.items() if not path.name.startswith(".")}


def _model(opened: bundle.Bundle, with_runtime: bool) -> dict[str, Any]:
    """What the page must know of the model."""
    manifest = opened.manifest
    rejection = manifest.rejection
    return {
        "class_names": manifest.class_names,
        "threshold": DEFAULT_THRESHOLD if rejection is None else rejection.threshold,
        "layers": opened.layers is not None,
        "runtime": with_runtime,
        "recipe": manifest.config.get("recipe"),
        "test_accuracy": manifest.numbers.get("test_accuracy"),
        "deepmnist": __version__,
    }


def _with_list(contents: dict[str, bytes]) -> bytes:
    """The service worker, told which files to keep; it is another one when any of them changes."""
    others = [name for name in contents if name != WORKER]
    digest = hashlib.sha256()
    for name in others:
        digest.update(name.encode() + b"\0" + hashlib.sha256(contents[name]).digest())
    told = f"const FILES = {json.dumps(others)};\nconst VERSION = {digest.hexdigest()[:16]!r};\n"
    return told.encode() + contents[WORKER]


def _media_type(name: str) -> str:
    return MEDIA_TYPES[Path(name).suffix]

"""The page served as any server of files would, and a real Chromium to look at it.

Skipped, with the reason, where there is no Chromium or where the runtime could not be fetched.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from deepmnist import bundle, page
from deepmnist.page import runtime

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
UNDER = "/any/path/"  # the page must work wherever it lies


def chromium() -> str | None:
    """The Chromium to test with."""
    named = os.environ.get("DEEPMNIST_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Site:
    """The page behind an address, with what was asked of it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []
        self.read = (404, b"")  # what POST read answers: status, JSON


class _Handler(BaseHTTPRequestHandler):
    assets: ClassVar[dict[str, page.Asset]]
    site: ClassVar[Site]
    short: ClassVar[bool]  # the page has one address, to which the other leads

    def do_GET(self) -> None:
        self.site.asked.append(self.path)
        if self.short and self.path == f"{UNDER}index.html":
            self._lead_to(UNDER)
            return
        name = self.path.removeprefix(UNDER) or "index.html"
        asset = self.assets.get(name)
        if asset is None:
            self.send_error(404)
        else:
            self._answer(200, asset.content, asset.media_type)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, content = self.site.read if self.path == f"{UNDER}read" else (404, b"")
        self._answer(status, content, "application/json")

    def _lead_to(self, path: str) -> None:
        self.send_response(308)
        self.send_header("Location", path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, content: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", page.POLICY)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is written to the tests' output."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A browser that closes while a file is on its way is no fault."""


@contextmanager
def served(assets: dict[str, page.Asset], short: bool = False) -> Iterator[Site]:
    """A server of the files, for as long as the iterator is held.

    short: it sends whoever asks for index.html on to the folder, as many hosts do.
    """
    handler = type("Handler", (_Handler,), {"assets": assets, "short": short})
    with _Server(("127.0.0.1", 0), handler) as server:
        handler.site = Site(f"http://127.0.0.1:{server.server_port}{UNDER}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler.site  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def assets() -> dict[str, page.Asset]:
    """The page of the model that comes along."""
    return page.assets(bundle.load(bundle.SHIPPED))


@pytest.fixture(scope="module")
def site(assets: dict[str, page.Asset]) -> Iterator[Site]:
    """The page with its model in the browser."""
    if not runtime.complete():
        pytest.skip("the page's runtime is not there: python -m deepmnist.page fetches it")
    with served(assets) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install 'deepmnist[dev]'"
    )
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: install Debian's chromium, or name one in DEEPMNIST_CHROMIUM")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, site: Site) -> Iterator[tuple[Page, list[str]]]:
    """The page, loaded once, since that takes longer than all else; and what went wrong in it."""
    with opened(browser, site) as page_and_faults:
        yield page_and_faults


@pytest.fixture
def tab(shared: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page with nothing on it; at the end, nothing went wrong and no other host was asked."""
    shown, faults = shared
    shown.keyboard.press("Escape")
    if shown.is_visible("#forget"):
        shown.click("#forget")
    shown.evaluate("document.body.dataset.answers = 0")
    yield shown
    assert faults == []


@pytest.fixture
def own_tab(browser: Browser, site: Site) -> Iterator[Page]:
    """The same, of a test's own, where it loads the page again."""
    with opened(browser, site) as (shown, faults):
        yield shown
        assert faults == []


@contextmanager
def opened(browser: Browser, site: Site, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """A tab with the page, of a context with these options, and all that goes wrong in it."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    shown = context.new_page()
    faults: list[str] = []
    shown.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    shown.on("pageerror", lambda error: faults.append(str(error)))
    context.on("request", lambda request: faults.extend(_elsewhere(request.url, site)))
    shown.goto(site.address)
    shown.wait_for_selector("body[data-ready]", timeout=60_000)
    yield shown, faults
    context.close()


def _elsewhere(address: str, site: Site) -> list[str]:
    inside = address.startswith((site.address, "blob:"))
    return [] if inside else [f"asked for {address}"]

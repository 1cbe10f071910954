"""The runtime is fetched once, checked, and never half of it."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deepmnist.page import runtime
from deepmnist.page.runtime import FetchError, File, Package

SCRIPT = b'import { createWasmLib } from "@litertjs/wasm-utils";\n'
KEPT = SCRIPT.replace(runtime.BARE_IMPORT, runtime.BY_PATH)


def packed(**files: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}.js")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


ARCHIVE = packed(index=SCRIPT, other=b"not asked for")


class Registry:
    """A registry of one package, with what was asked of it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []
        self.content = ARCHIVE


@pytest.fixture
def registry() -> Iterator[Registry]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Registry(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    file = File("package/index.js", "index.js", hashlib.sha256(KEPT).hexdigest())
    sha512 = hashlib.sha512(ARCHIVE).hexdigest()
    monkeypatch.setattr(runtime, "PACKAGES", (Package("@scope/name", "1.2.3", sha512, (file,)),))


def test_it_is_fetched_once_with_its_licence_and_its_import_by_path(
    registry: Registry, tmp_path: Path
) -> None:
    assert not runtime.complete(tmp_path)
    runtime.fetch(tmp_path, registry.address)
    runtime.fetch(tmp_path, registry.address)
    assert registry.asked == ["/@scope/name/-/name-1.2.3.tgz"]
    assert (tmp_path / "index.js").read_bytes() == KEPT
    assert "Apache License, Version 2.0" in (tmp_path / runtime.LICENCE).read_text()
    assert runtime.complete(tmp_path)


def test_a_mirror_is_named_in_the_environment(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("DEEPMNIST_NPM_REGISTRY", f"{registry.address}/")
    runtime.fetch(tmp_path)
    assert runtime.complete(tmp_path)


def test_a_file_that_was_altered_is_fetched_again(registry: Registry, tmp_path: Path) -> None:
    runtime.fetch(tmp_path, registry.address)
    (tmp_path / "index.js").write_bytes(b"altered")
    assert not runtime.complete(tmp_path)
    runtime.fetch(tmp_path, registry.address)
    assert runtime.complete(tmp_path)


def test_another_package_is_refused_before_it_is_opened(registry: Registry, tmp_path: Path) -> None:
    registry.content = packed(index=b"hostile")
    with pytest.raises(FetchError, match="not the package that was expected: its SHA-512 differs"):
        runtime.fetch(tmp_path, registry.address)
    assert list(tmp_path.iterdir()) == []


def test_another_file_in_it_is_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = runtime.PACKAGES
    other = File("package/other.js", "other.js", hashlib.sha256(b"this").hexdigest())
    monkeypatch.setattr(
        runtime, "PACKAGES", (Package(whole.name, whole.version, whole.sha512, (other,)),)
    )
    with pytest.raises(FetchError, match=r"package/other\.js is not what was expected"):
        runtime.fetch(tmp_path, registry.address)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_told_in_a_line_and_by_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPMNIST_NPM_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setattr(runtime.fetch, "__defaults__", (tmp_path, None))
    assert runtime.main() == 1
    told = capsys.readouterr().err
    assert told.startswith("error: cannot fetch http://127.0.0.1:9/@scope/name/-/name-1.2.3.tgz: ")
    assert len(told.splitlines()) == 1


def test_a_registry_is_an_address_of_the_web(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="is no address of a registry"):
        runtime.fetch(tmp_path, "file:///etc")

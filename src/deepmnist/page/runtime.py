"""The runtime that the page runs models with: LiteRT.js, fetched from npm at installation.

    python -m deepmnist.page        (also a build hook: hatch_build.py)

Nothing of it is kept in the repository. Versions and SHA-512 of the packages, and SHA-256 of the
files kept of them, are written here; what is there already is not fetched again. Where the network
is missing the page works all the same, if a server answers for it. `DEEPMNIST_NPM_REGISTRY` (or
npm's own `npm_config_registry`) names a mirror. Standard library and atomic.py only: a build has
no more.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from deepmnist import atomic
from deepmnist.errors import FetchError, StorageError

FOLDER = Path(__file__).parent / "static" / "runtime"
REGISTRY = "https://registry.npmjs.org"
MIRRORS = ("DEEPMNIST_NPM_REGISTRY", "npm_config_registry")  # environment, the first one set
TIMEOUT_S = 60
MAX_BYTES = 64_000_000  # of a package, and of a file in it


@dataclass(frozen=True)
class File:
    """A file of a package."""

    member: str  # its path in the package
    name: str  # its name in FOLDER
    sha256: str  # as it lies in FOLDER


@dataclass(frozen=True)
class Package:
    """A package of the npm registry."""

    name: str
    version: str
    sha512: str
    files: tuple[File, ...]

    @property
    def path(self) -> str:
        """Where a registry has it."""
        return f"{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"


# LiteRT.js, Apache License 2.0, of google-ai-edge/LiteRT. The build for every browser with
# WebAssembly SIMD: relaxed SIMD saves no time that shows on a net this small, and threads would
# need cross-origin isolation.
PACKAGES = (
    Package(
        "@litertjs/core",
        "2.5.3",
        "3e51a66cc3aaf568ad5fb14ed2385b749c3d1ad85ab6ccae0905e34edff0259a"
        "3414b6b0e3cab8b73f08c2a82a08892f8981abf4e1432f59029cde27cd6a3225",
        (
            File(
                "package/dist/index.js",
                "litert.js",
                "fb543bee1fae4a001d7ca83b5c22c4b4be1ddf475bf2f6259b85189d1e328f69",
            ),
            File(
                "package/wasm/litert_wasm_compat_internal.js",
                "litert_wasm_compat_internal.js",
                "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
            ),
            File(
                "package/wasm/litert_wasm_compat_internal.wasm",
                "litert_wasm_compat_internal.wasm",
                "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
            ),
        ),
    ),
    Package(
        "@litertjs/wasm-utils",
        "2.5.3",
        "e1f262c3ab4142722cfb48c7fce435ea760e89297cffecd99e7e61dae97c6932"
        "878b4e6c56a656e7cd139a4efca42da44f7f40f4e60155d15ac2d799fec23591",
        (
            File(
                "package/dist/index.js",
                "wasm_utils.js",
                "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
            ),
        ),
    ),
)
# A worker knows no import maps: the one import by a package's name becomes one by path.
BARE_IMPORT, BY_PATH = b'"@litertjs/wasm-utils"', b'"./wasm_utils.js"'

LICENCE = "LICENSE.txt"


def complete(folder: Path = FOLDER) -> bool:
    """Whether every file of the runtime is there, as it should be."""
    return not any(_missing(package, folder) for package in PACKAGES)


def fetch(folder: Path = FOLDER, registry: str | None = None) -> None:
    """Bring the runtime's missing files to `folder`, each checked, whole or not at all.

    FetchError where the registry cannot be reached or gives something else; StorageError where the
    system refuses.
    """
    address = registry or next(filter(None, map(os.environ.get, MIRRORS)), REGISTRY)
    for package in PACKAGES:
        if missing := _missing(package, folder):
            archive = _downloaded(f"{address.rstrip('/')}/{package.path}", package.sha512)
            for file in missing:
                atomic.write(folder / file.name, _extracted(archive, file))
    if not (folder / LICENCE).is_file():
        atomic.write(folder / LICENCE, _licence().encode())


def _missing(package: Package, folder: Path) -> list[File]:
    return [file for file in package.files if not _is(folder / file.name, file.sha256)]


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _downloaded(address: str, sha512: str) -> bytes:
    if not address.startswith(("https://", "http://")):
        raise FetchError(f"{address} is no address of a registry; give one that begins https://")
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise FetchError(f"cannot fetch {address}: {error}") from error
    if hashlib.sha512(content).hexdigest() != sha512:
        raise FetchError(f"{address} is not the package that was expected: its SHA-512 differs")
    return content


def _extracted(archive: bytes, file: File) -> bytes:
    """A file's content as it is kept."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        opened = members.extractfile(file.member)
        content = b"" if opened is None else opened.read(MAX_BYTES)
    content = content.replace(BARE_IMPORT, BY_PATH)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise FetchError(f"{file.member} is not what was expected: its SHA-256 differs")
    return content


def _licence() -> str:
    packages = "".join(f"  {each.name} {each.version}\n" for each in PACKAGES)
    return (
        "The files beside this one are of LiteRT.js, Copyright The LiteRT Authors:\n\n"
        f"{packages}\n"
        "https://github.com/google-ai-edge/LiteRT, from https://www.npmjs.com.\n"
        "Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0\n"
        "(deepmnist's own LICENSE is the same text). In litert.js one import was given a path.\n"
    )


def main() -> int:
    """Fetch what is missing; exit status 1 where that fails."""
    try:
        fetch()
    except (FetchError, StorageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"The page's runtime is in {FOLDER}")
    return 0

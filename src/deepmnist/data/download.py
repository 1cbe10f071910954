"""Fetching a published file: mirrors in order, retried, bounded, checked, then renamed.

pooch does the HTTP and the hashing. Ours is what it leaves open: a server cannot send more than
the stated size, what killed runs left is swept, and when every address fails, the message says why
each did. Two processes may fetch the same file at once: each writes its own temporary, and
whichever is renamed last is as good as the first.
"""

from __future__ import annotations

import http
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from deepmnist import atomic
from deepmnist.data.sources import RemoteFile
from deepmnist.errors import DataNotFoundError

ATTEMPTS = 3  # at each mirror, for faults that may pass
BACKOFF_S = 0.5  # before the second attempt, doubled before each further one
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0  # without a byte
STALE_S = 20 * READ_TIMEOUT_S  # a temporary untouched this long belongs to nobody who lives
CHUNK_BYTES = 2**16

WHAT_TO_DO = "give a folder that has it with --data-dir or $DEEPMNIST_DATA_DIR"


class _MirrorError(Exception):
    """Why one attempt failed, in words, and whether another may go better."""

    def __init__(self, reason: str, *, may_pass: bool) -> None:
        super().__init__(reason)
        self.may_pass = may_pass


def fetch(remote: RemoteFile, folder: Path) -> Path:
    """The path of `remote` in `folder`, downloaded unless it is there with the right hash.

    DataNotFoundError, listing every address and why it failed, when none gives the file;
    StorageError where `folder` cannot be written to.
    """
    target = folder / remote.name
    if target.is_file() and mismatch(target, remote.sha256, remote.size) is None:
        return target
    _sweep_stale(folder)
    failures = []
    for url in remote.urls:
        try:
            _fetch_with_retries(remote, url, target)
        except _MirrorError as failure:
            failures.append(f"{url}: {failure}")
        else:
            return target
    raise DataNotFoundError(f"cannot download {remote.name} ({'; '.join(failures)}); {WHAT_TO_DO}")


def mismatch(path: Path, sha256: str, size: int | None = None) -> str | None:
    """How a file differs from its stated size and SHA-256; None where it does not."""
    import pooch

    found_size = path.stat().st_size
    if size is not None and found_size != size:
        return f"{found_size:,} bytes instead of {size:,}"
    found = pooch.file_hash(str(path), alg="sha256")
    return None if found == sha256 else f"its SHA-256 is {found}, not {sha256}"


def _fetch_with_retries(remote: RemoteFile, url: str, target: Path) -> None:
    for attempt in range(ATTEMPTS):
        try:
            return _fetch_once(remote, url, target)
        except _MirrorError as failure:
            if not failure.may_pass or attempt == ATTEMPTS - 1:
                raise
        time.sleep(BACKOFF_S * 2**attempt)
    return None


def _fetch_once(remote: RemoteFile, url: str, target: Path) -> None:
    with atomic.replacing(target) as temporary:
        with temporary.open("wb") as file, _progress(remote) as advance:
            _download(url, _Bounded(file, remote.size, advance))
        fault = mismatch(temporary, remote.sha256, remote.size)
        if fault:
            raise _MirrorError(fault, may_pass=temporary.stat().st_size < remote.size)


def _download(url: str, output: _Bounded) -> None:
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(
        chunk_size=CHUNK_BYTES,
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        headers={"Accept-Encoding": "identity"},  # else a .gz may come unpacked, with another hash
    )
    try:
        downloader(url, output, None)
    except requests.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        raise _MirrorError(f"HTTP {status} {_phrase(status)}", may_pass=status >= 500) from error
    except requests.RequestException as error:
        raise _MirrorError(_network_reason(error), may_pass=True) from error


class _Bounded:
    """A file that takes at most `size` bytes and tells `advance` of each write."""

    def __init__(self, file: BinaryIO, size: int, advance: Callable[[int], None]) -> None:
        self._file = file
        self._size = size
        self._room = size
        self._advance = advance

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            reason = f"it sends more than the {self._size:,} bytes stated"
            raise _MirrorError(reason, may_pass=False)
        self._advance(len(data))
        return self._file.write(data)

    def flush(self) -> None:
        """Nothing: pooch flushes after every chunk, and the end of the file does it once."""


@contextmanager
def _progress(remote: RemoteFile) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while it is a terminal; gives the function to advance it by bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(remote.name, total=remote.size)
        yield lambda count: progress.advance(task, count)


def _phrase(status: int) -> str:
    return http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "(unknown)"


def _network_reason(error: Exception) -> str:
    """The innermost cause, in one short line: requests wraps it three deep."""
    text = " ".join(str(error).split())
    known = {
        "Name or service not known": "its name cannot be resolved",
        "Temporary failure in name resolution": "its name cannot be resolved",
        "getaddrinfo failed": "its name cannot be resolved",
        "nodename nor servname": "its name cannot be resolved",
        "Connection refused": "connection refused",
        "timed out": "timed out",
        "Incomplete": "the connection broke off",
        "Connection broken": "the connection broke off",
    }
    return next((plain for part, plain in known.items() if part in text), text[:150])


def _sweep_stale(folder: Path) -> None:
    """Remove temporaries that killed runs left; those of a download under way are younger."""
    oldest_living = time.time() - STALE_S
    for leftover in folder.glob(f".*{atomic.PART}"):
        try:
            if leftover.stat().st_mtime < oldest_living:
                leftover.unlink()
        except OSError:
            continue  # another process swept it first, or it is another user's

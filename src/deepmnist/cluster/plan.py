"""What DEST holds before the first part: the manifest, and which rows make which part.

DEST/_plan.parquet   a row a piece: which part, which file, which rows; the files as they were
DEST/_manifest.json  what was asked for, and the SHA-256 of the plan; written last

What is there is read a piece at a time: neither has to fit into memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import groupby, zip_longest
from typing import Any, cast

import msgspec

from deepmnist import machine
from deepmnist.cluster import places, tables
from deepmnist.cluster.places import Entry, Place
from deepmnist.cluster.records import Kind, Part, Piece
from deepmnist.errors import RunError, reason

SCHEMA_VERSION = 3
PLAN = "_plan.parquet"
MANIFEST = "_manifest.json"
MAX_MANIFEST_BYTES = 1_000_000
BATCH_PIECES = 1_024
RUNTIMES = ("ai-edge-litert", "onnx", "onnxruntime")
DECIDING = ("deepmnist", *RUNTIMES, "opencv-python-headless", "pillow", "numpy")


def versions() -> dict[str, str]:
    """What decides an answer, and in which version it is here."""
    return {**dict.fromkeys(DECIDING, "none"), **machine.installed(DECIDING)}


class Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What decides every answer: another run goes on only with the same."""

    source: str  # the address
    model: str  # scoring.Model.sha256
    coverage: float | None
    read: bool
    versions: dict[str, str]


class _Versioned(msgspec.Struct):
    """What every manifest has, whatever else is in it."""

    schema_version: int


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What _manifest.json holds."""

    schema_version: int = SCHEMA_VERSION
    asked: Asked
    plan: str  # SHA-256 of _plan.parquet
    parts: int
    weight: int  # of all parts, Part.weight: their images, where they hold no pictures
    onnx: bool  # whether ONNX Runtime answers many images, whoever scores them, now or later


def begin(
    out: Place, asked: Asked, parts: Iterable[Part], onnx_is_sooner: Callable[[int], bool]
) -> Manifest:
    """Write plan and manifest. StorageError where the store refuses.

    onnx_is_sooner: of a number of images; asked once, since what it says may depend on the moment,
    and not of pages, which are never answered many at a time.
    RunError where another has begun there meanwhile: two plans must not be mixed.
    """
    count = weight = 0
    with tables.parquet(out, PLAN, _schema()) as table:
        for part in parts:
            table.add(_columns(part))
            count, weight = count + 1, weight + part.weight
        onnx = not asked.read and onnx_is_sooner(weight)
        if (meanwhile := read_manifest(out)) is not None:  # a store has no locks
            check_asked(out, meanwhile.asked, asked)
            raise RunError(
                f"another scoring has begun in {out.address} meanwhile; give the same command "
                "again to take part"
            )
    manifest = Manifest(asked=asked, plan=_sha256(out), parts=count, weight=weight, onnx=onnx)
    with out.replacing(MANIFEST) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def read_manifest(out: Place) -> Manifest | None:
    """The manifest in `out`, None where there is none. RunError where it or its plan is damaged."""
    if out.entry(MANIFEST) is None:
        return None
    text = places.content(out, MANIFEST, MAX_MANIFEST_BYTES)
    try:
        version = msgspec.json.decode(text, type=_Versioned).schema_version
        if version != SCHEMA_VERSION:
            raise _foreign(out, f"it has schema version {version}, not {SCHEMA_VERSION}")
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _foreign(out, f"its {MANIFEST} is none: {reason(error)}") from error
    if out.entry(PLAN) is None or _sha256(out) != manifest.plan:
        raise _foreign(out, f"its {PLAN} is missing or altered")
    return manifest


def check_asked(out: Place, there: Asked, now: Asked) -> None:
    """RunError, naming the first difference, unless the same is asked for."""
    facts = _facts(now)
    for name, value in _facts(there).items():
        given = facts.get(name, "none")
        if given != value:
            raise RunError(
                f"{out.address} was begun with {name} {_told(value)}, not {_told(given)}; "
                "go on with the same, or give another --out"
            )


def _facts(asked: Asked) -> dict[str, object]:
    """What is asked for, by what to call it."""
    facts = msgspec.structs.asdict(asked)
    return {**facts.pop("versions"), **facts}


def check_listing(out: Place, files: Iterable[Entry]) -> None:
    """RunError, naming the first difference, unless the files are those of the plan."""
    for planned, found in zip_longest(_files(out), files):
        difference = _difference(planned, found)
        if difference:
            raise RunError(
                f"{out.address} was begun when the source was another: {difference}; "
                "put it back, or give another --out"
            )


def _difference(planned: Entry | None, found: Entry | None) -> str | None:
    if planned is None or (found is not None and _order(found) < _order(planned)):
        return f"{places.shown(found.path)} is new" if found is not None else None
    if found is None or _order(planned) < _order(found):
        return f"{places.shown(planned.path)} is gone"
    same = (planned.size, planned.modified_ns) == (found.size, found.modified_ns)
    return None if same else f"{places.shown(found.path)} has changed"


def _order(entry: Entry) -> list[str]:
    """Folder by folder, as a listing goes."""
    return entry.path.split("/")


def _files(out: Place) -> Iterator[Entry]:
    """Every file of the plan, once."""
    pieces = (piece for part in parts(out) for piece in part.pieces)
    for path, same in groupby(pieces, key=lambda piece: piece.path):
        first = next(same)
        yield Entry(path, False, first.size, first.modified_ns)


def parts(out: Place) -> Iterator[Part]:
    """The parts of the plan, in order."""
    for number, rows in groupby(_rows(out), key=lambda row: row["part"]):
        yield Part(number, tuple(map(_piece, rows)))


def _rows(out: Place) -> Iterator[dict[str, Any]]:
    pa = tables.arrow()
    with out.open(PLAN) as source, pa.parquet.ParquetFile(source) as file:
        for batch in file.iter_batches(BATCH_PIECES):
            yield from batch.to_pylist()


def _columns(part: Part) -> tables.Columns:
    rows = [{**asdict(piece), "path": os.fsencode(piece.path)} for piece in part.pieces]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {"part": [part.number] * len(rows), **columns}


def _piece(row: dict[str, Any]) -> Piece:
    del row["part"]
    return Piece(**{**row, "path": os.fsdecode(row["path"]), "kind": Kind(row["kind"])})


def _schema() -> Any:
    pa = tables.arrow()
    numbers = ("size", "modified_ns", "start", "stop", "offset", "weight")
    return pa.schema(
        [
            ("part", pa.int64()),
            ("path", pa.binary()),  # a name may be any bytes
            ("kind", pa.string()),
            *((name, pa.int64()) for name in numbers),
        ]
    )


def _sha256(out: Place) -> str:
    with out.open(PLAN) as file:
        return hashlib.file_digest(cast("Any", file), "sha256").hexdigest()


def _foreign(out: Place, why: str) -> RunError:
    return RunError(f"{out.address} cannot be gone on with: {why}; give another --out")


def _told(value: object) -> str:
    text = str(value)
    return text if len(text) < 64 or "/" in text else f"{text[:12]}..."

"""A scoring begun, or gone on with: what is asked for, checked against what DEST holds.

A part whose answers have their name is done, and no other is. So whatever is killed, driver, worker
or node, the same command scores what is missing, and nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deepmnist import atomic, lock, rejection
from deepmnist.cluster import places, plan, sources, tables
from deepmnist.cluster.places import Local, Place
from deepmnist.cluster.plan import Asked, Manifest
from deepmnist.cluster.records import Part
from deepmnist.cluster.scoring import Model
from deepmnist.errors import DataError, RunError, reason

PART_NAME = re.compile(r"part-(\d{5,})\.parquet")
OURS = {plan.PLAN, plan.MANIFEST, tables.ERRORS, lock.LOCK}


@dataclass(frozen=True)
class Job:
    """All that whoever scores a part has to know; it may travel to another machine."""

    source: str  # address of the folder that the parts' paths are relative to
    out: str  # address
    model: Model
    coverage: float | None
    read: bool
    onnx: bool  # whether many images are answered by ONNX Runtime; see plan.Manifest


@dataclass(frozen=True)
class Begun:
    """A job whose plan is in DEST."""

    job: Job
    manifest: Manifest
    done: frozenset[int]  # numbers of parts
    passed_over: int  # files of no known kind
    example: str  # one of those

    def missing(self) -> Iterator[Part]:
        """The parts that are not done, in order."""
        return (
            part for part in plan.parts(places.at(self.job.out)) if part.number not in self.done
        )

    @property
    def weight(self) -> int:
        """Of the parts that are not done; the plan is read only where some are."""
        every = plan.parts(places.at(self.job.out)) if self.done else ()
        return self.manifest.weight - sum(p.weight for p in every if p.number in self.done)


@contextmanager
def begun(
    source: str, out: str, model: Model, coverage: float | None, read: bool
) -> Iterator[Begun]:
    """Begin scoring `source` into `out`, or go on; no other process may, as long as this lasts.

    DataError where the source cannot be read, ConfigError where the model knows no such coverage,
    RunError where `out` holds something else, or was begun with another source, model or option,
    StorageError where it cannot be written.
    """
    tables.arrow()
    rejection.threshold(model.predictor(1), coverage)
    listing = sources.listing(source)
    if next(iter(sources.listing(source)), None) is None:
        raise DataError(f"{source} holds nothing that is scored; {sources.KNOWN}")
    place = places.at(out)
    _check_apart(listing, place)
    _check_ours(place)
    with _locked(place):
        place.sweep()
        asked = Asked(
            source=places.at(source).address,
            model=model.sha256,
            coverage=coverage,
            read=read,
            versions=plan.versions(),
        )
        manifest = plan.read_manifest(place)
        if manifest is None:
            parts = sources.parts(listing.place, listing, read)
            manifest = plan.begin(place, asked, parts, model.onnx_is_sooner)
            done: frozenset[int] = frozenset()
        else:
            plan.check_asked(place, manifest.asked, asked)
            plan.check_listing(place, listing)
            done = _done(place, read)
        addresses = listing.place.address, place.address
        job = Job(*addresses, model, coverage, read, manifest.onnx)
        yield Begun(job, manifest, done, listing.passed_over, listing.example)
        place.sweep()  # of workers that were killed meanwhile; in a store, what is old


def _check_apart(listing: sources.Listing, out: Place) -> None:
    """What is written must not be found as something to read."""
    source = listing.place
    nested = listing.only is None and places.inside(out, source)
    if nested or (listing.only is not None and out.address == f"{source.address}/{listing.only}"):
        raise RunError(
            f"--out {out.address} lies in the source {source.address}; give a folder elsewhere"
        )


def _check_ours(out: Place) -> None:
    """RunError where something else than a scoring, or a killed beginning of one, is in `out`."""
    entry = out.entry()
    if entry is None:
        return
    if not entry.is_folder:
        raise RunError(f"--out {out.address} is a file; give a folder")
    names = [each.path for each in out.children()]
    foreign = [name for name in names if not (name in OURS or name.endswith(atomic.PART))]
    if foreign and plan.MANIFEST not in names:
        raise RunError(
            f"--out {out.address} holds {places.shown(foreign[0])} and no {plan.MANIFEST}: "
            "it is no scoring to go on with; give a new folder"
        )


def _done(out: Place, read: bool) -> frozenset[int]:
    """The parts that have their answers. RunError where those have other columns."""
    names = [each.path for each in out.children() if PART_NAME.fullmatch(each.path)]
    for name in names[:1]:  # all were written by one version, which the manifest tells
        _check_schema(out, name, read)
    return frozenset(int(name[5:].partition(".")[0]) for name in names)


def _check_schema(out: Place, name: str, read: bool) -> None:
    pa = tables.arrow()
    wanted = tables.answers_schema(read)
    try:
        with out.open(name) as file:
            found = pa.parquet.read_schema(file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(
            f"{out.address}/{name} is damaged: {reason(error)}; remove it, and the same "
            "command scores that part anew"
        ) from error
    if not found.equals(wanted):
        raise RunError(
            f"{out.address}/{name} has the columns {_columns(found)}; this command writes "
            f"{_columns(wanted)}; give another --out"
        )


def _columns(schema: object) -> str:
    return ", ".join(f"{each.name} {each.type}" for each in schema)  # type: ignore[attr-defined]


@contextmanager
def _locked(out: Place) -> Iterator[None]:
    """Keep a second command off a local folder; stores have no locks, and the same parts give
    the same files."""
    if not isinstance(out, Local):
        yield
        return
    with lock.held(out.path):
        yield

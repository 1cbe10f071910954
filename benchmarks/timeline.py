"""Which operations of a graph a call spent its time in, from TensorFlow's own profiler.

Knows operations by layer and kind; what a net is for and how fast it could be belong to others.
Times are of operations as the executor runs them, on as many threads as it has, so that their sum
may exceed the clock's time: `covered` says in how much of it any operation ran at all.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

OPERATION = re.compile(r"([\w./-]+):(\w+)")  # scope/name:Kind; the runtime's own events are not so
NATIVE = re.compile(r"^_(?:Mkl)?(?:Native)?|^Mkl")  # oneDNN's name of a kernel
PICOSECONDS = 1e-12
OTHER = "other"


@dataclass(frozen=True)
class Event:
    """One run of an operation on one thread, seconds from the start of the recording."""

    name: str  # with its scope
    kind: str
    start: float
    end: float
    own: float  # less the time of operations run within it


def record(call: Callable[[], Any]) -> list[Event]:
    """Make `call` under the profiler and return every operation it ran."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options):
            call()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    return [event for plane in space.planes for line in plane.lines for event in _read(plane, line)]


def _read(plane: Any, line: Any) -> list[Event]:
    """The operations on one thread."""
    spans = []
    for event in line.events:
        name = plane.event_metadata[event.metadata_id].name.partition("#")[0]
        if match := OPERATION.fullmatch(name):
            start = (line.timestamp_ns * 1_000 + event.offset_ps) * PICOSECONDS
            end = start + event.duration_ps * PICOSECONDS
            spans.append((start, end, match[1], NATIVE.sub("", match[2])))
    return owned(spans)


def owned(spans: Iterable[tuple[float, float, str, str]]) -> list[Event]:
    """(start, end, name, kind) of one thread as events, each less those within it."""
    finished: list[Event] = []
    open_spans: list[list[Any]] = []  # start, end, name, kind, time within

    def close() -> None:
        start, end, name, kind, within = open_spans.pop()
        finished.append(Event(name, kind, start, end, end - start - within))

    for start, end, name, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        while open_spans and open_spans[-1][1] <= start:
            close()
        if open_spans:
            open_spans[-1][4] += end - start
        open_spans.append([start, end, name, kind, 0.0])
    while open_spans:
        close()
    return finished


def by_layer(events: Iterable[Event], layers: Iterable[str]) -> dict[tuple[str, str], float]:
    """Own seconds by (layer, kind), most first; what is in none of `layers` is in OTHER."""
    names = set(layers)
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for event in events:
        seconds[_layer(event.name, names), event.kind] += event.own
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def _layer(name: str, layers: set[str]) -> str:
    """Tracing numbers a scope entered again: conv1_1 is conv1, unless there is a conv1_1."""
    for scope in name.split("/"):
        for candidate in (scope, re.sub(r"_\d+$", "", scope)):
            if candidate in layers:
                return candidate
    return OTHER


def covered(events: Iterable[Event]) -> float:
    """Seconds in which at least one operation ran."""
    total, until = 0.0, float("-inf")
    for event in sorted(events, key=lambda event: event.start):
        total += max(0.0, event.end - max(event.start, until))
        until = max(until, event.end)
    return total

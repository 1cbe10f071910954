"""What is told of an answer, in every format and by every door: command line, JSON, HTTP."""

from __future__ import annotations

from typing import Protocol

FIELDS = ("label", "probability", "confidence", "accepted", "reason")


class Judged(Protocol):
    """A Prediction or a reader's Digit."""

    @property
    def label(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def confidence(self) -> float: ...
    @property
    def accepted(self) -> bool: ...
    @property
    def reason(self) -> str | None: ...


def of(found: Judged) -> dict[str, str | float | bool | None]:
    """An answer's FIELDS, by name."""
    return {name: getattr(found, name) for name in FIELDS}

"""Trials that never ran, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from deepmnist.sweeping import space
from deepmnist.sweeping.records import Point, Trial

SPACE = space.parse("fast", ["learning_rate=log:1e-4..1e-2", "optimizer=adam,muon"])


def point(step: int, loss: float = 0.5, member: int = 1, steps: int = 8) -> Point:
    return Point(member=member, step=step, steps=steps, epoch=step / 2, loss=loss, accuracy=0.9)


def trial(number: int = 1, rate: float = 0.001, **changed: Any) -> Trial:
    """Finished, of a loss that its number gives, unless told."""
    figures = {"loss": 0.1 * number, "accuracy": 0.95, "seconds": 2.0, "state": "finished"}
    if changed.get("state", "finished") != "finished":
        figures = {}
    values = {"learning_rate": rate, "optimizer": "adam"}
    return Trial(number=number, **{"values": values, **figures, **changed})


def curve(*losses: float) -> list[Point]:
    """A trial's first net, validated so many times at even distances."""
    return [point(each, loss, steps=len(losses)) for each, loss in enumerate(losses, start=1)]

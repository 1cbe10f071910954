"""Pictures of other people's writing, as labels.csv of a folder lists them.

The file has the columns path, label, kind, source and licence. `paper`, `printed` and `drawn` are
one digit each; `line` is one or more lines of digits, joined by |; `sudoku` is 81 cells row by row,
a dot where one is empty; `negative` is no digit. Measured on, never trained on.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SINGLES = ("paper", "printed", "drawn")


@dataclass(frozen=True)
class Row:
    """One line of labels.csv."""

    path: Path
    label: str
    kind: str
    source: str  # the owner of the repository it comes from


def rows(folder: Path) -> list[Row]:
    """Every picture that the folder's labels.csv lists."""
    with (folder / "labels.csv").open(newline="") as file:
        return [
            Row(folder / line["path"], line["label"], line["kind"], line["source"].split("/")[0])
            for line in csv.DictReader(file)
        ]


def sample(known: Sequence[Row], most: int) -> list[Row]:
    """At most so many of each kind and source, evenly spaced; all of them where `most` is 0."""
    if most == 0:
        return list(known)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in known:
        groups[row.kind, row.source].append(row)
    return [row for group in groups.values() for row in _spaced(group, min(most, len(group)))]


def _spaced(group: list[Row], count: int) -> list[Row]:
    return [group[place * len(group) // count] for place in range(count)]

"""Contact sheets: pictures read wrongly, each above what was seen of it, with what was said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.wild import Row

TILE = 84  # pixels, a picture on the contact sheet
COLUMNS = 16


@dataclass(frozen=True)
class Mistake:
    """A picture read wrongly: what it was given, what was seen of it, and what was said."""

    row: Row
    said: str
    seen: NDArray[np.uint8]
    picture: NDArray[np.uint8]


def contact_sheet(mistakes: Iterable[Mistake], path: Path) -> None:
    """The pictures, each above what the net saw, with what was said, as one picture."""
    tiles = [_tile(mistake) for mistake in mistakes]
    if not tiles:
        return
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    lines = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(lines))


def _tile(mistake: Mistake) -> NDArray[np.uint8]:
    tile = np.full((2 * TILE + 14, TILE + 2), 128, np.uint8)
    for top, picture in ((0, mistake.picture), (TILE, mistake.seen)):
        scale = TILE / max(picture.shape)
        size = [max(1, round(side * scale)) for side in picture.shape[::-1]]
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        tile[top : top + size[1], : size[0]] = small
    text = f"{mistake.row.label}>{mistake.said} {mistake.row.path.stem[-6:]}"
    cv2.putText(tile, text, (1, 2 * TILE + 10), cv2.FONT_HERSHEY_PLAIN, 0.7, 0, 1)
    return tile

"""From picture files to answers, one digit a picture: decode, prepare, predict, in batches.

Each core decodes and prepares a picture of its own: Pillow and OpenCV let go of Python's lock, and
no more pictures are in memory than there are cores. A picture that cannot be read becomes an answer
with an error; the others are still answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepmnist import images, pictures, rejection
from deepmnist.errors import PictureError
from deepmnist.prediction import Prediction, Predictor, predictions, usable_cores

if TYPE_CHECKING:
    from deepmnist.data import Dataset

BATCH = 256  # pictures decoded before the model runs: bounds memory, keeps the cores busy

# A name, and the content, or why there is none, unless it is in a file of that name.
Source = tuple[str, bytes | PictureError | None]


@dataclass(frozen=True)
class Answer:
    """What a picture was taken for, or why it could not be read."""

    path: str
    prediction: Prediction | None = None
    error: str | None = None


def classify(
    predictor: Predictor, sources: Iterable[Source], coverage: float | None = None
) -> Iterator[Answer]:
    """An answer for each source, in the order given. coverage: see rejection.threshold."""
    threshold = rejection.threshold(predictor, coverage)
    remaining = iter(sources)
    with ThreadPoolExecutor(usable_cores()) as pool:  # starts no thread before there is work
        while chunk := list(islice(remaining, BATCH)):
            prepared = list(pool.map(_prepared, chunk))
            yield from _classify_chunk(predictor, chunk, prepared, threshold)


def classify_rows(
    predictor: Predictor, dataset: Dataset, coverage: float | None = None
) -> Iterator[Answer]:
    """An answer for each image of a data set, named NAME#ROW with rows counted from 1."""
    threshold = rejection.threshold(predictor, coverage)
    for start in range(0, len(dataset), BATCH):
        found = _predictions(predictor, dataset.gather(slice(start, start + BATCH)), threshold)
        for row, prediction in enumerate(found, start + 1):
            yield Answer(f"{dataset.name}#{row}", prediction)


def _predictions(
    predictor: Predictor, seen: NDArray[np.uint8], threshold: float
) -> list[Prediction]:
    return predictions(rejection.scores(predictor, seen), predictor.class_names, threshold)


def _classify_chunk(
    predictor: Predictor,
    chunk: Sequence[Source],
    prepared: Sequence[NDArray[np.uint8] | PictureError],
    threshold: float,
) -> Iterator[Answer]:
    readable = [image for image in prepared if not isinstance(image, PictureError)]
    found: Iterator[Prediction] = iter(())
    if readable:
        found = iter(_predictions(predictor, np.stack(readable), threshold))
    for (path, _), image in zip(chunk, prepared, strict=True):
        if isinstance(image, PictureError):
            yield Answer(path, error=str(image))
        else:
            yield Answer(path, prediction=next(found))


def _prepared(source: Source) -> NDArray[np.uint8] | PictureError:
    path, given = source
    if isinstance(given, PictureError):
        return given
    try:
        content = pictures.content(Path(path)) if given is None else given
        return images.prepare(pictures.decode_reduced(content, path, images.WORK_SIDE).grey)
    except PictureError as error:
        return error

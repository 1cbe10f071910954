"""One part scored: every row to one of two tables, the answers or the unreadable.

The rows of a part are read in order, in bounded blocks, so that neither a large file nor large
pictures fill memory: a block of images is read while the one before is scored, and only a few
pictures at a time are fetched and decoded. The same part gives the same rows wherever it is scored.
It knows parts; it does not know who scores them, or what becomes of the others.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepmnist import bundle, images, pictures, reader, rejection, sheet
from deepmnist.cluster import places, sources, tables
from deepmnist.cluster.places import Place
from deepmnist.cluster.records import (
    TO_THE_END,
    Images,
    Kind,
    Part,
    Picture,
    Piece,
    Read,
    Unreadable,
)
from deepmnist.cluster.tables import Tally, Verdicts
from deepmnist.data.resizing import picture_to_side
from deepmnist.errors import DataError, PictureError, RunError, reason
from deepmnist.prediction import LiteRTPredictor, onnx_is_sooner, usable_cores

if TYPE_CHECKING:
    from collections.abc import Sequence


BATCH = 256  # pictures prepared before the model runs
AHEAD = 2  # pictures in memory, decoded or waiting for it, for each core

Given = TypeVar("Given")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Model:
    """What travels to whoever scores: no file has to."""

    runtime: bytes  # the LiteRT file
    class_names: tuple[str, ...]
    threshold: float
    coverages: tuple[tuple[float, float], ...]

    @cached_property
    def sha256(self) -> str:
        """Of all of it: each part decides what is answered."""
        others = json.dumps([self.class_names, self.threshold, self.coverages])
        return hashlib.sha256(others.encode() + self.runtime).hexdigest()

    def predictor(self, cores: int, onnx: bool = False) -> LiteRTPredictor:
        """It, on so many cores, by the runtime that was decided; who scores a row does not matter.

        onnx: many images are answered by ONNX Runtime.
        """
        names, coverages = self.class_names, self.coverages
        return LiteRTPredictor(self.runtime, names, self.threshold, coverages, cores, onnx)

    def onnx_is_sooner(self, images: int) -> bool:
        """Whether ONNX Runtime is to answer about so many images."""
        return onnx_is_sooner(self.runtime, len(self.class_names), images)


def model_of(opened: bundle.Bundle) -> Model:
    """The model of a bundle that has been checked."""
    manifest, kept = opened.manifest, opened.manifest.rejection
    threshold = rejection.DEFAULT_THRESHOLD if kept is None else kept.threshold
    coverages = () if kept is None else tuple(kept.coverages)
    return Model(opened.runtime.read_bytes(), tuple(manifest.class_names), threshold, coverages)


class Scorer:
    """A model at work on some cores. One part at a time."""

    def __init__(
        self,
        model: Model,
        coverage: float | None = None,
        read: bool = False,
        cores: int = 0,
        onnx: bool = False,
    ) -> None:
        """coverage: see rejection.threshold. read: pictures hold many digits. cores: 0 for all.

        onnx: whether images are answered by ONNX Runtime, which the whole job has decided. Pictures
        are not: they take long to prepare and little to answer.
        """
        self.cores = cores or usable_cores()
        self._names = model.class_names
        self._coverage, self._read = coverage, read
        self._pool = ThreadPoolExecutor(self.cores)
        if read:  # each core reads a page of its own
            self._readers: SimpleQueue[LiteRTPredictor] = SimpleQueue()
            for _ in range(self.cores):
                self._readers.put(model.predictor(1))
        else:
            self._of_many, self._of_few = (model.predictor(self.cores, by) for by in (onnx, False))
            self._threshold = rejection.threshold(self._of_few, coverage)

    def score(self, source: Place, part: Part, out: Place, tell: Callable[[int], None]) -> Tally:
        """Write the tables of a part, whole or not at all; `tell` hears of rows as they are done.

        RunError where a file is not what it was when it was cut.
        """
        check_unchanged(source, part.pieces)
        with tables.writing(out, part.number, self._read) as writer:
            rows = chain.from_iterable(_rows(source, piece) for piece in part.pieces)
            for found in self._answered(rows):
                writer.write(found)
                tell(len(found) if isinstance(found, Verdicts) else 1)
        return writer.tally

    def _answered(self, rows: Iterator[Read]) -> Iterator[Verdicts | Unreadable]:
        for kind, group in groupby(ahead(rows), key=type):
            if kind is Unreadable:
                yield from group  # type: ignore[misc]
            elif kind is Images and self._read:
                yield from chain.from_iterable(map(_no_pages, group))  # type: ignore[arg-type]
            elif kind is Images:
                yield from map(self._of_images, group)  # type: ignore[arg-type]
            else:
                yield from self._of_pictures(group)  # type: ignore[arg-type]

    def _of_images(self, block: Images) -> Verdicts:
        paths = [places.shown(block.path)] * len(block.rows)
        return self._verdicts(self._of_many, paths, block.rows, block.images)

    def _of_pictures(self, given: Iterable[Picture]) -> Iterator[Verdicts | Unreadable]:
        """Of what waits for its batch the bytes are gone: only its path and row are kept."""
        work: Callable[[Picture], Any] = self._page if self._read else _prepared
        found = zip_kept(self._pool, work, given, AHEAD * self.cores)
        kept = ((each.path, each.row, made) for each, made in found)
        while batch := list(islice(kept, BATCH)):
            yield from (made for *_, made in batch if isinstance(made, Unreadable))
            good = [one for one in batch if not isinstance(one[2], Unreadable)]
            if not good:
                continue
            paths, rows, seen = zip(*good, strict=True)
            shown = [places.shown(path) for path in paths]
            if self._read:
                yield tables.pages(shown, rows, seen)
            else:
                numbers = np.array([row or 0 for row in rows])
                yield self._verdicts(self._of_few, shown, numbers, np.stack(seen))

    def _verdicts(
        self,
        predictor: LiteRTPredictor,
        paths: Sequence[str],
        rows: NDArray[np.int64],
        seen: NDArray[np.uint8],
    ) -> Verdicts:
        found = rejection.scores(predictor, seen)
        return tables.verdicts(paths, rows, found, self._names, self._threshold)

    def _page(self, picture: Picture) -> reader.Page | Unreadable:
        predictor = self._readers.get()
        try:
            data = picture.load()
            grey = pictures.decode_reduced(data, picture.path, sheet.WORK_SIDE).grey
            return reader.read(grey, predictor, coverage=self._coverage)
        except (PictureError, DataError) as error:
            return _unreadable(picture, error)
        finally:
            self._readers.put(predictor)


def _prepared(picture: Picture) -> NDArray[np.uint8] | Unreadable:
    """The image of a picture, uint8 (28, 28), or why there is none."""
    try:
        data = picture.load()
        grey = pictures.decode_reduced(data, picture.path, images.WORK_SIDE).grey
        if picture.image_as_is:
            return picture_to_side(grey, picture.path, resize=True)
        return images.prepare(grey)
    except (PictureError, DataError) as error:
        return _unreadable(picture, error)


def _rows(source: Place, piece: Piece) -> Iterator[Read]:
    """The rows of a piece; where no more of its file can be read, that."""
    told = piece.start  # the last row that is passed on
    try:
        for read in sources.shard_module(piece.kind).rows(source, piece):
            told = max(told, _last_row(read))
            yield read
    except DataError as error:
        known = piece.stop != TO_THE_END
        row = told + 1 if (known or told) and piece.kind is not Kind.picture else None
        rows = piece.stop - told if known else None
        yield Unreadable(piece.path, row, rows, reason(error))


def _last_row(read: Read) -> int:
    """Counted from 1; 0 where rows are not."""
    if isinstance(read, Images):
        return int(read.rows[-1])
    if read.row is None:
        return 0
    more = read.rows if isinstance(read, Unreadable) else None
    return read.row + (more or 1) - 1


def check_unchanged(source: Place, pieces: Iterable[Piece]) -> None:
    """RunError unless every file still has the size and the time that it had."""
    for piece in pieces:
        entry = source.entry(piece.path)
        if entry is None or (entry.size, entry.modified_ns) != (piece.size, piece.modified_ns):
            fault = "is gone" if entry is None else "has changed"
            raise RunError(
                f"{places.joined(source.address, places.shown(piece.path))} {fault} since the "
                "scoring began; put it back, or score anew into another --out"
            )


def _unreadable(picture: Picture, why: Exception) -> Unreadable:
    """Told in words: the error itself would hold on to the bytes that it was raised over."""
    return Unreadable(picture.path, picture.row, 1, reason(why))


def _no_pages(block: Images) -> Iterator[Unreadable]:
    """One for each run of neighbours: rows in between may be unreadable for another reason."""
    for run in np.split(block.rows, np.flatnonzero(np.diff(block.rows) > 1) + 1):
        why = "--read reads pictures, not 28x28 rows"
        yield Unreadable(block.path, int(run[0]), len(run), why)


# ---- in order, some ahead -----------------------------------------------------------------------


def ahead(items: Iterator[Found]) -> Iterator[Found]:
    """The items, each got while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def zip_kept(
    pool: ThreadPoolExecutor, work: Callable[[Given], Found], given: Iterable[Given], most: int
) -> Iterator[tuple[Given, Found]]:
    """Each with what the pool makes of it, in order, at most so many under way."""
    under_way: deque[tuple[Given, Future[Found]]] = deque()
    for each in given:
        under_way.append((each, pool.submit(work, each)))
        if len(under_way) >= most:
            first, found = under_way.popleft()
            yield first, found.result()
    for first, found in under_way:
        yield first, found.result()

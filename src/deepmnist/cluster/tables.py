"""The two tables of a part: its answers, and the rows that could not be read.

DEST/part-00017.parquet            path, row, label, probability, confidence, accepted, reason
DEST/_errors/errors-00017.parquet  path, row, rows, reason; only where there are such rows

With --read, `label` is all that a picture says, and `lines` each line of it. Names with `_` keep
what is no answer out of the way: whoever reads the folder as one data set passes them over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepmnist import rejection
from deepmnist.cluster import places
from deepmnist.cluster.places import Place
from deepmnist.cluster.records import Unreadable
from deepmnist.errors import MissingExtraError, StorageError, reason
from deepmnist.rejection import Scores

if TYPE_CHECKING:
    from types import ModuleType

    import pyarrow as pa
    import pyarrow.parquet as pq

    from deepmnist.reader import Page

ERRORS = "_errors"
GROUP_ROWS = 65_536  # rows gathered before they are written
MOST_BATCHES = 1_024  # before they are joined: a row alone takes kilobytes

Columns = dict[str, Any]  # by name, what Arrow makes a column of


@dataclass
class Tally:
    """What became of rows. `unreadable` counts entries: one may tell of many rows."""

    rows: int = 0
    accepted: int = 0
    unreadable: int = 0

    def __iadd__(self, other: Tally) -> Tally:
        self.rows += other.rows
        self.accepted += other.accepted
        self.unreadable += other.unreadable
        return self


@dataclass(frozen=True)
class Verdicts:
    """Answers to n rows, a column each."""

    columns: Columns

    def __len__(self) -> int:
        return len(self.columns["path"])


def arrow() -> ModuleType:
    """pyarrow, or MissingExtraError."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("scoring", "parquet") from error
    return pa


def part_name(number: int) -> str:
    """The file of a part's answers."""
    return f"part-{number:05d}.parquet"


def errors_name(number: int) -> str:
    """The file of a part's unreadable rows."""
    return f"{ERRORS}/errors-{number:05d}.parquet"


def answers_schema(read: bool) -> pa.Schema:
    """Columns of the answers; with `read`, each line as well."""
    pa = arrow()
    columns = [
        ("path", pa.string()),  # relative to the source; in a tar, the archive's and the member's
        ("row", pa.int64()),  # in its file, from 1; null where the file is the picture
        ("label", pa.string()),
        ("probability", pa.float32()),  # of the label, if this is a digit
        ("confidence", pa.float32()),
        ("accepted", pa.bool_()),
        ("reason", pa.string()),  # why it is not accepted
    ]
    return pa.schema([*columns, ("lines", pa.list_(pa.string()))] if read else columns)


def errors_schema() -> pa.Schema:
    """Columns of the unreadable: of `rows` rows from `row` on, null where nobody can tell."""
    pa = arrow()
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.string())
    return pa.schema(list(zip(("path", "row", "rows", "reason"), kinds, strict=True)))


# ---- columns ------------------------------------------------------------------------------------


def verdicts(
    paths: Sequence[str],
    rows: NDArray[np.int64],
    scores: Scores,
    class_names: Sequence[str],
    threshold: float,
) -> Verdicts:
    """Answers for the scores of n images: prediction.predictions as columns.

    paths are places.shown; row 0 is none.
    """
    best = scores.probabilities.argmax(axis=1)
    confidence = scores.confidence
    accepted = confidence >= threshold
    reasons: list[str | None] = [None] * len(rows)
    for each in np.flatnonzero(~accepted):
        single = float(scores.single[each])
        reasons[each] = rejection.reason(scores.probabilities[each], single, class_names)
    return Verdicts(
        {
            "path": paths,
            "row": np.ma.masked_equal(rows, 0),
            "label": np.array(class_names, object)[best],
            "probability": scores.probabilities[np.arange(len(rows)), best],
            "confidence": confidence,
            "accepted": accepted,
            "reason": reasons,
        }
    )


def pages(paths: Sequence[str], rows: Sequence[int | None], found: Sequence[Page]) -> Verdicts:
    """Answers for pages that were read: a page is accepted if it has digits, and all of them are.

    paths are places.shown; row None is none.
    Probability is that all lines are right, confidence that of the least sure digit.
    """
    digits = [[digit for line in page.lines for digit in line.digits] for page in found]
    lines = [[line.text for line in page.lines] for page in found]
    return Verdicts(
        {
            "path": paths,
            "row": rows,
            "label": ["\n".join(texts) for texts in lines],
            "probability": [
                float(np.prod([line.probability for line in page.lines])) if page.lines else 0.0
                for page in found
            ],
            "confidence": [min((each.confidence for each in row), default=0.0) for row in digits],
            "accepted": [bool(row) and all(each.accepted for each in row) for row in digits],
            "reason": [
                page.note or next((each.reason for each in row if each.reason), None)
                for page, row in zip(found, digits, strict=True)
            ],
            "lines": lines,
        }
    )


# ---- files --------------------------------------------------------------------------------------


@contextmanager
def writing(out: Place, number: int, read: bool) -> Iterator[Writer]:
    """Both tables of a part; they take their names on leaving, the answers last."""
    with ExitStack() as stack:
        answers = stack.enter_context(parquet(out, part_name(number), answers_schema(read)))
        writer = Writer(out, number, answers, stack)
        yield writer
        if not writer.tally.unreadable:
            out.remove(errors_name(number))  # of an attempt that saw another fault


@dataclass
class Writer:
    """Takes the rows of a part as they come."""

    out: Place
    number: int
    answers: Table
    stack: ExitStack
    errors: Table | None = None
    tally: Tally = field(default_factory=Tally)

    def write(self, found: Verdicts | Unreadable) -> None:
        """Some answers, or something unreadable. StorageError where the store refuses."""
        if isinstance(found, Verdicts):
            self.answers.add(found.columns)
            self.tally += Tally(len(found), int(np.sum(found.columns["accepted"])))
            return
        if self.errors is None:
            table = parquet(self.out, errors_name(self.number), errors_schema())
            self.errors = self.stack.enter_context(table)
        row = (places.shown(found.path), found.row, found.rows, found.reason)
        self.errors.add(
            {name: [value] for name, value in zip(errors_schema().names, row, strict=True)}
        )
        self.tally += Tally(unreadable=1)


class Table:
    """A Parquet file being written, some rows at a time."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, columns: Columns) -> None:
        """Rows to come after those before."""
        pa = arrow()
        arrays = [pa.array(columns[each.name], each.type) for each in self._schema]
        batch = pa.record_batch(arrays, self._schema)
        self._batches.append(batch)
        self._rows += len(batch)
        if len(self._batches) >= MOST_BATCHES:
            self._batches = self._gathered().combine_chunks().to_batches()
        if self._rows >= GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._batches:
            self._writer.write_table(self._gathered())
        self._batches, self._rows = [], 0

    def _gathered(self) -> pa.Table:
        return arrow().Table.from_batches(self._batches, self._schema)


@contextmanager
def parquet(out: Place, name: str, schema: pa.Schema) -> Iterator[Table]:
    """A Parquet file to write; it takes its name on leaving. StorageError where it cannot be."""
    pa = arrow()
    with out.replacing(name) as file:
        try:
            with pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
                table = Table(writer, schema)
                yield table
                table.flush()
        except pa.ArrowException as error:
            raise StorageError(f"cannot write {out.address}/{name}: {reason(error)}") from error

"""Ours, Tesseract and RapidOCR on the same pictures of other people's writing, in one run.

    pip install 'deepmnist[contenders]'
    python -m benchmarks.reader WILD [--model BUNDLE] [--mistakes FOLDER] [--most 20]

WILD is a folder with labels.csv (wild.py says what is in it). No net is trained on it. Single
digits, lines, sudokus and what is no digit are scored apart, by kind and by source, each with its
95 % interval; contenders.py tells how each reader is set. A picture that a reader refuses is read
as nothing. Milliseconds are of one picture after the other, decoding left out. pace.py times ours
alone. A peer that is not installed is left out, and the JSON says so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import apart, contenders, pace, results, scores, terminal
from benchmarks.contact import Mistake, contact_sheet
from benchmarks.contenders import Answer, Contender, Grey, Ours
from benchmarks.wild import SINGLES, Row, rows, sample
from deepmnist import annotation, bundle, pictures, prediction, reader
from deepmnist.errors import PictureError

Figures = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """What was read in one picture, and in what time."""

    row: Row
    answer: Answer  # a line's text or a sudoku's cells are its label, too
    seconds: float

    @property
    def right(self) -> bool:
        """Whether all of it is."""
        return self.answer.label == self.row.label


def main(
    wild: Annotated[Path, typer.Argument(help="Folder with labels.csv.")],
    model: Annotated[Path, typer.Option(help="Bundle that ours reads with.")] = bundle.SHIPPED,
    mistakes: Annotated[Path | None, typer.Option(help="Folder for contact sheets.")] = None,
    most: Annotated[
        int, typer.Option(min=0, help="Pictures of each source; 0: all. A sample is only printed.")
    ] = 0,
    peers: Annotated[bool, typer.Option(help="Read with the peers, too.")] = True,
    memory: Annotated[int, typer.Option(help="Pictures over which memory is watched.")] = 0,
) -> None:
    """Measure, print, write benchmarks/results/reader.json."""
    predictor, known = prediction.load(model), sample(rows(wild), most)
    others, missing = contenders.peers() if peers else ([], {})
    figures: Figures = {"pictures": len(known), "missing": missing, "readers": {}}
    for contender in (Ours(predictor), *others):
        figures["readers"][contender.name] = measured(contender, known, mistakes)
        _print(contender.name, figures["readers"][contender.name])
    if mistakes:
        annotate([row for row in known if row.kind == "line"], predictor, mistakes)
    figures["pace"] = pace.measure(predictor)
    if memory:
        figures["pace"]["memory"] = apart.run(pace.memory, model, memory)
    print(figures["pace"])
    for name, why in missing.items():
        print(f"{name} is left out: {why}")
    if most == 0:
        print(results.write("reader", figures))


# ---- reading ------------------------------------------------------------------------------------


def measured(contender: Contender, known: Sequence[Row], mistakes: Path | None = None) -> Figures:
    """All figures of one reader; contact sheets of its mistakes where a folder is given."""
    digits = {way: _singles(contender, known, way) for way in contender.single_ways}
    way = best(digits)
    ways = {kind: best(digits, kind) for kind in SINGLES}
    singles = [each for kind in SINGLES for each in digits[ways[kind]] if each.row.kind == kind]
    lines = {way: _lines(contender, known, way) for way in contender.line_ways}
    sudokus = read(known, "sudoku", lambda picture, _: Answer(contender.cells(picture) or "", 1.0))
    others = read(known, "negative", lambda picture, _: contender.one(picture, way))
    if mistakes:
        _sheets(contender.name, [*singles, *lines[best(lines)]], mistakes)
    return {
        "versions": contender.versions,
        "ways": {**ways, "line": best(lines), "negative": way},
        "singles": {
            kind: by_source([each for each in singles if each.row.kind == kind]) for kind in SINGLES
        },
        "reliability": reliability(singles),
        "line": line_figures(lines[best(lines)]),
        "sudoku": sudoku_figures(sudokus) if any(each.answer.label for each in sudokus) else None,
        "negative": negative_figures(digits[way], others),
    }


def _singles(contender: Contender, known: Sequence[Row], way: str) -> list[Reading]:
    return [
        reading
        for kind in SINGLES
        for reading in read(known, kind, lambda picture, _: contender.one(picture, way))
    ]


def _lines(contender: Contender, known: Sequence[Row], way: str) -> list[Reading]:
    def how(picture: Grey, row: Row) -> Answer:
        return Answer(contender.lines(picture, way, row.label.count("|") + 1), 1.0)

    return read(known, "line", how)


def read(known: Sequence[Row], kind: str, how: Callable[[Grey, Row], Answer]) -> list[Reading]:
    """Each picture of a kind read and timed, decoding left out; one refused gives nothing."""
    readings = []
    for row in (row for row in known if row.kind == kind):
        picture = pictures.read(row.path)
        started = time.perf_counter()
        try:
            answer = how(picture, row)
        except PictureError:
            answer = Answer("", 0.0)
        readings.append(Reading(row, answer, time.perf_counter() - started))
    return readings


def best(ways: Mapping[str, Sequence[Reading]], kind: str | None = None) -> str:
    """The way with the most right, of one kind or of all, and the first of equals."""

    def right(way: str) -> int:
        return sum(each.right for each in ways[way] if kind in (None, each.row.kind))

    return max(ways, key=right)


# ---- figures ------------------------------------------------------------------------------------


def by_source(readings: Sequence[Reading]) -> Figures:
    """The proportion read rightly, in all and by source, and the median time."""
    sources = sorted({each.row.source for each in readings})
    return {
        **_proportion(readings),
        "milliseconds_median": _milliseconds(readings),
        "by_source": {
            source: _proportion([each for each in readings if each.row.source == source])
            for source in sources
        },
    }


def _proportion(readings: Sequence[Reading]) -> Figures:
    return scores.proportion(sum(each.right for each in readings), len(readings))


def _milliseconds(readings: Sequence[Reading]) -> float | None:
    return 1e3 * statistics.median(each.seconds for each in readings) if readings else None


def line_figures(readings: Sequence[Reading]) -> Figures:
    """Exact pictures, and the wrong marks of them all as a share of the marks there are."""
    wrong = sum(scores.edits(each.row.label, each.answer.label) for each in readings)
    marks = sum(len(each.row.label) for each in readings)
    return {
        **by_source(readings),
        "character_errors": wrong,
        "characters": marks,
        "character_error_rate": wrong / marks if marks else None,
        "texts": {each.row.path.stem: [each.row.label, each.answer.label] for each in readings},
    }


def sudoku_figures(readings: Sequence[Reading]) -> Figures:
    """Cells right, empty ones among them; a photo without 81 cells has none right."""
    right = [cells_right(each.row.label, each.answer.label) for each in readings]
    cells = sum(len(each.row.label) for each in readings)
    return {
        **scores.proportion(sum(right), cells),
        "milliseconds_median": _milliseconds(readings),
        "photos": {each.row.path.stem: count for each, count in zip(readings, right, strict=True)},
    }


def cells_right(label: str, said: str) -> int:
    """How many cells are as the label has them; none where their number differs."""
    return sum(a == b for a, b in zip(label, said, strict=True)) if len(label) == len(said) else 0


def negative_figures(digits: Sequence[Reading], others: Sequence[Reading]) -> Figures | None:
    """How well confidence parts digits from what is none, in all and by its source."""
    if not digits or not others:
        return None
    known = [each.answer.confidence for each in digits]
    sources = sorted({each.row.source for each in others})
    return {
        "n": len(others),
        **scores.separation(known, [each.answer.confidence for each in others]),
        "by_source": {
            source: scores.separation(
                known, [each.answer.confidence for each in others if each.row.source == source]
            )
            for source in sources
        },
    }


def reliability(readings: Sequence[Reading]) -> Figures:
    """The diagram's bins over single digits, and the expected calibration error of them."""
    bins = scores.reliability(
        [each.answer.confidence for each in readings], [each.right for each in readings]
    )
    return {"bins": bins, "expected_calibration_error": scores.calibration_error(bins)}


# ---- what is looked at --------------------------------------------------------------------------


def _sheets(name: str, readings: Sequence[Reading], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wrong = [each for each in readings if not each.right]
    for kind in sorted({each.row.kind for each in wrong}):
        shown = [_mistake(each) for each in wrong if each.row.kind == kind]
        contact_sheet(shown, folder / f"{name}-{kind}.png")


def _mistake(reading: Reading) -> Mistake:
    picture, answer = pictures.read(reading.row.path), reading.answer
    return Mistake(reading.row, answer.label, answer.seen if answer.seen is not None else picture,
                   picture)  # fmt: skip


def annotate(chosen: Sequence[Row], predictor: prediction.Predictor, folder: Path) -> None:
    """Draw what ours found into each picture of lines."""
    for row in chosen:
        picture = pictures.read(row.path)
        with suppress(PictureError):  # scored as nothing read: there is nothing to draw
            page = reader.read(picture, predictor)
            (folder / f"{row.path.stem}.png").write_bytes(annotation.encoded(picture, page))


def _print(name: str, figures: Figures) -> None:
    print(f"{name}: {figures['versions']}; {figures['ways']}")
    for kind, values in (*figures["singles"].items(), ("line", figures["line"])):
        for source, own in (*values["by_source"].items(), ("all", values)):
            if own["n"]:
                low, high = own["interval"]
                print(f"  {kind:<8} {source:<20}{own['right']:>5} of {own['n']:<5}"
                      f"{own['accuracy']:>8.2%}  [{low:.2%}, {high:.2%}]")  # fmt: skip
    print(f"  lines' wrong marks: {figures['line']['character_error_rate']}")
    sudoku, negative = figures["sudoku"], figures["negative"]
    if sudoku:
        print(f"  sudoku cells: {sudoku['right']} of {sudoku['n']}")
    if negative:
        print(f"  no digit: AUROC {negative['auroc']:.4f}; {negative['accepted']:.2%} accepted")


if __name__ == "__main__":
    terminal.run(main)

"""Pictures of any number of digits read: line by line, left to right, with a confidence each.

Ink is found, rulings are taken out, lines are found and turned level, and each is cut into digits.
A digit's confidence is rejection.py's, less where its shape or place speaks against one. This
module knows no files and no terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepmnist import connected, expectation, images, ink, layout, rejection, segmentation
from deepmnist.contract import SIDE
from deepmnist.errors import ConfigError
from deepmnist.expectation import Expectation
from deepmnist.prediction import Predictor
from deepmnist.sheet import Box, Sheet, box_around, box_of, covered, sheet_of

DIGITS = tuple("0123456789")
TOO_SMALL = 9  # pixels, as given and as reduced to be read: a lower digit cannot be told


@dataclass(frozen=True)
class Digit:
    """One digit: where it is, what it is, how sure that is and why not."""

    box: Box
    label: str
    probability: float  # of the label, if this is a digit
    single: float  # that this is one digit
    confidence: float  # the score that acceptance uses; low for what is no digit
    accepted: bool
    reason: str | None  # why it is not accepted
    seen: NDArray[np.uint8]  # (28, 28), what the net saw
    probabilities: NDArray[np.float32]  # (classes,)


@dataclass(frozen=True)
class Line:
    """A line of digits, left to right."""

    digits: tuple[Digit, ...]
    text: str
    probability: float  # that all are digits, and these


@dataclass(frozen=True)
class Page:
    """What was read in a picture, top to bottom; a note where something was odd about it."""

    lines: tuple[Line, ...]
    note: str | None = None


def read(
    picture: NDArray[np.uint8],
    predictor: Predictor,
    expected: Expectation = expectation.ANYTHING,
    coverage: float | None = None,
) -> Page:
    """The digits of a grey picture, uint8 (height, width), dark on light or light on dark.

    Each line is read as the best string that is as expected; one that cannot be so is read as it
    is, and its digits are not accepted. PictureError where the array is no grey picture, holds
    more or larger strokes than layout.py takes, or takes more work than an expectation's Walk does;
    ConfigError where something is expected of other classes than digits.
    """
    images.check(picture)
    if expected is not expectation.ANYTHING and predictor.class_names != DIGITS:
        raise ConfigError(
            f"'{expected.text}' is expected of digits; this model's classes are "
            f"{', '.join(predictor.class_names)}; expect nothing of it"
        )
    judge = Judge(predictor.class_names, rejection.threshold(predictor, coverage))
    sheet = sheet_of(picture)
    answers = _answers(sheet, picture.shape, predictor, judge, expected)
    if not answers:
        return Page((), "nothing found: the picture is blank, or what is in it is no digit")
    if turned := _seems_turned(answers, sheet, predictor):
        answers = [[_doubted(digit, TURNED) for digit in row] for row in answers]
    return Page(tuple(map(line_of, answers)), TURNED if turned else None)


def _answers(
    sheet: Sheet,
    shape: tuple[int, ...],
    predictor: Predictor,
    judge: Judge,
    expected: Expectation,
) -> list[list[Digit]]:
    size = layout.digit_height(sheet.ink)
    rows = layout.lines(layout.pieces(sheet.ink), size)
    lines = segmentation.digits(rows, sheet.ink, size, predictor, expected)
    unfit = [row for row, line in zip(rows, lines, strict=True) if line is None]
    plain = iter(segmentation.digits(unfit, sheet.ink, size, predictor))
    answers = []
    for line in lines:
        oddity = None if line is not None else f"does not fit what is expected: {expected.text}"
        readings = (line if line is not None else next(plain)) or []
        answers.append([_digit(each, oddity, sheet, shape, judge) for each in readings])
    return answers


# ---- a page in another size ----------------------------------------------------------------------


def scaled(page: Page, read: tuple[int, ...], given: tuple[int, ...]) -> Page:
    """The page of a picture read in another size, its boxes in pixels of the picture as given.

    Both shapes are height and width.
    """
    if read == given:
        return page

    def digit(each: Digit) -> Digit:
        return replace(each, box=_scaled_box(each.box, read, given))

    def line(each: Line) -> Line:
        return replace(each, digits=tuple(map(digit, each.digits)))

    return replace(page, lines=tuple(map(line, page.lines)))


def _scaled_box(box: Box, read: tuple[int, ...], given: tuple[int, ...]) -> Box:
    if read == given:
        return box
    return box_around(np.array(box).reshape(2, 2) * _factors(read, given), given)


def _factors(read: tuple[int, ...], given: tuple[int, ...]) -> NDArray[np.float64]:
    """How many columns and rows as given lie in one that was read."""
    return np.array([given[1] / read[1], given[0] / read[0]])


# ---- answers ------------------------------------------------------------------------------------

WIDE = 1.35  # of its height: so wide is no digit alone
ODD = 0.5  # what is left of a confidence where the shape speaks against one whole digit


@dataclass(frozen=True)
class Judge:
    """Who says which digits are accepted."""

    class_names: tuple[str, ...]
    threshold: float  # confidence from which on they are

    def digit(
        self,
        box: Box,
        seen: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
        single: float,
        oddity: str | None = None,
        chosen: int | None = None,
    ) -> Digit:
        """A digit seen as (28, 28), of probabilities (classes,): the most probable, or the chosen.

        `single` is the probability that it is one digit, `oddity` what else speaks against it.
        """
        label = int(probabilities.argmax()) if chosen is None else chosen
        confidence = single * float(probabilities[label]) * (ODD if oddity else 1.0)
        accepted = confidence >= self.threshold and not oddity
        names = self.class_names
        why = None if accepted else oddity or rejection.reason(probabilities, single, names)
        return Digit(
            box=box,
            label=self.class_names[label],
            probability=float(probabilities[label]),
            single=single,
            confidence=confidence,
            accepted=accepted,
            reason=why,
            seen=seen,
            probabilities=probabilities,
        )


def _digit(
    reading: segmentation.Reading,
    oddity: str | None,
    sheet: Sheet,
    shape: tuple[int, ...],
    judge: Judge,
) -> Digit:
    found = reading.candidate
    box = box_of(found.piece, sheet, shape)
    oddity = oddity or _oddity(found.piece, box, shape)
    return judge.digit(box, found.seen, found.probabilities, found.single, oddity, reading.digit)


def _doubted(digit: Digit, oddity: str) -> Digit:
    return replace(digit, confidence=ODD * digit.confidence, accepted=False, reason=oddity)


def _oddity(piece: layout.Piece, box: Box, shape: tuple[int, ...]) -> str | None:
    """What speaks against one whole digit, by its place and shape alone."""
    left, top, right, bottom = box
    height, width = min(bottom - top, piece.height), min(right - left, piece.width)
    if max(height, width) < TOO_SMALL:
        return f"too small: {height} pixels high when it is read"
    if left == 0 or top == 0 or right == shape[1] or bottom == shape[0]:
        return "touches the edge of the picture"
    if piece.width > WIDE * piece.height:
        return "two digits at once, perhaps"
    return None


def line_of(digits: Sequence[Digit], empty: str = "") -> Line:
    """A line; a cell without a digit is `empty` in its text and leaves its probability alone."""
    sure = [digit.single * digit.probability for digit in digits if digit.label]
    text = "".join(digit.label or empty for digit in digits)
    return Line(tuple(digits), text, float(np.prod(sure)))


# ---- turned by 90 degrees -----------------------------------------------------------------------

TURNED = "the picture seems to be turned by 90 degrees; turn it and read it again"
TURNED_MOST = 100  # digits: of more, none is read again on its side
TURNED_LINES, TURNED_PIECES = 3, 10  # so many are read on their side, of each line so many
SURE = 0.9  # mean probability of being that digit from which on a picture is the right way up
TURNED_MARGIN = 0.1  # mean probability of being that digit by which another way up must be surer


def _seems_turned(answers: list[list[Digit]], sheet: Sheet, predictor: Predictor) -> bool:
    """Whether the digits make more sense on their side; one digit alone does not say."""
    upright = [digit.single * digit.probability for row in answers for digit in row]
    sure = float(np.mean(upright))
    if not 2 <= len(upright) <= TURNED_MOST or sure >= SURE:
        return False
    ways = [_on_side(sheet.ink, quarter_turns) for quarter_turns in (1, 3)]
    return any(_mean_probability(way, predictor) > sure + TURNED_MARGIN for way in ways)


def _on_side(found: ink.Ink, quarter_turns: int) -> ink.Ink:
    levels = np.ascontiguousarray(np.rot90(found.levels, quarter_turns))
    strokes = np.ascontiguousarray(np.rot90(found.strokes, quarter_turns))
    return ink.Ink(levels, strokes, found.width)


def _mean_probability(found: ink.Ink, predictor: Predictor) -> float:
    """Of the best digits in the longest lines: enough to tell, and no more work than that."""
    size = layout.digit_height(found)
    rows = sorted(layout.lines(layout.pieces(found), size), key=len, reverse=True)
    chosen = [row[:TURNED_PIECES] for row in rows[:TURNED_LINES]]
    lines = segmentation.digits(chosen, found, size, predictor)
    candidates = [each.candidate for line in lines for each in line or []]
    sure = [each.single * float(each.probabilities.max()) for each in candidates]
    return float(np.mean(sure)) if len(sure) > 1 else 0.0


# ---- what the net saw ---------------------------------------------------------------------------


def seen(
    picture: NDArray[np.uint8], boxes: Iterable[Box], given: tuple[int, ...] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """What the net sees in a grey picture, box by box: images uint8 (28, 28), zeros where nothing.

    A box that `read` gives is of the strokes that it read; in any other those count that lie in it
    with half of their pixels or more. given: height and width of the picture that the boxes are
    of, where this is that one in another size, as of `scaled`. PictureError as `read` raises it.
    """
    images.check(picture)
    read, given = picture.shape, given or picture.shape
    sheet = sheet_of(picture)
    size = layout.digit_height(sheet.ink)
    pieces = segmentation.tried(layout.lines(layout.pieces(sheet.ink), size), sheet.ink, size)
    known = {_scaled_box(box_of(piece, sheet, read), read, given): piece for piece in pieces}
    strokes = connected.components(sheet.ink.strokes)
    to_given = np.diag([*_factors(read, given), 1.0]) @ sheet.to_picture
    of_given = Sheet(sheet.ink, to_given)
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    for box in boxes:
        piece = known.get(box) or _within(box, of_given, *strokes)
        yield segmentation.image_of(piece, sheet.ink) if piece else nothing


def _within(
    box: Box, sheet: Sheet, labels: NDArray[np.int32], stats: NDArray[np.int64]
) -> layout.Piece | None:
    """The strokes of the sheet, with connected.components' account of them, that lie in a box."""
    area = covered(box, sheet)
    counts = np.bincount(labels[area], minlength=len(stats))
    counts[0] = 0  # the paper
    mostly = (counts > 0) & (counts >= stats[:, connected.AREA] / 2)
    candidates = counts * mostly if mostly.any() else counts
    kept = np.flatnonzero(candidates > images.SPECK_SHARE * candidates.max())
    pieces = []
    for index in kept:
        left, top, width, height, _ = map(int, stats[index])
        place = np.s_[top : top + height, left : left + width]
        mask = (labels[place] == index) & (area[place] | mostly[index])
        pieces.append(layout.Piece(top, left, mask))
    return layout.joined(pieces) if pieces else None

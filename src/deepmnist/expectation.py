r"""What a line of digits is expected to be: an automaton, walked through a picture.

An expectation is an automaton over digits: a state, the state after one more digit, and whether a
string may end there. Several together are one whose state has a part for each. The best string is
found by dynamic programming over states (segmentation.py): none that fits is overlooked. Known:

    5, 4-6                  a length, or a range of them
    \d{5}, [1-3]\d+, 19\d?  a pattern of digits, \d, classes and the repeats ? * + {m} {m,} {m,n}
    luhn                    the check digit of cards
    isbn10, isbn13          the check digits of books (an ISBN-10 that ends in X is none of digits)
    mod97                   a remainder of 1 by 97, as ISO 7064 has it and IBANs use it
    117|250|398             one of these; with @FILE, one of the lines of a file
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist.errors import ConfigError, PictureError, reason

MAX_LENGTH = 500  # digits of a pattern
MAX_STATES = 200_000  # of several expectations together
MAX_STEPS = 40_000_000  # states times pieces times digits, for one picture
MAX_FILE_BYTES = 10_000_000

State = Any  # hashable; each kind of expectation has its own


@dataclass(frozen=True)
class Expectation:
    """An automaton over digits 0 to 9."""

    text: str  # as the user wrote it
    start: State
    step: Callable[[State, int], State]  # None: no string goes on this way
    accepts: Callable[[State], bool]


ANYTHING = Expectation("anything", 0, lambda state, digit: state, lambda state: True)


class Walk:
    """An expectation followed through one picture, many states at once, known by their numbers.

    Each step is worked out once; a picture and an expectation that take too many are refused.
    """

    def __init__(self, expected: Expectation, classes: int) -> None:
        self.expected = expected
        self._states = [expected.start]
        self._numbers = {expected.start: 0}
        self._after = np.empty((0, classes), np.int32)  # of the first states, those followed
        self._steps = 0

    def accepts(self, state: int) -> bool:
        """Whether a string may end in a state of this number."""
        return self.expected.accepts(self._states[state])

    def after(self, states: NDArray[np.int32]) -> NDArray[np.int32]:
        """The states after each of these and each digit, (n, classes); -1 where none is.

        PictureError where there are more than MAX_STATES, or this takes more than MAX_STEPS.
        """
        self._steps += len(states) * self._after.shape[1]
        if self._steps > MAX_STEPS:
            raise self._too_involved(f"{MAX_STEPS:,} steps")
        unknown = range(len(self._after), int(states.max(initial=-1)) + 1)
        if unknown:
            self._after = np.vstack([self._after, [self._followed(each) for each in unknown]])
        return self._after[states]

    def _followed(self, state: int) -> list[int]:
        if len(self._states) > MAX_STATES:
            raise self._too_involved(f"{MAX_STATES:,} states")
        reached = map(self.expected.step, repeat(self._states[state]), range(self._after.shape[1]))
        return [-1 if each is None else self._number(each) for each in reached]

    def _number(self, state: State) -> int:
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
        return self._numbers[state]

    def _too_involved(self, most: str) -> PictureError:
        return PictureError(
            f"'{self.expected.text}' is too involved for this picture: more than {most}; expect "
            "less, or crop it to fewer digits"
        )


# ---- from text ----------------------------------------------------------------------------------


def parse(texts: Sequence[str]) -> Expectation:
    """All of these together; ConfigError where one is of no known form."""
    return _all_of([_parsed(text.strip()) for text in texts])


def _parsed(text: str) -> Expectation:
    if text.lower() in CHECKS:
        return CHECKS[text.lower()]
    if text.startswith("@"):
        return _one_of(_lines(Path(text[1:])), text)
    if length := re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", text, re.ASCII):
        least, most = int(length[1]), int(length[2] or length[1])
        return _pattern([(frozenset(range(10)), least, most)], text)
    if re.fullmatch(r"\d+(\|\d+)+", text, re.ASCII):
        return _one_of(text.split("|"), text)
    return _pattern(_tokens(text), text)


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the list of allowed values {path} cannot be read: {reason(error)}"
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes; list fewer values")
    values = content.decode("utf-8", "replace").split()
    for value in values:
        if not (value.isascii() and value.isdigit()):
            raise ConfigError(f"{path} lists {value[:40]!r}, which is no string of digits 0 to 9")
    if not values:
        raise ConfigError(f"{path} lists no value; give one a line")
    return values


def _all_of(parts: list[Expectation]) -> Expectation:
    if len(parts) == 1:
        return parts[0]

    def step(state: State, digit: int) -> State:
        after = []
        for part, each in zip(parts, state, strict=True):
            if (reached := part.step(each, digit)) is None:
                return None
            after.append(reached)
        return tuple(after)

    def accepts(state: State) -> bool:
        return all(part.accepts(each) for part, each in zip(parts, state, strict=True))

    text = " and ".join(part.text for part in parts)
    return Expectation(text, tuple(part.start for part in parts), step, accepts)


# ---- patterns -----------------------------------------------------------------------------------

Token = tuple[frozenset[int], int, int | None]  # digits allowed, least and most repeats

_ATOM = re.compile(
    r"(?P<atom>\\d|[0-9]|\[(?:[0-9](?:-[0-9])?)+\])"
    r"(?P<repeat>[?*+]|\{(?P<least>\d{1,3})(?P<more>,(?P<most>\d{1,3})?)?\})?",
    re.ASCII,
)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    place = 0
    while place < len(text) or not text:
        found = _ATOM.match(text, place)
        if found is None:
            raise ConfigError(
                f"'{text}' cannot be expected: at character {place + 1}; give a length such as 5 "
                r"or 4-6, a pattern such as \d{5} or [1-3]\d+, one of "
                f"{', '.join(CHECKS)}, values such as 117|250, or @FILE"
            )
        tokens.append((_allowed(found["atom"]), *_repeats(found)))
        place = found.end()
    return tokens


def _allowed(atom: str) -> frozenset[int]:
    if atom == r"\d":
        return frozenset(range(10))
    allowed: set[int] = set()
    for low, high in re.findall(r"([0-9])(?:-([0-9]))?", atom):
        if (high or low) < low:
            raise ConfigError(f"'{atom}' expects {low} to {high}: turn them round")
        allowed.update(range(int(low), int(high or low) + 1))
    return frozenset(allowed)


def _repeats(found: re.Match[str]) -> tuple[int, int | None]:
    simple: dict[str | None, tuple[int, int | None]] = {
        None: (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None),
    }  # fmt: skip
    if found["repeat"] in simple:
        return simple[found["repeat"]]
    least = int(found["least"])
    most = int(found["most"]) if found["most"] else None if found["more"] else least
    return least, most


def _pattern(tokens: list[Token], text: str) -> Expectation:
    """States are sets of places in the pattern spelt out, one place a digit: bits of a number.

    So the states of one picture, of which there may be MAX_STATES, are small, and a step is quick.
    """
    places: list[tuple[frozenset[int], bool, bool]] = []  # allowed, may be left out, repeats
    for allowed, least, most in tokens:
        if most is not None and most < least:
            order = f"at least {least} and at most {most}"
            raise ConfigError(f"'{text}' expects {order}: turn them round")
        places += [(allowed, False, False)] * least
        if most is None:
            places.append((allowed, True, True))
        else:
            places += [(allowed, True, False)] * (most - least)
    if len(places) > MAX_LENGTH:
        raise ConfigError(f"'{text}' expects more than {MAX_LENGTH} digits, the most that is read")

    fits = [_bits(digit in allowed for allowed, _, _ in places) for digit in range(10)]
    left_out = _bits(may_be for _, may_be, _ in places)
    repeats = _bits(again for _, _, again in places)

    def reached(state: int) -> int:
        """These places, and those behind them where all between may be left out.

        A bit that is added to a row of ones carries through the rest of it to the place behind.
        """
        return state | (((state & left_out) + left_out) ^ left_out)

    def step(state: State, digit: int) -> State:
        fitting = state & fits[digit]
        after = reached((fitting & repeats) | (fitting & ~repeats) << 1)
        return after or None

    return Expectation(text, reached(1), step, lambda state: state >> len(places) == 1)


def _bits(flags: Iterable[bool]) -> int:
    """A number whose bits are these, the lowest first."""
    return sum(flag << place for place, flag in enumerate(flags))


def _one_of(values: Iterable[str], text: str) -> Expectation:
    """States are the beginnings of the values, looked up where they stand or would stand."""
    allowed = sorted(set(values))
    longest = max(allowed, key=len)
    if len(longest) > MAX_LENGTH:
        shown, count = longest[:40], len(longest)
        raise ConfigError(f"'{shown}...' has {count} digits; at most {MAX_LENGTH} are read")

    def following(state: State) -> str:
        """The first value that is not before a state."""
        place = bisect_left(allowed, state)
        return allowed[place] if place < len(allowed) else ""

    def step(state: State, digit: int) -> State:
        after = f"{state}{digit}"
        return after if following(after).startswith(after) else None

    return Expectation(text, "", step, lambda state: following(state) == state)


# ---- check digits -------------------------------------------------------------------------------


def _luhn(state: State, digit: int) -> State:
    """Two sums: with the last digit plain, and with it doubled; the end tells which counts."""
    plain, doubled = state
    return (doubled + digit) % 10, (plain + (2 * digit - 9 * (digit > 4))) % 10


def _weighted(text: str, weights: Sequence[int], modulus: int) -> Expectation:
    """So many digits, whose weighted sum leaves no remainder."""

    def step(state: State, digit: int) -> State:
        place, total = state
        if place == len(weights):
            return None
        return place + 1, (total + weights[place] * digit) % modulus

    return Expectation(text, (0, 0), step, lambda state: state == (len(weights), 0))


CHECKS = {
    "luhn": Expectation("luhn", (0, 0), _luhn, lambda state: state[0] == 0),
    "isbn10": _weighted("isbn10", range(10, 0, -1), 11),
    "isbn13": _weighted("isbn13", [1, 3] * 6 + [1], 10),
    "mod97": Expectation(
        "mod97",
        0,
        lambda state, digit: (10 * state + digit) % 97,
        lambda state: state == 1,
    ),
}

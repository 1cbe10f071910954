"""What commands share in how they take pictures and print answers."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO
from unicodedata import category

if TYPE_CHECKING:
    from deepmnist.prediction import Prediction
    from deepmnist.reader import Digit

OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # kinds of character that a terminal obeys or cannot show
STDIN = "-"
UNREADABLE = 1  # exit status: some picture could not be read, the rest are answered


def standard_input() -> bytes:
    """A picture's content on standard input; PictureError where that cannot be read."""
    from deepmnist import pictures
    from deepmnist.errors import PictureError, reason

    try:
        if sys.stdin is None:  # `<&-` in a shell
            raise ValueError("it is closed; give a file's path instead of -")
        return sys.stdin.buffer.read(pictures.MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PictureError(
            f"the picture on standard input cannot be read: {reason(error)}"
        ) from None


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def cells(found: Prediction | Digit) -> list[str]:
    """An answer's verdict.FIELDS as cells of a CSV."""
    figures = [f"{found.probability:.6f}", f"{found.confidence:.6f}"]
    return [found.label, *figures, str(found.accepted).lower(), found.reason or ""]


def tell(line: str, file: TextIO | None = None) -> None:
    """Print a line for people: names of files and classes may hold what a terminal would obey."""
    print(visible(line), file=file)


def visible(text: str) -> str:
    """`text` with what a terminal would obey spelled out."""
    return "".join(ascii(mark)[1:-1] if category(mark) in OBEYED else mark for mark in text)

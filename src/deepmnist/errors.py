"""Every exception deepmnist raises on purpose.

    DeepMNISTError
    |-- DataError             a data set that cannot be read, or that contradicts itself
    |   `-- DataNotFoundError a data set that cannot be had from any place it was looked for
    |-- PictureError          a picture file that cannot be decoded, or is no picture
    |-- ConfigError           a training option out of its range, an unknown recipe
    |-- BundleError           a model on disk that is missing, altered, foreign or too new
    |-- RunError              a run folder that cannot be written, resumed or trusted
    |   `-- LostError         work whose machine is gone, and those that tried it after
    |-- TrainingError         a run that cannot go on: the loss is no number
    |-- ForgettingError       an improved model that forgot more than it may, and was not saved
    |-- ParityError           an exported model that answers otherwise, and was not written
    |-- FetchError            a part that installing brings, and that cannot be had
    |-- ServiceError          a service that cannot start: its port is taken
    |-- StorageError          a file that cannot be written: no space, no permission
    `-- MissingExtraError     an optional part that is not installed

A message says what was given, what is allowed and what to do next, in one line.
The command line prints it and exits with status 2; it never shows a traceback for these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

REASON = 200  # characters of what a library says that a message repeats


class DeepMNISTError(Exception):
    """Base of every exception that deepmnist raises on purpose."""


class DataError(DeepMNISTError):
    """A data set cannot be read, or contradicts itself."""


class DataNotFoundError(DataError):
    """A data set cannot be had from any place it was looked for."""


class PictureError(DeepMNISTError):
    """A picture file cannot be decoded, or is no picture."""


class ConfigError(DeepMNISTError):
    """A training option is out of its range, or a recipe is unknown."""


class BundleError(DeepMNISTError):
    """A model on disk is missing, altered, foreign or too new."""


class RunError(DeepMNISTError):
    """A run folder cannot be written, resumed or trusted."""


class LostError(RunError):
    """A piece of work lost its worker or machine, and those that took it over."""


class TrainingError(DeepMNISTError):
    """A run cannot go on: the loss is no number."""


class ForgettingError(DeepMNISTError):
    """An improved model reads MNIST worse than it may, and was not saved."""


class ParityError(DeepMNISTError):
    """An exported model answers otherwise than its original, and was not written."""


class FetchError(DeepMNISTError):
    """What runs the page's model cannot be had: no network, or not what was expected."""


class ServiceError(DeepMNISTError):
    """A service cannot start: its port is taken, or may not be listened on."""


class StorageError(DeepMNISTError):
    """A file cannot be written: no space left, no permission."""


class MissingExtraError(DeepMNISTError):
    """An optional part of deepmnist is not installed."""

    def __init__(self, needed_for: str, extra: str) -> None:
        self._given = needed_for, extra
        super().__init__(
            f"{needed_for} needs the extra '{extra}': pip install 'deepmnist[{extra}]'"
        )

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """So that it may come from another process."""
        return type(self), self._given


def one_line(text: object) -> str:
    """What others wrote, such as a library's error, fit for the one line of a message."""
    return "".join(mark if mark.isprintable() else "?" for mark in str(text))


def reason(error: BaseException) -> str:
    """Why, as an exception of others tells it, fit for a line; its kind where it says nothing."""
    return _short(getattr(error, "strerror", None) or error) or type(error).__name__


def unforeseen(error: BaseException) -> str:
    """What nobody expected, such as from another machine: its kind, and all that it says."""
    return ": ".join(filter(None, [type(error).__name__, _short(error)]))


def _short(text: object) -> str:
    return one_line(" ".join(str(text).split())[:REASON])


def nearest(given: str, allowed: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, and all of them."""
    names = sorted(allowed)
    close = difflib.get_close_matches(given, names, n=1)
    guess = f"did you mean '{close[0]}'? " if close else ""
    return f"{guess}known: {', '.join(names)}"

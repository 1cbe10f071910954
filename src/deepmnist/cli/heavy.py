"""Modules that load TensorFlow, loaded by the commands that need them, and only then."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from deepmnist import chatter
from deepmnist.errors import MissingExtraError


def import_module(name: str, needed_for: str, extra: str = "train") -> ModuleType:
    """A module of ours, and with it TensorFlow, without their start-up chatter.

    MissingExtraError, saying what it is needed for, where that extra is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and worse
    try:
        with chatter.dropped():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(needed_for, extra) from error

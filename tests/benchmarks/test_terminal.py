"""A benchmark's command line: a reason in one line, and no other error hidden."""

from __future__ import annotations

import sys

import pytest

from benchmarks import terminal
from deepmnist.errors import DataNotFoundError


def run(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def main() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["benchmark"])
    terminal.run(main)


def test_what_goes_wrong_on_purpose_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, DataNotFoundError("cannot download MNIST; give a folder"))
    assert ended.value.code == "error: cannot download MNIST; give a folder"


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, ZeroDivisionError())

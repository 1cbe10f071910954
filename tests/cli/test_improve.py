"""deepmnist improve as a user meets it: the table, the JSON, one line for each mistake."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepmnist import bundle, data, recipes
from deepmnist.bundle import Bundle, Manifest
from deepmnist.cli import improve
from deepmnist.errors import ForgettingError
from deepmnist.improvement import Count, Improved, Measured
from tests.writing import page


class FakeImprovement:
    """Gives made-up figures, and keeps what it was asked."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.asked: dict[str, Any] = {}
        self.held_out = 2
        self.left_out = 0

    def improve(
        self, base: object, given: object, mnist: object, out: Path, **asked: Any
    ) -> Improved:
        self.asked = {"given": given, "out": out, **asked}
        before = Measured(Count(9_950, 10_000), Count(0, self.held_out), Count(1, 9))
        after = Measured(Count(9_951, 10_000), Count(self.held_out, self.held_out), Count(9, 9))
        return Improved(Bundle(out, self.manifest), before, after, self.left_out, 12.3456)


@pytest.fixture
def fake(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> FakeImprovement:
    made = FakeImprovement(manifest)
    monkeypatch.setattr(improve.heavy, "import_module", lambda *named: made)
    monkeypatch.setattr(bundle, "load", lambda path: SimpleNamespace())
    monkeypatch.setattr(data, "load", lambda name, data_dir: None)
    return made


@pytest.fixture
def improving(deepmnist, tmp_path):
    """Run the command in a folder with one corrected picture: (exit status, stdout, stderr)."""
    (tmp_path / "right" / "7").mkdir(parents=True)
    Image.fromarray(page("7")).save(tmp_path / "right" / "7" / "a.png")
    return partial(deepmnist, "improve")


def test_the_table_gives_before_and_after(improving, fake) -> None:
    status, shown, told = improving("--from", "right", "--out", "new")
    assert (status, told) == (0, "1 corrections in right\n")
    assert shown.splitlines() == [
        "read right             images           before            after",
        "MNIST's test images    10,000   9,950 (99.50%)   9,951 (99.51%)",
        "corrections held out        2        0 (0.00%)      2 (100.00%)",
        "corrections learnt          9       1 (11.11%)      9 (100.00%)",
        "Model: new",
    ]
    assert fake.asked["given"].labels.tolist() == [7]
    assert fake.asked["steps"] == recipes.IMPROVING_STEPS
    assert fake.asked["accept_loss"] is False


def test_what_was_not_measured_or_learnt_is_said(improving, fake) -> None:
    fake.held_out, fake.left_out = 0, 3
    _, shown, _ = improving("--from", "right", "--out", "new")
    assert "corrections held out        0                -                -" in shown
    assert "left out: 3 corrections that say 'none', which the model cannot learn" in shown


def test_json_gives_counts(improving, fake) -> None:
    options = ["--steps", "7", "--seed", "3", "--accept-loss", "--json"]
    status, shown, _ = improving("--from", "right", "--out", "new", *options)
    assert status == 0
    assert json.loads(shown) == {
        "model": "new",
        "before": {
            "test": {"right": 9_950, "n": 10_000},
            "held_out": {"right": 0, "n": 2},
            "learnt": {"right": 1, "n": 9},
        },
        "after": {
            "test": {"right": 9_951, "n": 10_000},
            "held_out": {"right": 2, "n": 2},
            "learnt": {"right": 9, "n": 9},
        },
        "left_out": 0,
        "train_seconds": 12.346,
    }
    assert (fake.asked["steps"], fake.asked["seed"], fake.asked["accept_loss"]) == (7, 3, True)


def test_mistakes_are_told_in_one_line_before_anything_is_loaded(
    improving, fake, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(
        improve.heavy, "import_module", lambda *named: pytest.fail("TensorFlow is loaded")
    )
    cases = [
        (["--from", "right", "--out", "right"], "right is there already and is not written over"),
        (["--from", "gone", "--out", "new"], "cannot read gone: No such file or directory"),
    ]
    Image.fromarray(np.full((50, 50), 200, np.uint8)).save(tmp_path / "right" / "7" / "b.png")
    cases.append((["--from", "right", "--out", "new"], "b.png is said to be 7, but nothing is"))
    for arguments, told in cases:
        status, shown, errors = improving(*arguments)
        assert (status, shown) == (2, "")
        assert errors.startswith("error: ")
        assert told in errors
        assert errors.count("\n") == 1


def test_a_refusal_is_one_line_and_status_2(improving, fake, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ForgettingError("the improved model forgot")

    monkeypatch.setattr(fake, "improve", refuse, raising=False)
    status, shown, errors = improving("--from", "right", "--out", "new")
    assert (status, shown) == (2, "")
    assert errors.splitlines()[-1] == "error: the improved model forgot"

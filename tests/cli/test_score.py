"""deepmnist score as a user meets it: what is printed, statuses, one line for each mistake."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deepmnist.cli import score
from deepmnist.cluster import connection, on_ray
from deepmnist.data.dataset import Dataset
from tests.cluster.files import answers, csv_file, errors, png


@pytest.fixture
def scored(deepmnist):
    """Run the command in an empty folder: (exit status, stdout, stderr)."""
    return partial(deepmnist, "score")


@pytest.fixture
def source(tmp_path: Path, tiny: Dataset) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.csv").write_text(csv_file(np.asarray(tiny.images)[:20]))
    (folder / "b.png").write_bytes(png(np.asarray(tiny.images)[0]))
    (folder / "c.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("x")
    return folder


def test_what_was_scored_is_told_and_where_it_is(scored, source, tmp_path) -> None:
    status, shown, noted = scored(source, "--out", "out", "--local")
    assert status == 0
    first, *places = shown.splitlines()
    assert first.startswith("21 rows scored, ")
    assert ", 1 unreadable; 1 of 1 parts, " in first
    assert [place.partition(": ")[0] for place in places] == ["answers", "unreadable"]
    assert noted == "note: passed over 1 files of other kinds, such as notes.txt\n"
    assert (len(answers(tmp_path / "out")), len(errors(tmp_path / "out"))) == (21, 1)


def test_quiet_says_nothing_but_the_result(scored, source) -> None:
    _, shown, noted = scored(source, "--out", "out", "--quiet")
    assert "21 rows scored" in shown
    assert noted == ""


def test_the_same_command_again_finds_all_done(scored, source) -> None:
    scored(source, "--out", "out")
    status, shown, _ = scored(source, "--out", "out")
    assert (status, shown.startswith("0 rows scored")) == (0, True)
    assert "0 of 1 parts" in shown


def test_another_model_is_refused_in_one_line(scored, source, tiny_bundle) -> None:
    scored(source, "--out", "out")
    status, _, mistake = scored(source, "--out", "out", "--model", tiny_bundle.folder, "--quiet")
    assert status == 2
    assert mistake.startswith("error: ")
    assert "was begun with model " in mistake
    assert mistake.count("\n") == 1


def test_a_coverage_that_the_model_does_not_know_writes_nothing(
    scored, source, tiny_bundle, tmp_path
) -> None:
    given = ["--model", tiny_bundle.folder, "--coverage", "0.9"]
    status, _, mistake = scored(source, "--out", "out", *given)
    assert (status, "coverage 0.9: this model does not tell" in mistake) == (2, True)
    assert not (tmp_path / "out").exists()


def test_local_and_cluster_do_not_go_together(scored, source) -> None:
    status, _, mistake = scored(source, "--out", "out", "--local", "--cluster", "auto")
    assert (status, mistake.startswith("error: --local and --cluster do not go")) == (2, True)


def test_a_cluster_that_does_not_answer_is_told_before_anything_is_written(
    scored, source, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(connection, "ray", lambda needed_for: None)
    status, _, mistake = scored(source, "--out", "out", "--cluster", "127.0.0.1:1")
    assert (status, "no cluster answers at 127.0.0.1:1" in mistake) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "left", "ray", "chosen"),
    [
        (["--local"], 100, True, "here"),
        ([], 100, False, "here"),
        ([], score.SMALL_PARTS, True, "here"),
        ([], score.SMALL_PARTS + 1, True, "ray"),
        (["--cluster", "auto"], 1, True, "ray"),
        (["--cluster", "auto"], 0, True, "here"),
    ],
)
def test_who_scores(options, left, ray, chosen, monkeypatch) -> None:
    from types import SimpleNamespace

    from deepmnist.cluster import local

    monkeypatch.setattr(connection, "installed", lambda: ray)
    monkeypatch.setattr(on_ray, "run", lambda *given: "ray")
    monkeypatch.setattr(local, "run", lambda *given: "here")
    begun = SimpleNamespace(manifest=SimpleNamespace(parts=left), done=frozenset())
    cluster = "auto" if "--cluster" in options else None
    assert score._scored(begun, None, "--local" in options, cluster, None) == chosen

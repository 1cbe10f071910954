"""cli/sweep.py: it parses, calls job.sweep, prints the best and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deepmnist.cli import main
from deepmnist.sweeping import job, space
from deepmnist.sweeping.records import Trial

SPACE = space.parse("fast", ["learning_rate=log:1e-3..1e-1"])
BASE = ["sweep", "--set", "learning_rate=log:1e-3..1e-1"]


def swept(*given: Any, out: Path, **options: Any) -> job.Swept:
    trials = {
        number: Trial(
            number=number,
            values={"learning_rate": 0.01 / number},
            state="finished",
            loss=0.01 * number,
            accuracy=0.99,
            seconds=1.5,
        )
        for number in range(1, 8)
    }
    trials[8] = Trial(number=8, values={"learning_rate": 0.1}, state="failed", reason="it diverged")
    return job.Swept(out, SPACE, trials, 3.0)


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr("sys.argv", ["deepmnist", *BASE, *options])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_best_five_are_printed_and_the_two_next_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "sweep", swept)
    assert run(monkeypatch, "--out", "s") == 0
    out = capsys.readouterr().out
    assert "The best of 8 trials: 7 finished, 0 stopped, 1 failed" in out
    assert "0.0500" in out
    assert "0.0600" not in out
    assert "deepmnist train --config s/best.toml\n" in out
    assert "deepmnist train --config s/best.toml --seed 1\n" in out


def test_options_go_to_the_sweep_and_a_folder_is_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    def keep(*given: Any, **options: Any) -> job.Swept:
        asked.append(options)
        return swept(*given, **options)

    monkeypatch.setattr(job, "sweep", keep)
    run(monkeypatch, "--trials", "9", "--seed", "3", "--parallel", "2", "--cluster", "auto")
    run(monkeypatch, "--seed", "3")
    assert {name: asked[0][name] for name in ("trials", "seed", "parallel", "cluster")} == {
        "trials": 9,
        "seed": 3,
        "parallel": 2,
        "cluster": "auto",
    }
    assert asked[0]["out"] == asked[1]["out"] == Path("sweeps/mnist-fast-3")


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "sweep", stop)
    assert run(monkeypatch, "--out", "s") == 130
    assert capsys.readouterr().err == "Stopped. The same command goes on with s\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "epochs=9..1"], "error: epochs = 9..1: 9 is not below 1; give a..b"),
        (["--recipe", "fats"], "error: unknown recipe 'fats'; did you mean 'fast'?"),
        (["--cluster", "ray://h:1"], "error: --cluster ray://h:1: a sweep is led by a machine"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)
    assert list(tmp_path.iterdir()) == []

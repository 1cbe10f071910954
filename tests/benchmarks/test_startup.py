"""Start-up: the stages of a train add up to all of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import startup

TRAINING = """
import json, os, pathlib, sys, time
run = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
def put(name, text):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text(text)
    time.sleep(0.05)
put("run.json", "{}")
put("metrics.jsonl", '{"step":1.0,"train_seconds":0.01}\\n{"step":2.0,"train_seconds":0.02}\\n')
put("bundle/bundle.json", "{}")
put("report.html", "")
put("result.json", '{"train_seconds": 0.02}')
"""


def test_the_stages_of_a_train_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "COMMAND", [sys.executable, "-c", TRAINING])
    found = startup.train(tmp_path / "run", "mnist", imports_s=0.005)
    stages = ("imports", "data", "train", "validating", "model", "report", "leaving")
    total = sum(found[f"{stage}_seconds"] for stage in stages)
    assert total == pytest.approx(found["wall_seconds"])
    assert found["outside_training_seconds"] == pytest.approx(found["wall_seconds"] - 0.02)
    assert found["tracing_seconds"] == 0.01
    assert min(found.values()) > 0
    assert found["model_seconds"] == pytest.approx(0.05, abs=0.04)


def test_a_command_is_timed_after_a_run_that_does_not_count(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    command = [sys.executable, "-c", f"open({str(notes)!r}, 'a').write('x')"]
    found = startup.timed(3, command)
    assert notes.read_text() == "xxxx"
    assert found["n"] == 3
    assert found["min"] <= found["median_seconds"] <= found["max"]

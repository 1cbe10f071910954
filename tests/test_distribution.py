"""Processes that train together: one's curve, the same bits on each, a line for each mishap."""

from __future__ import annotations

import json
import signal
import socket
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from deepmnist import batches, checkpoints, distribution, recipes, training
from deepmnist.data import load, split_validation
from deepmnist.errors import RunError
from deepmnist.roster import Roster
from tests.squares import squares
from tests.together import COMMAND, Job, free_ports

pytestmark = pytest.mark.cluster

# ---- the curve ----------------------------------------------------------------------------------

STEPS = 10  # of which the first quarter takes smaller batches
RISING = {"schedule": "one_cycle", "warmup": 0.25, "warmup_batch": 0.4, "steps": STEPS}
CURVES = {
    "augmented": {"recipe": "balanced", "batch_size": 32, "precision": "float32", **RISING},
    "dropout": {"recipe": "tutorial", "batch_size": 17, **RISING},  # 17 and 7 are shared unevenly
    "bfloat16": {"recipe": "balanced", "batch_size": 32, "precision": "mixed_bfloat16", **RISING},
}
TOLERANCE = {"augmented": 2e-5, "dropout": 2e-5, "bfloat16": 2e-2}  # of a loss, relative

CURVE = """
import hashlib, json, sys
sys.path.insert(0, {root!r})
from deepmnist import distribution, roster
from tests.test_distribution import CURVES, curve
with distribution.joined(roster.read()) as workers:
    print(json.dumps({{name: curve(name, workers) for name in CURVES}}))
"""


def curve(name: str, workers: training.Workers = training.ALONE) -> tuple[list[float], str]:
    """The losses of the first steps, and a hash of all variables after them."""
    config = recipes.configure(**CURVES[name])
    run = training.Training(squares(80), squares(20, seed=1), config, workers=workers)
    losses = [run.advance(1).loss for _ in range(STEPS)]
    arrays = run.checkpoint().arrays
    return losses, training.joint._digest(checkpoints.Checkpoint(0, 0.0, arrays)).hex()


@cache
def alone() -> dict[str, list[float]]:
    return {name: curve(name)[0] for name in CURVES}


@pytest.mark.parametrize("count", [2, 4])
def test_many_workers_have_the_curve_of_one_and_the_same_bits_each(
    count: int, tmp_path: Path
) -> None:
    program = CURVE.format(root=str(Path(__file__).parents[1]))
    ended = Job(count, [], tmp_path, program).ended()
    assert [status for status, _, _ in ended.values()] == [0] * count, ended
    told = [json.loads(shown.splitlines()[-1]) for _, shown, _ in ended.values()]
    assert all(each == told[0] for each in told)
    for name, (losses, _) in told[0].items():
        np.testing.assert_allclose(losses, alone()[name], rtol=TOLERANCE[name], err_msg=name)


# ---- whole runs ---------------------------------------------------------------------------------

STEADY = ["train", "--recipe", "balanced", "--dataset", "digits", "--precision", "float32"]
RUN = [*STEADY, "--batch-size", "64", "--steps", "100", "--out", "run"]


def weights(folder: Path) -> list[np.ndarray]:
    """The state that a run ended with."""
    last = checkpoints.latest(folder / "run" / "checkpoints")
    assert last is not None
    assert last.step == 100
    return list(last.arrays)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """What two workers come to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    ended = Job(2, RUN, folder).ended()
    assert [status for status, _, _ in ended.values()] == [0, 0], ended
    assert "Test accuracy is" in ended[0][1]
    assert ended[1][1] == ""  # the chief alone prints
    noted = [line for line in ended[1][2].splitlines() if not line.startswith("warning:")]
    assert len(noted) == 1, noted
    assert (folder / "run" / "result.json").exists()
    return weights(folder)


def stopped(folder: Path, victim: int, number: int, after_step: int) -> tuple[Job, float]:
    """A job of two, one of which was sent a signal once it had a checkpoint past `after_step`."""
    job = Job(2, RUN, folder)
    made = folder / "run" / "checkpoints"
    job.wait_until(lambda: any(int(file.stem[5:]) > after_step for file in made.glob("*.json")))
    job.hit(victim, number)
    return job, time.monotonic()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_is_named_and_the_run_resumes_to_the_same_bits(
    victim: int, undisturbed: list[np.ndarray], tmp_path: Path
) -> None:
    after = int(np.random.default_rng().integers(0, 60))
    job, killed = stopped(tmp_path, victim, signal.SIGKILL, after)
    status, _, noted = job.ended()[1 - victim]
    assert time.monotonic() - killed < 60
    assert status == 2
    line = noted.splitlines()[-1]
    assert line.startswith(f"error: worker {victim} ({job.addresses[victim]}) was lost; continue")
    assert line.endswith("deepmnist train --resume run")
    ended = Job(2, ["train", "--resume", "run"], tmp_path).ended()
    assert [status for status, _, _ in ended.values()] == [0, 0], ended
    assert all(map(np.array_equal, weights(tmp_path), undisturbed)), f"killed after {after}"


def test_ctrl_c_on_any_worker_saves_and_ends_all_and_one_alone_goes_on(
    undisturbed: list[np.ndarray], tmp_path: Path
) -> None:
    job, _ = stopped(tmp_path, 1, signal.SIGINT, 20)
    ended = job.ended()
    assert [status for status, _, _ in ended.values()] == [130, 130], ended
    assert "Stopped. Continue with: deepmnist train --resume run" in ended[0][2]
    corpus = split_validation(load("digits").training_part, None)
    config = recipes.configure("balanced", batch_size=64, steps=100, precision="float32")
    run = training.Training(*corpus, config)
    start = checkpoints.latest(tmp_path / "run" / "checkpoints")
    assert start is not None
    assert 20 < start.step < 100
    run.restore(start)
    other = training.Training(*corpus, config)
    other.restore(start)
    assert run.plan == batches.plan(config, len(corpus[0]))
    first, again = run.advance(1).loss, other.advance(1).loss
    assert first == again  # a checkpoint of two is a checkpoint of one


# ---- refusals -----------------------------------------------------------------------------------


def test_a_difference_is_told_by_all_before_the_first_step(tmp_path: Path) -> None:
    also = """
    if name.endswith("runs") and '"index": 1' in os.environ["TF_CONFIG"]:
        from deepmnist import machine
        versions = machine.versions
        machine.versions = lambda: {**versions(), "numpy": "1.0"}
"""
    program = COMMAND.replace("{also}", also)
    ended = Job(2, RUN, tmp_path, program).ended()
    for status, shown, noted in ended.values():
        assert (status, shown) == (2, "")
        line = noted.splitlines()[-1]
        assert line.startswith("error: worker 1 (127.0.0.1:"), ended
        assert "has numpy 1.0, worker 0 (127.0.0.1:" in line
    assert not (tmp_path / "run").exists()


def test_a_worker_that_does_not_come_is_named_in_time(tmp_path: Path) -> None:
    job = Job(2, RUN, tmp_path, started=[1], JOIN_S="3")
    status, _, noted = job.ended()[1]
    assert status == 2
    expected = f"error: worker 0 ({job.addresses[0]}) did not come within 3 s; look whether"
    assert noted.splitlines()[-1].startswith(expected)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        roster = Roster(0, (address, f"127.0.0.1:{free_ports(1)[0]}"))
        with pytest.raises(RunError, match=r"worker 0 \(127.*\) cannot listen on port \d+: Add"):
            distribution._check_port_is_free(roster)

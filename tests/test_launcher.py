"""--workers: actors do what processes under TF_CONFIG do, and start again when one is lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deepmnist import checkpoints, display, launcher, runfolder
from deepmnist.errors import ConfigError, LostError, MissingExtraError, RunError
from deepmnist.roster import Roster

# ---- what needs no cluster ----------------------------------------------------------------------


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"training .*'deepmnist\[cluster\]'"):
        launcher.train({}, 2)


@pytest.mark.parametrize(
    ("nodes", "count", "cores"),
    [([2], 2, 1), ([2], 1, 2), ([8, 8], 3, 4), ([8, 2], 2, 4), ([16] * 4, 4, 16), ([0, 3], 3, 1)],
)
def test_workers_get_as_many_cores_as_all_can_have(
    nodes: list[int], count: int, cores: int
) -> None:
    assert launcher.cores_each(nodes, count) == cores


@pytest.mark.parametrize("nodes", [[], [0], [2, 1]])
def test_more_workers_than_cores_are_refused(nodes: list[int]) -> None:
    with pytest.raises(ConfigError, match=f"--workers 4: the cluster has {sum(nodes)} cores"):
        launcher.cores_each(nodes, 4)


def test_paths_mean_the_same_wherever_a_worker_is(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    work = launcher._with_places({"dataset": "table.csv", "data_dir": None, "out": "run"})
    here = str(tmp_path)
    assert work == {"dataset": f"{here}/table.csv", "data_dir": None, "out": f"{here}/run"}
    assert launcher._with_places({"dataset": "digits", "out": "run"})["dataset"] == "digits"
    assert launcher._with_places({"folder": "run"}) == {"folder": f"{here}/run"}
    (tmp_path / "model").mkdir()
    resumed = launcher._with_places({"folder": "run", "teacher": "model"})
    assert resumed == {"folder": f"{here}/run", "teacher": f"{here}/model"}
    assert launcher._with_places({"out": "run", "teacher": "fast"})["teacher"] == "fast"


@pytest.mark.parametrize("name", ["dataset", "data_dir", "out", "folder"])
def test_a_link_that_leads_back_to_itself_is_left_for_who_opens_it(tmp_path: Path, name) -> None:
    (tmp_path / "loop").symlink_to("loop")
    work = launcher._with_places({"out": "run", name: tmp_path / "loop"})
    assert work[name] == str(tmp_path / "loop")


@pytest.mark.parametrize(("stated", "inside"), [("sets", "sets"), ("/sets", "/sets"), ("", None)])
def test_the_folder_of_data_sets_means_the_same_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str, inside: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPMNIST_DATA_DIR", stated)
    passed = launcher._passed_on()
    assert passed == ({} if inside is None else {"DEEPMNIST_DATA_DIR": str(tmp_path / inside)})


def test_a_run_without_a_folder_gets_one_that_can_be_looked_into(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = launcher._with_places({"dataset": "digits", "recipe": "tiny", "out": None})["out"]
    assert out.startswith(f"{tmp_path}/runs/digits-tiny-")


def test_what_is_kept_is_told_once_and_loads_no_training(fake_progress: Any) -> None:
    kept = launcher._Kept()
    kept.message("hello")
    kept.update(fake_progress(step=3))
    (first, second), nothing = kept.taken(), kept.taken()
    assert first == ("message", ("hello",))
    assert second[0] == "update"
    assert isinstance(second[1][0], SimpleNamespace)
    assert second[1][0].step == 3
    assert nothing == []


class FakeAttempt:
    """Fails as told, one failure a call; keeps what it was asked to do."""

    failures: list[Exception]
    works: list[dict[str, Any]]

    def __init__(self, ray: Any, count: int) -> None: ...

    def train(self, work: dict[str, Any], screen: display.Display) -> str:
        self.works.append(work)
        if self.failures:
            raise self.failures.pop(0)
        return "result"


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> type[FakeAttempt]:
    FakeAttempt.failures, FakeAttempt.works = [], []
    monkeypatch.setattr(launcher.connection, "ray", lambda needed_for: None)
    monkeypatch.setattr(launcher.connection, "made", lambda *given: nullcontext())
    monkeypatch.setattr(launcher, "_Attempt", FakeAttempt)
    return FakeAttempt


def test_a_lost_worker_has_all_resume_a_bounded_number_of_times(attempts, tmp_path, capsys) -> None:
    (tmp_path / runfolder.RECORD).touch()
    attempts.failures = [LostError("worker 1 was lost")]
    assert launcher.train({"out": tmp_path}, 2) == "result"
    assert attempts.works[1:] == [{"folder": str(tmp_path)}]
    assert "worker 1 was lost; all start again from the last" in capsys.readouterr().err
    attempts.failures = [LostError("again")] * 9
    attempts.works.clear()
    with pytest.raises(LostError, match="again"):
        launcher.train({"folder": tmp_path}, 2)
    assert len(attempts.works) == 1 + launcher.RESTARTS


def test_a_resumed_run_that_is_resumed_again_knows_where_its_teacher_lies(
    attempts, tmp_path
) -> None:
    (tmp_path / runfolder.RECORD).touch()
    attempts.failures = [LostError("worker 1 was lost")]
    launcher.train({"folder": tmp_path, "teacher": str(tmp_path)}, 2)
    assert attempts.works == [{"folder": str(tmp_path), "teacher": str(tmp_path)}] * 2


def test_a_worker_lost_before_there_is_a_run_is_told(attempts, tmp_path) -> None:
    attempts.failures = [LostError("worker 0 was lost")]
    with pytest.raises(LostError, match="worker 0 was lost"):
        launcher.train({"out": tmp_path / "run"}, 2)
    assert len(attempts.works) == 1


def test_what_fails_for_good_is_not_tried_again(attempts, tmp_path) -> None:
    (tmp_path / runfolder.RECORD).touch()
    attempts.failures = [RunError("other data")]
    with pytest.raises(RunError, match="other data"):
        launcher.train({"out": tmp_path}, 2)
    assert len(attempts.works) == 1


class FakeRay:
    """The user presses Ctrl-C at the first look; from then on the chief is gone, or silent."""

    exceptions = SimpleNamespace(RayTaskError=type("A", (Exception,), {}), RayError=RuntimeError)

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.attempts = 0

    def wait(self, tasks: list[str], num_returns: int = 1, timeout: float | None = None) -> Any:
        if tasks == ["train"]:
            self.attempts += 1
            raise KeyboardInterrupt
        if self.silent and tasks == ["told"]:
            assert timeout is not None
            return [], tasks
        return tasks, []

    def get(self, task: str) -> str:
        if task == "told":
            raise self.exceptions.RayError("the actor died")
        return "host:1"

    def kill(self, actor: Any) -> None: ...


class FakeActor:
    """Answers with the name of what it was asked."""

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *given: name)


@pytest.mark.parametrize("silent", [False, True])
def test_a_run_that_is_stopped_stays_so_though_its_chief_is_lost(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    silent: bool,
) -> None:
    (tmp_path / runfolder.RECORD).touch()
    ray = FakeRay(silent)
    monkeypatch.setattr(launcher.connection, "ray", lambda needed_for: ray)
    monkeypatch.setattr(launcher.connection, "made", lambda *given: nullcontext())
    monkeypatch.setattr(launcher.connection, "cores", lambda ray: [1])
    monkeypatch.setattr(launcher, "_placed", lambda *given: [FakeActor()])
    with pytest.raises(KeyboardInterrupt):
        launcher.train({"folder": tmp_path}, 1)
    assert ray.attempts == 1
    assert ("worker 0 was lost" in capsys.readouterr().err) != silent


def test_a_worker_without_others_saves_and_ends_when_asked_to(tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as environment:  # what it sets there is for a process of its own
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
            environment.setenv(name, "")
        worker = launcher._Worker(1)
    worker.stop()
    work = {"dataset": "digits", "recipe": "fast", "steps": 60, "out": str(tmp_path / "run")}
    assert worker.train(Roster(0, ("host:1",)), work, {}) == b""
    saved = checkpoints.latest(tmp_path / "run" / runfolder.CHECKPOINTS)
    assert saved is not None
    assert 0 < saved.step < 60
    told = [arguments[0] for method, arguments in worker.told() if method == "message"]
    assert told[-1] == f"Stopped. Continue with: deepmnist train --resume {tmp_path / 'run'}"


# ---- on Ray -------------------------------------------------------------------------------------

WORK = {
    **{"dataset": "digits", "recipe": "balanced", "precision": "float32"},
    **{"batch_size": 64, "steps": 60},
}


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray's own sockets and processes
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # Ray's threads
def test_a_killed_actor_has_the_run_come_back_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'deepmnist[cluster]'")
    monkeypatch.setenv("RAY_ADDRESS", "local")  # not what else may run on this machine
    plain = launcher.train({**WORK, "out": tmp_path / "plain", "quiet": True}, 2)
    killer = threading.Thread(target=_kill_one, args=(tmp_path / "hit",))
    killer.start()
    hit = launcher.train({**WORK, "out": tmp_path / "hit", "quiet": True}, 2)
    killer.join()
    assert hit.test_correct == plain.test_correct
    ends = [checkpoints.latest(result.folder / "checkpoints") for result in (plain, hit)]
    for a, b in zip(ends[0].arrays, ends[1].arrays, strict=True):
        assert np.array_equal(a, b)


def _kill_one(folder: Path) -> None:
    """An actor of this user's, as soon as the run has begun."""
    metrics = folder / "metrics.jsonl"
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if metrics.exists() and metrics.stat().st_size:
            os.kill(_actors()[-1], signal.SIGKILL)
            return
        time.sleep(0.05)


def _actors() -> list[int]:
    """Processes of actors that descend from this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.read_bytes().startswith(b"ray::_Worker") and _is_ours(int(path.parent.name)):
            found.append(int(path.parent.name))
    return sorted(found)


def _is_ours(process: int) -> bool:
    while process > 1:
        if process == os.getpid():
            return True
        status = Path(f"/proc/{process}/stat").read_text()
        process = int(status.rpartition(")")[2].split()[1])
    return False

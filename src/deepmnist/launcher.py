"""`deepmnist train --workers N`: the workers of one training as actors on a Ray cluster.

Each actor does what a process under TF_CONFIG does (distribution.py); here they are placed, watched
and, when one is lost, all started again from the last checkpoint. The chief is placed where the
command was given, so that the run's folder is there; from another node it must be a shared one. Ray
is an extra, imported late, and the command itself loads no TensorFlow.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deepmnist import display, runfolder, teaching
from deepmnist.cluster import connection, sharing
from deepmnist.data import DEFAULT, SOURCES
from deepmnist.data.loading import DATA_DIR_VARIABLE
from deepmnist.errors import ConfigError, LostError, RunError
from deepmnist.recipes import DEFAULT_RECIPE
from deepmnist.roster import Roster
from deepmnist.runfolder import Result

RESTARTS = 3  # of all workers, after one was lost
PLACE_S = 120  # for the cluster to have room for every worker
STOP_S = 60  # for the workers to save and end when asked to
ANSWER_S = 5  # for a stopped chief to tell what it has not yet told
LOOK_S = 0.5  # between two looks at what they tell

Work = dict[str, Any]  # arguments of runs.resume, with a folder, or else of runs.train


def train(work: Work, count: int) -> Result:
    """Do `work` on `count` workers of the cluster that $RAY_ADDRESS names, or of this machine.

    ConfigError where it has fewer cores, RunError where it cannot be reached or has no room,
    LostError where workers were lost more than RESTARTS times; otherwise what runs.train raises.
    """
    ray = connection.ray("training on a cluster")
    work = _with_places(work)
    screen = display.choose(work.pop("quiet", False))
    with connection.made(ray, None, "leave --workers out"):
        for restarts_left in reversed(range(RESTARTS + 1)):
            try:
                return _Attempt(ray, count).train(work, screen)
            except LostError as lost:
                work = work if "folder" in work else {"folder": work["out"]}
                if not restarts_left or not (Path(work["folder"]) / runfolder.RECORD).exists():
                    raise
                screen.message(f"{lost}; all start again from the last checkpoint")
    raise AssertionError  # the loop returns or raises


class _Attempt:
    """All workers, from their start to the end of the first that is lost, or of the run."""

    def __init__(self, ray: Any, count: int) -> None:
        self.ray = ray
        self.actors = _placed(ray, count, cores_each(connection.cores(ray), count))

    def train(self, work: Work, screen: display.Display) -> Result:
        try:
            addresses = self._addresses()
            tasks = [
                actor.train.remote(Roster(index, addresses), work, _passed_on())
                for index, actor in enumerate(self.actors)
            ]
            try:
                return self._watched(tasks, screen)
            except KeyboardInterrupt:
                self._stop(tasks, screen)
                raise
        finally:
            for actor in self.actors:
                self.ray.kill(actor)

    def _addresses(self) -> tuple[str, ...]:
        asked = [actor.address.remote() for actor in self.actors]
        there, missing = self.ray.wait(asked, num_returns=len(asked), timeout=PLACE_S)
        if missing:
            raise RunError(
                f"the cluster has room for {len(there)} of {len(asked)} workers now; wait until "
                "others are done with it, or give fewer --workers"
            )
        return tuple(self._result(each, index) for index, each in enumerate(asked))

    def _watched(self, tasks: Sequence[Any], screen: display.Display) -> Result:
        """Show what the chief tells until all are done; what goes wrong on one is raised."""
        waiting = list(tasks)
        while waiting:
            finished, waiting = self.ray.wait(waiting, num_returns=1, timeout=LOOK_S)
            for task in finished:
                self._result(task, tasks.index(task))
            self._show(screen)
        packed = self._result(tasks[0], 0)
        if not packed:  # it was asked to stop
            raise KeyboardInterrupt
        return runfolder.unpack_result(packed)

    def _show(self, screen: display.Display, timeout_s: float | None = None) -> None:
        """What the chief tells, or nothing where it has not answered by then."""
        answered, _ = self.ray.wait([self.actors[0].told.remote()], timeout=timeout_s)
        for each in answered:
            for method, arguments in self._result(each, 0):
                getattr(screen, method)(*arguments)

    def _stop(self, tasks: Sequence[Any], screen: display.Display) -> None:
        """Ask for the state to be saved; one that does not answer is ended by `train`."""
        asked = [actor.stop.remote() for actor in self.actors]
        self.ray.wait([*asked, *tasks], num_returns=len(asked) + len(tasks), timeout=STOP_S)
        try:
            self._show(screen, ANSWER_S)
        except LostError as lost:  # who asked to stop wants no new start
            screen.message(str(lost))

    def _result(self, task: Any, index: int) -> Any:
        """What `train` does about a lost worker, it says itself."""
        return connection.result(self.ray, task, f"worker {index}", advice="")


class _Worker:
    """What runs in an actor."""

    def __init__(self, cores: int) -> None:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(cores)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # a lost worker is told in one line
        self.screen = _Kept()
        self.asked_to_stop = threading.Event()

    def address(self) -> str:
        """host:port on which the others reach it."""
        import ray

        with socket.create_server(("", 0)) as free:
            return f"{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def train(self, roster: Roster, work: Work, environment: dict[str, str]) -> bytes:
        """Its part; the chief's result, or nothing where it was asked to stop."""
        os.environ.update(environment)
        from deepmnist import workers

        if len(roster.addresses) == 1:
            return self._train(work, workers.Alone())
        from deepmnist import distribution

        with distribution.joined(roster) as together:
            return self._train(work, together)

    def _pass_on_stop(self, workers: Any) -> None:
        self.asked_to_stop.wait()
        workers.stop()

    def _train(self, work: Work, workers: Any) -> bytes:
        from deepmnist import runs

        threading.Thread(target=self._pass_on_stop, args=(workers,), daemon=True).start()
        act = runs.resume if "folder" in work else runs.train
        screen = self.screen if workers.index == 0 else display.Silent()
        try:
            return runfolder.pack_result(act(**work, screen=screen, workers=workers))
        except KeyboardInterrupt:
            return b""

    def told(self) -> list[tuple[str, tuple[Any, ...]]]:
        """What its screen was told since the last call."""
        return self.screen.taken()

    def stop(self) -> None:
        """Have the run saved and ended."""
        self.asked_to_stop.set()


class _Kept:
    """A display whose calls another process repeats on a real one."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, tuple[Any, ...]]] = []

    def taken(self) -> list[tuple[str, tuple[Any, ...]]]:
        taken, self._calls = self._calls, []
        return taken

    def message(self, text: str) -> None:
        self._calls.append(("message", (text,)))

    def warning(self, text: str) -> None:
        self._calls.append(("warning", (text,)))

    def begin(self, plan: Any, step: int) -> None:
        self._calls.append(("begin", (plan, step)))

    def update(self, progress: Any) -> None:
        plain = SimpleNamespace(**vars(progress))  # its own module would load TensorFlow
        self._calls.append(("update", (plain,)))

    def end(self) -> None:
        self._calls.append(("end", ()))


# ---- where --------------------------------------------------------------------------------------


def cores_each(nodes: Sequence[int], count: int) -> int:
    """The most cores that each of `count` workers can have on nodes of so many.

    ConfigError where there are fewer cores than workers.
    """
    cores = sharing.most_cores(nodes, count)
    if not cores:
        raise ConfigError(
            f"--workers {count}: the cluster has {sum(nodes)} cores; give at most as many workers"
        )
    return cores


def _placed(ray: Any, count: int, cores: int) -> list[Any]:
    """The actors, the first of them, the chief, on the node of this process if it has room."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    gpus = int(ray.cluster_resources().get("GPU", 0) >= count)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    # One thread trains; another answers what it is asked meanwhile.
    kind = ray.remote(num_cpus=cores, num_gpus=gpus, max_concurrency=2)(_Worker)
    wishes = [here, *["SPREAD"] * (count - 1)]
    return [kind.options(scheduling_strategy=wish).remote(cores) for wish in wishes]


def _with_places(work: Work) -> Work:
    """`work` with paths that mean the same in every process, and a folder to look into.

    A link that leads nowhere, or back to itself, is left for who opens it to tell.
    """
    absolute = {
        name: os.path.realpath(work[name])
        for name in ("folder", "out", "data_dir")
        if work.get(name) is not None
    }
    if work.get("dataset") is not None and work["dataset"] not in SOURCES:
        absolute["dataset"] = os.path.realpath(work["dataset"])
    if work.get("teacher") is not None and teaching.is_path(work["teacher"]):
        absolute["teacher"] = os.path.realpath(work["teacher"])
    work = {**work, **absolute}
    if "folder" not in work and work.get("out") is None:
        name = work.get("dataset") or DEFAULT
        folder = runfolder.default(str(name), work.get("recipe") or DEFAULT_RECIPE)
        work["out"] = os.path.realpath(folder)
    return work


def _passed_on() -> dict[str, str]:
    """What of the environment a worker needs, which may be in another folder."""
    stated = os.environ.get(DATA_DIR_VARIABLE)
    return {DATA_DIR_VARIABLE: os.path.realpath(stated)} if stated else {}

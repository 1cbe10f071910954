"""Ray Tune: places trials on machines, and a lost one again. What they come to is the ledger's.

Tune asks for a trial, hands it to a worker, passes on what that tells, and stops it where the
ledger says so. Nothing that Tune or Optuna keeps is needed afterwards: what they leave in
FOLDER/ray is never read and is removed.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from deepmnist import chatter, errors, machine
from deepmnist.cluster import connection
from deepmnist.cluster.sharing import Shares
from deepmnist.data import Dataset
from deepmnist.errors import DeepMNISTError, RunError
from deepmnist.sweeping import records
from deepmnist.sweeping.ledger import Broken, Ended, Ledger, Message
from deepmnist.sweeping.space import Space, Values

NEEDED_FOR = "a sweep"
RETRIES = 3  # of a trial whose worker or node is lost
TOLD = "told"
ALL_LOST = "it lost its worker {tries} times: the process was killed, its memory perhaps too small"
SETTINGS = {  # of Ray's, which it takes from the environment alone
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # files that nobody reads
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_AIR_NEW_OUTPUT": "0",  # the other one is quiet where it is told to be
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


@dataclass(frozen=True)
class Errand:
    """What every worker has to know."""

    folder: str
    space: Space
    cores: int
    versions: dict[str, str]


def run(ledger: Ledger, training_set: Dataset, validation: Dataset, given: Shares) -> None:
    """Train all trials that the ledger has left, on the cluster that is connected.

    RunError where a machine cannot train, StorageError where the driver or a
    worker cannot write.
    """
    tune = _tune()
    errand = Errand(str(ledger.folder.resolve()), ledger.space, given.cores, machine.versions())
    searcher, watcher = _adapters(tune, ledger)
    trainable = tune.with_parameters(
        _trial, errand=errand, training_set=training_set, validation=validation
    )
    storage = ledger.folder.resolve() / records.RAY
    shutil.rmtree(storage, ignore_errors=True)
    try:
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": given.cores}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=ledger.left,
                max_concurrent_trials=given.parallel,
                reuse_actors=True,  # TensorFlow takes longer to load than a short trial takes
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(storage),
                stop=watcher,
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                verbose=0,
            ),
        ).fit()
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    watcher.raise_what_went_wrong()


def _trial(
    config: dict[str, Any], errand: Errand, training_set: Dataset, validation: Dataset
) -> None:
    """What a worker does."""
    from ray import tune

    def tell(message: Message) -> None:
        tune.report({TOLD: msgspec.json.encode(message).decode()})

    try:
        _train(config["number"], config["values"], errand, training_set, validation, tell)
    except Exception as error:  # noqa: BLE001  Tune would try again, and keep the reason to itself
        tell(_wrong(config["number"], error))


def _train(
    number: int,
    values: Values,
    errand: Errand,
    training_set: Dataset,
    validation: Dataset,
    tell: Callable[[Message], None],
) -> None:
    connection.check_worker(errand.versions, records.trial_file(Path(errand.folder), number))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with chatter.dropped():
        from deepmnist.sweeping import trial
    folder = records.trial_folder(Path(errand.folder), number)
    folder.mkdir(exist_ok=True)
    wanted = errand.space.config(values)
    trial.run(folder, wanted, training_set, validation, errand.cores, tell)


def _wrong(number: int, error: Exception) -> Message:
    """Whose fault it is: the machine's, on which no trial would end better, or the trial's own."""
    if isinstance(error, DeepMNISTError):
        return Broken(str(error))
    reason = errors.unforeseen(error)
    if isinstance(error, OSError | ImportError):
        where = socket.gethostname()
        return Broken(f"trial {number} failed on {where}: {reason}{connection.GO_ON}")
    return Ended(reason=reason)


def _adapters(tune: Any, ledger: Ledger) -> tuple[Any, Any]:
    """What Tune asks for trials, and what it tells results: both are the ledger.

    Made here, since they are of Ray's classes, and Ray is imported late.
    """
    from ray.tune.search import Searcher

    numbers: dict[str, int] = {}  # by Tune's name of a trial
    wrong: list[DeepMNISTError] = []

    class Watcher(tune.Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            message = msgspec.json.decode(result[TOLD], type=Message)
            with _kept(wrong):
                return ledger.hear(numbers[trial_id], message)
            return True

        def stop_all(self) -> bool:
            return bool(wrong) or ledger.broken is not None

        def raise_what_went_wrong(self) -> None:
            if wrong:
                raise wrong[0]
            if ledger.broken is not None:
                raise RunError(ledger.broken)

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            return object, ()  # Tune stores it, and nobody reads that

    class Asked(Searcher):
        def suggest(self, trial_id: str) -> dict[str, Any] | str:
            with _kept(wrong):
                trial = ledger.begin()
                if trial is not None:
                    numbers[trial_id] = trial.number
                    return {"number": trial.number, "values": trial.values}
            return str(Searcher.FINISHED)

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            if error:
                with _kept(wrong):
                    ledger.lost(numbers[trial_id], ALL_LOST.format(tries=RETRIES + 1))

        def save(self, checkpoint_path: str) -> None: ...

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            return object, ()

    return Asked(), Watcher()


@contextmanager
def _kept(wrong: list[DeepMNISTError]) -> Iterator[None]:
    """What went wrong, kept for when Tune has ended: it would take it for the trial's own."""
    try:
        yield
    except DeepMNISTError as error:
        wrong.append(error)


def _tune() -> Any:
    os.environ.update(SETTINGS)
    from ray import tune

    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return tune

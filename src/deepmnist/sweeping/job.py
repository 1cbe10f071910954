"""A sweep begun, or gone on with, to its end: `sweep` is all that the command line calls.

FOLDER holds what was asked for and each trial (records.py). The same call goes on where another was
stopped; one that asks for something else is refused. The corpus' test part is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deepmnist import lock, machine, recipes, teaching
from deepmnist.cluster import connection, sharing
from deepmnist.data import Corpus, load, split_validation
from deepmnist.errors import BundleError, ConfigError, RunError
from deepmnist.sweeping import ledger, progress, records, results, search, tuning
from deepmnist.sweeping import space as spaces
from deepmnist.sweeping.records import Asked, Trial
from deepmnist.sweeping.space import Space

OTHERWISE = "leave out --cluster and RAY_ADDRESS to use this machine"


@dataclass(frozen=True)
class Swept:
    """A sweep that came to its end."""

    folder: Path
    space: Space
    trials: dict[int, Trial]
    seconds: float  # of this call

    @property
    def best(self) -> Trial:
        """The finished trial of the lowest validation loss."""
        return ledger.ranked(self.trials)[0]


def sweep(
    recipe: str,
    settings: Iterable[str],
    *,
    trials: int,
    out: str | Path,
    dataset: str | Path | Corpus = "mnist",
    data_dir: str | Path | None = None,
    resize: bool = False,
    seed: int = 0,
    parallel: int | None = None,
    cluster: str | None = None,
    quiet: bool = False,
) -> Swept:
    """Try `trials` configurations of a recipe; leave table, picture and the best one in `out`.

    settings: NAME=SPEC each, as space.py has them. parallel: trials at once; cluster: a Ray
    cluster's address, without one that of $RAY_ADDRESS, or this machine. Configurations are held
    against each other by their loss on the validation images, calibrated as a delivered model is:
    it tells configurations apart that have the same few mistakes in some thousand images.

    ConfigError, DataError, BundleError, RunError and StorageError say what was wrong with what;
    RunError too where `out` holds another sweep, and where no trial finished.
    """
    space = spaces.parse(recipe, settings, seed)
    wanted = _wanted(space, trials)
    _check_cluster(cluster)
    corpus = _corpus(dataset, data_dir, resize)
    folder = Path(out)
    asked = Asked(
        recipe=recipe,
        settings=space.specs(),
        seed=seed,
        dataset=corpus.name,
        identity=corpus.training_part.identity,
        versions=machine.versions(),
        teacher_identity=_teacher_identity(space, corpus),
    )
    with lock.held(folder):
        known = _begun(folder, asked, space)
        shown = progress.choose(wanted, sum(trial.over for trial in known.values()), quiet)
        for trial in known.values():
            shown.note(trial)
        book = ledger.Ledger(folder, space, known, wanted, shown)
        try:
            if book.left:
                _train(book, space, corpus, parallel, cluster)
        finally:
            shown.end()
        return _finished(folder, space, book.trials, shown.seconds)


def _wanted(space: Space, trials: int) -> int:
    if not 1 <= trials <= records.MAX_TRIALS:
        raise ConfigError(f"trials = {trials}: give 1 to {records.MAX_TRIALS:,}")
    return trials if space.size is None else min(trials, space.size)


def _check_cluster(cluster: str | None) -> None:
    """Before any work. Through a Ray client Tune would keep its books on another machine."""
    meant = connection.named(cluster)
    if meant is not None and meant.startswith("ray://"):
        given = connection.given_by(cluster, meant)
        raise ConfigError(
            f"{given} {meant}: a sweep is led by a machine of the cluster; give --cluster "
            "host:port on one of those, or send the command there with `ray job submit`"
        )
    connection.check(cluster, tuning.NEEDED_FOR)
    search.check_installed()


def _corpus(dataset: str | Path | Corpus, data_dir: str | Path | None, resize: bool) -> Corpus:
    if isinstance(dataset, Corpus):
        return dataset
    return load(dataset, Path(data_dir) if data_dir else None, resize=resize)


def _teacher_identity(space: Space, corpus: Corpus) -> str | None:
    """Which model teaches every trial, if one does.

    BundleError where it cannot, or may know the images that trials are held against each other by.
    """
    teacher = space.fixed.get("teacher")
    if teacher is None:
        return None
    opened = teaching.find(str(teacher), corpus.training_part.class_names)
    share = space.fixed.get("validation_share")
    config = recipes.configure(space.recipe, validation_share=share)
    if teaching.may_know_validation(opened, corpus, config):
        raise BundleError(
            f"{teacher} was trained on these images with another part of them held out: it may "
            "know the validation images, which choose the best trial; hold out what it had held "
            "out, by --set validation_share=..., or give another teacher"
        )
    return teaching.identity(opened)


def _begun(folder: Path, asked: Asked, space: Space) -> dict[int, Trial]:
    """The trials that `folder` has; none, and the sweep's own record, where it is new."""
    old = records.read_asked(folder)
    if old is None:
        _check_empty(folder)
        records.write_asked(folder, asked)
        return {}
    differing = records.differences(old, asked)
    if differing:
        raise RunError(
            f"{folder} holds another sweep: {differing}; give what it was begun with, "
            "or another --out"
        )
    return records.read_trials(folder, space)


def _check_empty(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if names:
        raise RunError(
            f"{folder} holds {names[0][:60]!r} and no {records.RECORD}: it is no sweep to go on "
            "with; give a new folder with --out"
        )


def _train(
    book: ledger.Ledger, space: Space, corpus: Corpus, parallel: int | None, cluster: str | None
) -> None:
    share = space.fixed.get("validation_share")
    parts = split_validation(corpus.training_part, None if share is None else float(share))
    ray = connection.ray(tuning.NEEDED_FOR)
    with connection.made(ray, cluster, OTHERWISE):
        given = sharing.shares(connection.cores(ray), parallel)
        tuning.run(book, *parts, given)


def _finished(folder: Path, space: Space, trials: dict[int, Trial], seconds: float) -> Swept:
    swept = Swept(folder, space, trials, seconds)
    if not ledger.ranked(trials):
        reasons = [trial.reason for trial in trials.values() if trial.reason]
        raise RunError(
            f"no trial of {folder} finished; the first failed so: {reasons[0] if reasons else '?'}"
        )
    results.write(folder, space, trials)
    return swept

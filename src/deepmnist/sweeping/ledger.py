"""The driver's books: which trial is next, what each tells, and all of it written down at once.

Nothing here knows who trains a trial, or where. A trial is on disk before it begins, and each thing
it tells before it goes on, so that whatever is killed, another ledger opened on the folder goes on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from deepmnist.sweeping import records, search
from deepmnist.sweeping.progress import Progress
from deepmnist.sweeping.records import Point, State, Trial
from deepmnist.sweeping.space import Space


class Ended(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """What a trial came to; the last that it tells."""

    loss: float | None = None
    accuracy: float | None = None
    seconds: float | None = None
    reason: str | None = None  # given: it failed


class Validated(msgspec.Struct, tag=True, frozen=True):
    """A trial is so far."""

    point: Point


class Broken(msgspec.Struct, tag=True, frozen=True):
    """Not the trial is at fault: no trial can go on there."""

    reason: str


Message = Ended | Validated | Broken


class Ledger:
    """The trials of a sweep, by their numbers."""

    def __init__(
        self, folder: Path, space: Space, trials: dict[int, Trial], wanted: int, shown: Progress
    ) -> None:
        """trials: what is there already. wanted: how many there shall be."""
        self.folder, self.space, self.trials, self.shown = folder, space, trials, shown
        self.broken: str | None = None
        numbers = range(1, wanted + 1)
        self._again = [n for n in numbers if n in trials and not trials[n].over]
        self._new = [n for n in numbers if n not in trials]
        for trial in trials.values():
            if trial.over:  # a kill may have come between its end and the removal
                self._drop_checkpoints(trial)

    @property
    def left(self) -> int:
        """Trials that are still to begin."""
        return len(self._again) + len(self._new)

    def begin(self) -> Trial | None:
        """The next trial, on disk before anyone trains it; None where no more are wanted.

        Unfinished ones come first, then new ones. StorageError where it cannot be written.
        """
        if self._again:
            trial = self.trials[self._again.pop(0)]
        elif self._new:
            number = self._new.pop(0)
            trial = Trial(
                number=number, values=search.suggest(self.space, self.trials.values(), number)
            )
            self._drop_checkpoints(trial)  # where its record was removed: of other values
            self._put(trial)
        else:
            return None
        self.shown.began(trial)
        return trial

    def hear(self, number: int, message: Message) -> bool:
        """Write down what a trial tells; whether it should stop. StorageError if it cannot be."""
        trial = self.trials[number]
        if isinstance(message, Broken):
            self.broken = message.reason
            return True
        if trial.over:
            return True
        if isinstance(message, Ended):
            self._end(trial, message)
            return True
        trial = trial.with_point(message.point)
        self._put(trial)
        self.shown.reached(trial)
        if search.hopeless(self.space, self.trials.values(), trial):
            self._over(trial, "stopped")
            return True
        return False

    def lost(self, number: int, reason: str) -> None:
        """A trial whose worker is gone, and those that tried it after. StorageError as `hear`."""
        if not self.trials[number].over:
            self._end(self.trials[number], Ended(reason=reason))

    def _end(self, trial: Trial, ended: Ended) -> None:
        figures = msgspec.structs.asdict(ended)
        trial = msgspec.structs.replace(trial, **figures)
        self._over(trial, "failed" if ended.reason else "finished")

    def _over(self, trial: Trial, state: State) -> None:
        trial = msgspec.structs.replace(trial, state=state)
        self._put(trial)
        self._drop_checkpoints(trial)
        self.shown.ended(trial)

    def _drop_checkpoints(self, trial: Trial) -> None:
        shutil.rmtree(records.trial_folder(self.folder, trial.number), ignore_errors=True)

    def _put(self, trial: Trial) -> None:
        records.write_trial(self.folder, trial)
        self.trials[trial.number] = trial


def ranked(trials: dict[int, Trial]) -> list[Trial]:
    """Finished trials, the best first; of two alike the earlier."""
    finished = [each for each in trials.values() if each.state == "finished"]
    return sorted(finished, key=lambda each: (each.loss, each.number))

"""Parts scored in this process, one after another, each on all cores."""

from __future__ import annotations

from deepmnist.cluster import places
from deepmnist.cluster.job import Begun
from deepmnist.cluster.progress import Progress
from deepmnist.cluster.scoring import Scorer
from deepmnist.cluster.tables import Tally


def run(begun: Begun, progress: Progress, cores: int = 0) -> Tally:
    """Score what is missing; what became of its rows. cores: how many it may use, 0 for all.

    RunError where the source changes meanwhile, StorageError where a part cannot be written.
    """
    job, total = begun.job, Tally()
    source, out = places.at(job.source), places.at(job.out)
    scorer = Scorer(job.model, job.coverage, job.read, cores, job.onnx)
    for part in begun.missing():
        total += scorer.score(source, part, out, progress.scored)
        progress.finished(part)
    return total

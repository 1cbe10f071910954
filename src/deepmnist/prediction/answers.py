"""From a model's scores to answers: the Prediction record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepmnist.rejection import DEFAULT_THRESHOLD, Scores, reason

TOP = 3  # classes listed with each answer


@dataclass(frozen=True)
class Prediction:
    """One answer: the most probable class, how probable, how sure, and the first few of all."""

    label: str
    probability: float  # of the label, if this is a digit
    top: tuple[tuple[str, float], ...]
    confidence: float  # the score that acceptance uses: low for what is no digit
    accepted: bool
    reason: str | None  # why it is not accepted


def predictions(
    scores: Scores, class_names: Sequence[str], threshold: float = DEFAULT_THRESHOLD
) -> list[Prediction]:
    """Answers for scores of n images, accepted from the confidence `threshold` on."""
    order = np.argsort(-scores.probabilities, axis=1, kind="stable")[:, :TOP]
    rows = zip(scores.probabilities, scores.single, scores.confidence, order, strict=True)
    answers = []
    for row, single, confidence, best in rows:
        top = tuple((class_names[i], float(row[i])) for i in best)
        accepted = bool(confidence >= threshold)
        why = None if accepted else reason(row, float(single), class_names)
        answers.append(Prediction(*top[0], top, float(confidence), accepted, why))
    return answers

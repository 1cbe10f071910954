"""How good a predictor is on a labelled data set: evaluate(predictor, dataset) -> Report.

Every metric is a count or a sum over every image of the set, divided once; nothing is dropped
and no mean of means is taken. Images are fed in chunks and some 20 bytes an image are kept, so
a memory-mapped set of any size works. NumPy alone: the base install can evaluate.
It knows the Predictor protocol and Dataset; it does not know how a Report is printed or drawn.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepmnist.data.dataset import Dataset
from deepmnist.errors import BundleError, DataError
from deepmnist.prediction import Predictor
from deepmnist.rounding import percent

CHUNK_IMAGES = 2_000  # fed to the predictor at a time: 1.6 MB of pixels
CALIBRATION_BINS = 15  # of equal width over the top probability, as in Guo et al., 2017
MISTAKES = 25  # listed, the most confident first
HARDEST = 10  # listed for each class, the least probable first
LEVEL = 0.95  # of the interval
NORMAL_QUANTILE = 1.959963984540054  # two-sided, at LEVEL
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)  # in the logarithm: 15.9 nats at worst
SUM_TOLERANCE = 0.01  # of a row of probabilities: room for half precision and 8-bit rounding


class Interval(NamedTuple):
    """The two ends of an interval of a proportion, each in 0..1."""

    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """One class: how many images it has, and how it was answered. None stands for 0/0.

    precision: of the images answered with this class, the part that is of it.
    recall: of the images of this class, the part answered with it.
    f1: 2 TP / (2 TP + FP + FN).
    """

    name: str
    n: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose top probability lies in (low, high]; confidence is that probability's mean.

    confidence and accuracy are None where the bin is empty.
    """

    low: float
    high: float
    n: int
    correct: int
    confidence: float | None

    @property
    def accuracy(self) -> float | None:
        """The part of the bin's images that was answered correctly."""
        return _ratio(self.correct, self.n)


@dataclass(frozen=True)
class Answer:
    """What was answered for one image; true and predicted are indices into the class names.

    index: the image's row in the data set.
    probability: of the predicted class. true_probability: of the true one.
    """

    index: int
    true: int
    predicted: int
    probability: float
    true_probability: float


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Every figure of one evaluation. Build it with evaluate().

    confusion: int64 (classes, classes), counts at [true, predicted].
    negative_log_likelihood: mean over the images, in nats, of -log of the true class's
        probability, which is taken as no less than float32's epsilon (1.2e-7).
    brier: mean over the images of the squared error summed over the classes, in 0..2.
    expected_calibration_error: |accuracy - confidence| averaged over the images, from 15 bins of
        equal width of the top probability.
    mistakes: the 25 wrong answers given with the highest probability, highest first.
    hardest: for each class, the 10 images whose true class got the lowest probability.
    """

    dataset_name: str
    dataset_identity: str
    class_names: tuple[str, ...]
    confusion: NDArray[np.int64]
    negative_log_likelihood: float
    brier: float
    reliability: tuple[ReliabilityBin, ...]
    mistakes: tuple[Answer, ...]
    hardest: tuple[tuple[Answer, ...], ...]

    def __repr__(self) -> str:
        accuracy = percent(self.accuracy, self.n)
        return f"Report({self.dataset_name!r}, {self.correct} of {self.n}, {accuracy})"

    @property
    def n(self) -> int:
        """Images evaluated: all of the data set."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """Images whose most probable class is the true one."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """correct / n, in 0..1."""
        return self.correct / self.n

    @property
    def interval(self) -> Interval:
        """The 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.n)

    @property
    def classes(self) -> tuple[ClassScore, ...]:
        """The score of each class, in the order of class_names."""
        names = enumerate(self.class_names)
        return tuple(_class_score(name, self.confusion, label) for label, name in names)

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence from accuracy, weighted by the images of each bin; 0..1."""
        gaps = (abs(b.correct - b.n * (b.confidence or 0.0)) for b in self.reliability)
        return math.fsum(gaps) / self.n

    def confusions(self) -> list[tuple[int, int, int]]:
        """(true, predicted, count) of every pair of classes ever confused, most frequent first."""
        wrong = self.confusion - np.diag(self.confusion.diagonal())
        pairs = [(int(t), int(p), int(wrong[t, p])) for t, p in np.argwhere(wrong)]
        return sorted(pairs, key=lambda pair: -pair[2])

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON's own types; null stands for 0/0, and no number is NaN or infinite.

        Keys: dataset {name, identity}, n, correct, accuracy, interval {level, low, high},
        negative_log_likelihood, brier, expected_calibration_error, class_names,
        classes [{name, n, precision, recall, f1}], confusion [true][predicted],
        reliability [{low, high, n, correct, confidence, accuracy}],
        mistakes [{index, true, predicted, probability, true_probability}] and
        hardest [[the same]], one list a class.
        """
        return {
            "dataset": {"name": self.dataset_name, "identity": self.dataset_identity},
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "interval": {"level": LEVEL, **self.interval._asdict()},
            "negative_log_likelihood": self.negative_log_likelihood,
            "brier": self.brier,
            "expected_calibration_error": self.expected_calibration_error,
            "class_names": list(self.class_names),
            "classes": [asdict(score) for score in self.classes],
            "confusion": self.confusion.tolist(),
            "reliability": [{**asdict(b), "accuracy": b.accuracy} for b in self.reliability],
            "mistakes": [asdict(answer) for answer in self.mistakes],
            "hardest": [[asdict(answer) for answer in answers] for answers in self.hardest],
        }


def evaluate(predictor: Predictor, dataset: Dataset) -> Report:
    """Ask `predictor` about every image of `dataset` and measure its answers.

    Raises DataError where the data set has no labels, or its classes are not the predictor's, and
    BundleError where the predictor returns something other than probabilities.
    """
    labels = dataset.required_labels()
    _check_classes(predictor, dataset)
    answers = _answers(predictor, dataset, labels)
    classes = len(dataset.class_names)
    return Report(
        dataset_name=dataset.name,
        dataset_identity=dataset.identity,
        class_names=dataset.class_names,
        confusion=_confusion(answers, classes),
        negative_log_likelihood=_negative_log_likelihood(answers.true_probability),
        brier=float(answers.squared_error.mean()),
        reliability=_reliability(answers),
        mistakes=_mistakes(answers),
        hardest=tuple(_hardest(answers, label) for label in range(classes)),
    )


def wilson_interval(correct: int, n: int) -> Interval:
    """The 95 % Wilson score interval of the proportion correct / n; n is at least 1."""
    share, z = correct / n, NORMAL_QUANTILE
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if correct == 0 else centre - reach  # exactly, where rounding would miss it
    high = 1.0 if correct == n else centre + reach
    return Interval(low, high)


class _Answers(NamedTuple):
    """What is kept of each image's probabilities; every array has one entry an image."""

    true: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    probability: NDArray[np.float32]  # of the predicted class
    true_probability: NDArray[np.float32]
    squared_error: NDArray[np.float64]  # summed over the classes


def _answers(predictor: Predictor, dataset: Dataset, labels: NDArray[np.uint8]) -> _Answers:
    n = len(dataset)
    answers = _Answers(
        labels,
        np.empty(n, np.uint8),
        np.empty(n, np.float32),
        np.empty(n, np.float32),
        np.empty(n, np.float64),
    )
    for start in range(0, n, CHUNK_IMAGES):
        rows = slice(start, start + CHUNK_IMAGES)
        images = dataset.images[rows]
        probabilities = predictor.predict_proba(images)
        _check_probabilities(probabilities, len(images), dataset)
        _keep(answers, rows, np.minimum(probabilities, 1.0))
    return answers


def _keep(answers: _Answers, rows: slice, probabilities: NDArray[np.floating]) -> None:
    each = np.arange(len(probabilities))
    labels = answers.true[rows]
    predicted = probabilities.argmax(axis=1)
    error = probabilities.astype(np.float64)
    error[each, labels] -= 1.0
    answers.predicted[rows] = predicted
    answers.probability[rows] = probabilities[each, predicted]
    answers.true_probability[rows] = probabilities[each, labels]
    answers.squared_error[rows] = np.einsum("ij,ij->i", error, error)


def _confusion(answers: _Answers, classes: int) -> NDArray[np.int64]:
    cells = answers.true.astype(np.int64) * classes + answers.predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def _negative_log_likelihood(true_probability: NDArray[np.float32]) -> float:
    likely = np.maximum(true_probability.astype(np.float64), SMALLEST_PROBABILITY)
    return abs(float(np.log(likely).mean()))  # abs: a perfect model has 0, not -0


def _reliability(answers: _Answers) -> tuple[ReliabilityBin, ...]:
    edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)
    confidence = answers.probability.astype(np.float64)
    which = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(which, minlength=CALIBRATION_BINS)
    right = np.bincount(which[answers.true == answers.predicted], minlength=CALIBRATION_BINS)
    sums = np.bincount(which, weights=confidence, minlength=CALIBRATION_BINS)
    columns = (edges[:-1], edges[1:], counts, right, sums)
    return tuple(
        ReliabilityBin(low, high, n, correct, _ratio(total, n))
        for low, high, n, correct, total in zip(*(c.tolist() for c in columns), strict=True)
    )


def _mistakes(answers: _Answers) -> tuple[Answer, ...]:
    wrong = np.flatnonzero(answers.true != answers.predicted)
    return _first(answers, wrong, -answers.probability[wrong], MISTAKES)


def _hardest(answers: _Answers, label: int) -> tuple[Answer, ...]:
    rows = np.flatnonzero(answers.true == label)
    return _first(answers, rows, answers.true_probability[rows], HARDEST)


def _first(
    answers: _Answers, rows: NDArray[np.int64], keys: NDArray[np.float32], limit: int
) -> tuple[Answer, ...]:
    """The answers of the `limit` rows of least key, in that order; equal keys by row."""
    chosen = rows[np.argsort(keys, kind="stable")[:limit]]
    columns = (chosen, *(column[chosen] for column in answers[:4]))  # in the order of Answer
    return tuple(Answer(*each) for each in zip(*(c.tolist() for c in columns), strict=True))


def _class_score(name: str, confusion: NDArray[np.int64], label: int) -> ClassScore:
    right = int(confusion[label, label])
    n, answered = int(confusion[label].sum()), int(confusion[:, label].sum())
    return ClassScore(
        name, n, _ratio(right, answered), _ratio(right, n), _ratio(2 * right, n + answered)
    )


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _check_classes(predictor: Predictor, dataset: Dataset) -> None:
    known, wanted = tuple(predictor.class_names), dataset.class_names
    if sorted(known) != sorted(wanted):
        raise DataError(
            f"the model knows {len(known)} classes ({_listed(known)}) but {dataset.name} has "
            f"{len(wanted)} ({_listed(wanted)}); evaluate it on a data set of its own classes"
        )
    if known != wanted:
        raise DataError(
            f"the model and {dataset.name} have the same classes in another order "
            f"({_listed(known)} against {_listed(wanted)}); give the data set the model's order"
        )


def _listed(names: tuple[str, ...]) -> str:
    shown = [name if len(name) <= 20 else f"{name[:19]}…" for name in names[:12]]
    return ", ".join(shown) + (", …" if len(names) > 12 else "")


def _check_probabilities(given: NDArray[np.floating], n: int, dataset: Dataset) -> None:
    shape = (n, len(dataset.class_names))
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f" or given.shape != shape:
        is_array = isinstance(given, np.ndarray)
        what = f"{given.dtype} {given.shape}" if is_array else type(given).__name__
        raise BundleError(
            f"the model returned {what} for {n} images of {dataset.name}; it must return "
            f"floating-point probabilities of shape {shape}, one row an image, one column a class"
        )
    with np.errstate(invalid="ignore"):  # inf - inf
        sums = given.sum(axis=1, dtype=np.float64)
    # Written so that NaN, which compares false, counts as bad.
    good = (given.min(axis=1) >= 0.0) & (np.abs(sums - 1.0) <= SUM_TOLERANCE)
    if not good.all():
        row = int(np.argmin(good))
        raise BundleError(
            f"the model returned a row that is no probability distribution for an image of "
            f"{dataset.name}: smallest {given[row].min():.4g}, sum {sums[row]:.4g}; entries must "
            "lie in 0..1 and sum to 1 (does the model end in a softmax, are its weights finite?)"
        )

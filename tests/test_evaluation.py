"""evaluation.py against scikit-learn, SciPy and worked examples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import (
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from deepmnist import evaluation
from deepmnist.contract import SIDE
from deepmnist.data.dataset import Dataset
from deepmnist.errors import BundleError, DataError
from deepmnist.evaluation import Answer, Report, evaluate, wilson_interval


class TablePredictor:
    """Answers image i with row i of a table: the row number is written in the first pixels."""

    def __init__(self, table: NDArray, class_names: tuple[str, ...]) -> None:
        self.table = table
        self.class_names = class_names
        self.chunks: list[int] = []

    def predict_proba(self, images: NDArray) -> NDArray:
        self.chunks.append(len(images))
        pixels = np.asarray(images[:, 0, :4]).copy()
        return self.table[pixels.view("<u4")[:, 0]]


def numbered_images(n: int) -> NDArray[np.uint8]:
    images = np.zeros((n, SIDE, SIDE), np.uint8)
    images[:, 0, :4] = np.arange(n, dtype="<u4").view(np.uint8).reshape(n, 4)
    return images


def names(classes: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(classes))


def evaluated(table: object, labels: object, classes: int | None = None) -> Report:
    rows = np.asarray(table, np.float32)
    truth = np.asarray(labels, np.uint8)
    class_names = names(classes or rows.shape[1])
    dataset = Dataset(numbered_images(len(truth)), truth, class_names, "tiny")
    return evaluate(TablePredictor(rows, class_names), dataset)


def random_case(seed: int, n: int, classes: int) -> tuple[NDArray, NDArray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes)) + 2.0 * np.eye(classes)[labels]
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return table.astype(np.float32), labels.astype(np.uint8)


cases = st.builds(random_case, st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(2, 12))


# --- against the references ---------------------------------------------------------------------


@given(cases)
@settings(max_examples=50, deadline=None)
def test_counts_and_scores_are_those_of_scikit_learn(case: tuple[NDArray, NDArray]) -> None:
    table, labels = case
    every = range(table.shape[1])
    report = evaluated(table, labels)
    predicted = table.argmax(axis=1)

    assert report.confusion.dtype == np.int64
    np.testing.assert_array_equal(
        report.confusion, confusion_matrix(labels, predicted, labels=every)
    )
    reference = precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan
    )
    ours = [(s.precision, s.recall, s.f1, s.n) for s in report.classes]
    np.testing.assert_allclose(np.array(ours, float).T, np.array(reference, float), rtol=1e-12)


@given(cases)
@settings(max_examples=50, deadline=None)
def test_losses_are_those_of_scikit_learn(case: tuple[NDArray, NDArray]) -> None:
    table, labels = case
    every = list(range(table.shape[1]))
    exact = table.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    report = evaluated(table, labels)

    assert report.negative_log_likelihood == pytest.approx(
        log_loss(labels, exact, labels=every), abs=1e-6
    )
    assert report.brier == pytest.approx(
        brier_score_loss(labels, exact, labels=every, scale_by_half=False), abs=1e-6
    )


@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    correct, n = counts
    reference = binomtest(correct, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((reference.low, reference.high), abs=1e-12)


@given(st.integers(1, 20_000))
def test_interval_ends_exactly_at_0_and_1_when_none_or_all_are_correct(n: int) -> None:
    assert (wilson_interval(0, n).low, wilson_interval(n, n).high) == (0.0, 1.0)


# --- by hand ------------------------------------------------------------------------------------


def test_calibration_error_of_an_example_worked_by_hand() -> None:
    # Bins of 1/15. 0.9 and 0.92 share (13/15, 14/15]: confidence 0.91, 1 of 2 right.
    # 0.6 lies alone in (8/15, 9/15] as float32 rounds it up into (9/15, 10/15]; wrong.
    # 0.55 lies alone in (8/15, 9/15]; right.
    table = [[0.9, 0.1], [0.92, 0.08], [0.4, 0.6], [0.55, 0.45]]
    report = evaluated(table, [0, 1, 0, 0])
    by_hand = (2 * abs(1 / 2 - 0.91) + 1 * abs(0 - 0.6) + 1 * abs(1 - 0.55)) / 4
    assert report.expected_calibration_error == pytest.approx(by_hand, abs=1e-7)
    filled = {round(b.high * 15): (b.n, b.correct) for b in report.reliability if b.n}
    assert filled == {14: (2, 1), 10: (1, 0), 9: (1, 1)}


def test_brier_and_likelihood_of_an_example_worked_by_hand() -> None:
    report = evaluated([[0.75, 0.25, 0.0], [0.5, 0.25, 0.25]], [0, 1])
    squares = (0.25**2 + 0.25**2) + (0.5**2 + 0.75**2 + 0.25**2)
    assert report.brier == pytest.approx(squares / 2)
    assert report.negative_log_likelihood == pytest.approx(-np.log([0.75, 0.25]).mean())


def test_likelihood_is_finite_where_the_true_class_got_zero() -> None:
    report = evaluated([[1.0, 0.0]], [1])
    assert report.negative_log_likelihood == pytest.approx(15.9424, abs=1e-3)
    assert report.brier == 2.0


def test_perfect_answers_give_a_clean_zero_and_no_mistake() -> None:
    report = evaluated(np.eye(3), [0, 1, 2])
    assert str(report.negative_log_likelihood) == "0.0"
    assert (report.brier, report.expected_calibration_error, report.mistakes) == (0.0, 0.0, ())
    assert report.interval.high == 1.0
    assert report.interval.low > 0.4


def test_scores_are_none_where_they_are_nought_by_nought() -> None:
    # Class 1 has an image and is never answered; class 2 has none and is; class 3 neither.
    report = evaluated([[1, 0, 0, 0], [0, 0, 1, 0]], [0, 1])
    scores = [(s.n, s.precision, s.recall, s.f1) for s in report.classes]
    assert scores == [
        (1, 1.0, 1.0, 1.0),
        (1, None, 0.0, 0.0),
        (0, 0.0, None, 0.0),
        (0, None, None, None),
    ]
    assert report.hardest[3] == ()


def test_mistakes_are_listed_most_confident_first_and_ties_by_index() -> None:
    table = [[0.2, 0.8], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]]
    report = evaluated(table, [0, 0, 0, 0])
    assert [m.index for m in report.mistakes] == [1, 3, 0]
    assert report.mistakes[2] == Answer(0, 0, 1, float(np.float32(0.8)), float(np.float32(0.2)))


def test_mistakes_and_hardest_are_cut_at_their_limits() -> None:
    report = evaluated(np.tile([0.4, 0.6], (60, 1)), np.repeat([0, 1], 30))
    assert [mistake.index for mistake in report.mistakes] == list(range(25))  # equals, by index
    assert [[a.index for a in answers] for answers in report.hardest] == [
        list(range(10)),
        list(range(30, 40)),
    ]


def test_hardest_are_those_with_the_least_probability_of_the_true_class() -> None:
    table = [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]
    report = evaluated(table, [0, 0, 0, 1])
    assert [a.index for a in report.hardest[0]] == [1, 2, 0]
    assert [a.true_probability for a in report.hardest[0]] == pytest.approx([0.3, 0.6, 0.9])
    assert [a.index for a in report.hardest[1]] == [3]


def test_confusions_are_listed_most_frequent_first() -> None:
    report = evaluated(np.eye(3)[[1, 1, 2, 0, 1]], [0, 0, 0, 1, 1])
    assert report.confusions() == [(0, 1, 2), (0, 2, 1), (1, 0, 1)]


# --- properties ---------------------------------------------------------------------------------


@given(cases)
@settings(max_examples=50, deadline=None)
def test_every_count_sums_to_n_and_accuracy_is_the_trace_over_n(
    case: tuple[NDArray, NDArray],
) -> None:
    report = evaluated(*case)
    n = len(case[1])
    assert report.n == n == report.confusion.sum() == sum(b.n for b in report.reliability)
    assert n == sum(score.n for score in report.classes)
    assert report.correct == report.confusion.trace() == sum(b.correct for b in report.reliability)
    assert report.accuracy == report.correct / n
    assert report.interval.low <= report.accuracy <= report.interval.high
    assert sum(count for *_, count in report.confusions()) == n - report.correct
    for b in report.reliability:
        assert b.confidence is None or b.low < b.confidence <= b.high + 1e-9


@given(cases, st.integers(1, 210))
@settings(max_examples=50, deadline=None)
def test_report_is_the_same_for_every_chunk_size(
    case: tuple[NDArray, NDArray], chunk_images: int
) -> None:
    whole = evaluated(*case).to_dict()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "CHUNK_IMAGES", chunk_images)
        assert evaluated(*case).to_dict() == whole


def test_images_are_fed_in_chunks_and_the_ragged_last_one_is_not_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "CHUNK_IMAGES", 4)
    table, labels = random_case(0, 10, 3)
    predictor = TablePredictor(table, names(3))
    evaluate(predictor, Dataset(numbered_images(10), labels, names(3)))
    assert predictor.chunks == [4, 4, 2]


def test_memory_mapped_images_are_evaluated_like_resident_ones(tmp_path: Path) -> None:
    table, labels = random_case(1, 50, 4)
    np.save(tmp_path / "images.npy", numbered_images(50))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    predictor = TablePredictor(table, names(4))
    there = evaluate(predictor, Dataset(mapped, labels, names(4), "tiny"))
    assert there.to_dict() == evaluated(table, labels).to_dict()


@given(cases)
@settings(max_examples=20, deadline=None)
def test_dictionary_is_plain_json_without_nan(case: tuple[NDArray, NDArray]) -> None:
    report = evaluated(*case)
    text = json.dumps(report.to_dict(), allow_nan=False)
    back = json.loads(text)
    assert back == report.to_dict()
    assert back["correct"] == report.correct
    assert back["interval"]["level"] == 0.95


def test_report_names_the_data_set_it_was_made_on() -> None:
    table, labels = random_case(2, 5, 3)
    dataset = Dataset(numbered_images(5), labels, names(3), "five")
    report = evaluate(TablePredictor(table, names(3)), dataset)
    assert (report.dataset_name, report.dataset_identity) == ("five", dataset.identity)
    assert repr(report).startswith("Report('five', ")


# --- predictors and data sets that cannot be evaluated ------------------------------------------


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (
            np.full((2, 3), 1 / 3, np.float32),
            r"returned float32 \(2, 3\) for 2 images of tiny; .*\(2, 2\)",
        ),
        (np.full((3, 2), 0.5, np.float32), r"returned float32 \(3, 2\)"),
        (np.full(2, 0.5, np.float32), r"returned float32 \(2,\)"),
        (np.array([[0, 1], [1, 0]]), r"returned int64 \(2, 2\)"),
        ([[0.5, 0.5], [0.5, 0.5]], "returned list"),
        (np.array([[0.5, 0.5], [np.nan, 0.5]]), "smallest nan, sum nan"),
        (np.array([[0.5, 0.5], [np.inf, -np.inf]]), "smallest -inf, sum nan"),
        (np.array([[0.5, 0.5], [0.7, 0.7]]), r"smallest 0\.7, sum 1\.4"),
        (np.array([[0.5, 0.5], [1.5, -0.5]]), r"smallest -0\.5, sum 1"),
    ],
)
def test_predictor_is_refused_when_it_returns_no_probabilities(returned: object, said: str) -> None:
    class Broken:
        class_names = names(2)

        def predict_proba(self, images: NDArray) -> object:
            return returned

    dataset = Dataset(numbered_images(2), np.zeros(2, np.uint8), names(2), "tiny")
    with pytest.raises(BundleError, match=said) as raised:
        evaluate(Broken(), dataset)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounded_probabilities_are_accepted_in_every_precision(dtype: type) -> None:
    table, labels = random_case(3, 40, 10)
    dataset = Dataset(numbered_images(40), labels, names(10))
    report = evaluate(TablePredictor(table.astype(dtype), names(10)), dataset)
    assert report.brier == pytest.approx(evaluated(table, labels).brier, abs=1e-3)


def test_model_and_data_set_of_different_class_counts_are_refused_by_name() -> None:
    dataset = Dataset(numbered_images(2), np.zeros(2, np.uint8), ("cat", "dog"), "pets")
    with pytest.raises(DataError, match=r"3 classes \(c0, c1, c2\) but pets has 2 \(cat, dog\)"):
        evaluate(TablePredictor(np.eye(3), names(3)), dataset)


def test_as_many_other_classes_are_refused_by_name() -> None:
    dataset = Dataset(numbered_images(2), np.zeros(2, np.uint8), ("cat", "dog"), "pets")
    with pytest.raises(DataError, match=r"2 classes \(c0, c1\) but pets has 2 \(cat, dog\)"):
        evaluate(TablePredictor(np.eye(2), names(2)), dataset)


def test_the_same_classes_in_another_order_are_refused() -> None:
    dataset = Dataset(numbered_images(2), np.zeros(2, np.uint8), ("c1", "c0"), "turned")
    with pytest.raises(DataError, match=r"another order \(c0, c1 against c1, c0\)"):
        evaluate(TablePredictor(np.eye(2), names(2)), dataset)


def test_data_set_without_labels_is_refused() -> None:
    dataset = Dataset(numbered_images(2), None, names(2), "unlabelled")
    with pytest.raises(DataError, match="unlabelled has no labels"):
        evaluate(TablePredictor(np.eye(2), names(2)), dataset)

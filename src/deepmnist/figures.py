"""What a manifest tells of a test: the figures of an evaluation, by the names that bundles keep."""

from __future__ import annotations

from deepmnist.bundle import Value
from deepmnist.evaluation import Report


def tested(report: Report) -> dict[str, Value]:
    """Accuracy with its interval, and calibration, of the test set that a report is of."""
    low, high = report.interval
    return {
        "test_accuracy": report.accuracy,
        "test_correct": report.correct,
        "test_n": report.n,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "negative_log_likelihood": report.negative_log_likelihood,
        "expected_calibration_error": report.expected_calibration_error,
    }

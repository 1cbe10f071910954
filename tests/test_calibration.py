"""calibration.py: a temperature that was put in is found again, and no answer changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from deepmnist import calibration
from deepmnist.calibration import fit_temperature


def honest(n: int = 20_000, classes: int = 10) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Logits whose softmax is the distribution their labels were drawn from."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (n, classes))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return logits.astype(np.float32), labels.astype(np.uint8)


def cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    log_probabilities = log_softmax(logits.astype(np.float64), axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


@pytest.mark.parametrize("factor", [0.2, 0.5, 1.0, 1.7, 5.0, 12.0])
def test_the_factor_by_which_logits_were_scaled_is_found(factor: float) -> None:
    logits, labels = honest()
    assert fit_temperature(logits * np.float32(factor), labels) == pytest.approx(factor, rel=0.03)


def test_no_temperature_near_by_fits_better() -> None:
    logits, labels = honest(500)
    logits *= 3
    fitted = fit_temperature(logits, labels)
    best = cross_entropy(logits / fitted, labels)
    assert best < cross_entropy(logits, labels)
    for other in (0.98, 1.02):
        assert best < cross_entropy(logits / (fitted * other), labels)


def test_no_answer_changes_only_how_sure_it_is() -> None:
    logits, labels = honest(2_000)
    logits *= 4
    before = softmax(logits, axis=1)
    after = softmax(logits / np.float32(fit_temperature(logits, labels)), axis=1)
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert after.max(axis=1).mean() < before.max(axis=1).mean()


def test_a_model_that_is_always_right_is_made_no_surer_than_the_bound() -> None:
    logits = 10 * np.eye(10, dtype=np.float32)
    low, _ = calibration.TEMPERATURES
    assert low <= fit_temperature(logits, np.arange(10, dtype=np.uint8)) <= 1


def test_a_model_that_is_always_wrong_is_made_no_less_sure_than_the_bound() -> None:
    logits = 10 * np.eye(10, dtype=np.float32)
    wrong = np.roll(np.arange(10, dtype=np.uint8), 1)
    low, high = calibration.TEMPERATURES
    fitted = fit_temperature(logits, wrong)
    assert fitted == pytest.approx(high, rel=0.01)
    assert low <= fitted <= high


def test_logits_as_large_as_float32_goes_give_a_finite_temperature() -> None:
    logits = np.eye(10, dtype=np.float32) * np.float32(1e38)
    assert np.isfinite(fit_temperature(logits, np.arange(10, dtype=np.uint8)))


def test_logits_are_left_as_they_were() -> None:
    logits, labels = honest(100)
    before = logits.copy()
    fit_temperature(logits, labels)
    assert np.array_equal(logits, before)

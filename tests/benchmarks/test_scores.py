"""Scores of what was read, against counts done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import scores

WORDS = st.text("0123", max_size=8)
SURE = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [("", "", 0), ("123", "123", 0), ("123", "", 3), ("123", "13", 1), ("12|3", "123", 1),
     ("kitten", "sitting", 3), ("19", "91", 2)],
)  # fmt: skip
def test_edits_are_the_fewest_insertions_losses_and_changes(
    one: str, other: str, wrong: int
) -> None:
    assert scores.edits(one, other) == wrong


@settings(deadline=None)
@given(WORDS, WORDS, WORDS)
def test_edits_are_a_distance(one: str, other: str, third: str) -> None:
    assert scores.edits(one, other) == scores.edits(other, one)
    assert (scores.edits(one, other) == 0) == (one == other)
    assert scores.edits(one, third) <= scores.edits(one, other) + scores.edits(other, third)


def test_a_proportion_has_wilsons_interval() -> None:
    found = scores.proportion(10, 11)
    assert (found["right"], found["n"]) == (10, 11)
    assert found["accuracy"] == pytest.approx(10 / 11)
    assert found["interval"] == pytest.approx([0.6226, 0.9838], abs=1e-4)


def test_a_proportion_of_none_is_no_number() -> None:
    assert scores.proportion(0, 0) == {"right": 0, "n": 0, "accuracy": None, "interval": None}


@settings(deadline=None)
@given(SURE, SURE)
def test_auroc_is_the_share_of_pairs_in_order_ties_counting_half(
    digits: list[float], others: list[float]
) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in digits for b in others]
    found = scores.separation(digits, others)
    assert found["auroc"] == pytest.approx(sum(pairs) / len(pairs))


def test_what_is_accepted_is_counted_at_the_level_of_95_percent_of_digits() -> None:
    digits = [number / 100 for number in range(1, 101)]
    found = scores.separation(digits, [0.01, 0.05, 0.06, 0.9])
    assert found["level"] == 0.06  # 95 of 100 are at or above it
    assert found["accepted"] == 0.5


@settings(deadline=None)
@given(SURE, st.data())
def test_every_answer_is_in_one_bin_whose_range_holds_its_confidence(
    sure: list[float], data: st.DataObject
) -> None:
    right = data.draw(st.lists(st.booleans(), min_size=len(sure), max_size=len(sure)))
    bins = scores.reliability(sure, right)
    assert sum(each["n"] for each in bins) == len(sure)
    hits = sum(each["n"] * each["accuracy"] for each in bins if each["n"])
    assert hits == pytest.approx(sum(right))
    for each in bins:
        assert not each["n"] or each["low"] - 1e-9 <= each["confidence"] <= each["high"] + 1e-9
    assert 0 <= scores.calibration_error(bins) <= 1


def test_the_calibration_error_weighs_each_bin_by_what_it_holds() -> None:
    bins = scores.reliability([0.8, 0.8, 0.8, 0.3], [True, True, False, True])
    assert scores.calibration_error(bins) == pytest.approx((3 * (0.8 - 2 / 3) + 0.7) / 4)

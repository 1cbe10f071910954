"""The best string that fits, held to trying every string."""

from __future__ import annotations

import itertools
import math
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmnist import expectation
from deepmnist.errors import ConfigError, PictureError
from tests.likeliest import best


def luhn(text: str) -> bool:
    digits = [int(mark) for mark in reversed(text)]
    return sum(sum(divmod(d * (1 + i % 2), 10)) for i, d in enumerate(digits)) % 10 == 0


def isbn10(text: str) -> bool:
    return len(text) == 10 and sum((10 - i) * int(d) for i, d in enumerate(text)) % 11 == 0


def isbn13(text: str) -> bool:
    return len(text) == 13 and sum((1, 3)[i % 2] * int(d) for i, d in enumerate(text)) % 10 == 0


FITS = {
    "luhn": luhn,
    "mod97": lambda text: int(text) % 97 == 1,
    "3": lambda text: len(text) == 3,
    "2-4": lambda text: 2 <= len(text) <= 4,
    "117|25|398|0044": lambda text: text in {"117", "25", "398", "0044"},
    **{
        pattern: re.compile(pattern).fullmatch
        for pattern in (
            r"\d{3}", r"[1-3]\d+", r"1?2*3?", r"\d{1,2}[05]{1,}", r"0\d?0?\d*", r"[13-57]+9{0,2}",
        )
    },
}  # fmt: skip


def table(rows: int) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).dirichlet(np.full(10, 0.5), rows)
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3).flatmap(table),
    st.lists(st.sampled_from(sorted(FITS)), min_size=1, max_size=3),
)
def test_the_best_string_is_the_one_that_trying_all_of_them_finds(probabilities, texts) -> None:
    strings = map("".join, itertools.product("0123456789", repeat=len(probabilities)))
    fitting = [text for text in strings if all(FITS[each](text) for each in texts)]
    found = best(probabilities, expectation.parse(texts))
    if not fitting:
        assert found is None
        return

    def probability(text: str) -> float:
        return math.prod(row[int(d)] for row, d in zip(probabilities, text, strict=True))

    assert found is not None
    assert found[0] in fitting
    assert found[1] == pytest.approx(probability(found[0]))
    assert found[1] == pytest.approx(max(map(probability, fitting)))


@settings(max_examples=25, deadline=None)
@given(table(13), st.sampled_from([("luhn", luhn), ("isbn13", isbn13)]))
def test_a_long_best_string_passes_its_check(probabilities, check) -> None:
    name, passes = check
    text, _ = best(probabilities, expectation.parse([name]))
    assert passes(text)


@settings(max_examples=10, deadline=None)
@given(table(10))
def test_an_isbn10_passes_its_check(probabilities) -> None:
    text, _ = best(probabilities, expectation.parse(["isbn10"]))
    assert isbn10(text)


def sure(text: str) -> np.ndarray:
    probabilities = np.full((len(text), 10), 0.01)
    probabilities[np.arange(len(text)), [int(mark) for mark in text]] = 0.91
    return probabilities


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("luhn", "79927398713"),
        ("isbn10", "0306406152"),
        ("isbn13", "9780306406157"),
        ("mod97", "3214282912345698765432161182"),  # an IBAN of ISO 13616, letters as numbers
    ],
)
def test_known_good_numbers_pass_and_one_wrong_digit_does_not(name: str, valid: str) -> None:
    expected = expectation.parse([name])
    assert best(sure(valid), expected)[0] == valid
    wrong = valid[:3] + str((int(valid[3]) + 1) % 10) + valid[4:]
    assert best(sure(wrong), expected)[0] != wrong


def test_what_cannot_fit_is_none() -> None:
    assert best(sure("123"), expectation.parse(["5"])) is None
    assert best(sure("123"), expectation.parse(["3", "[4-9]+", "117|250"])) is None


def test_no_expectation_gives_the_most_probable_digits() -> None:
    assert best(sure("123"))[0] == "123"
    assert best(np.zeros((0, 10))) == ("", 1.0)


def test_allowed_values_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "values.txt"
    path.write_text("123\n124\n")
    expected = expectation.parse([f"@{path}"])
    assert best(sure("129"), expected)[0] in {"123", "124"}


@pytest.mark.parametrize(
    "text",
    ["", "abc", r"\d{5", "[a-z]", "(1|2)", "1||2", "^1", r"\d{999}{2}", "１|２", "５", r"\d{٥}"],
)
def test_what_is_no_expectation_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be expected: at character \d+; give a length"):
        expectation.parse([text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "lists no value"),
        (f"117\n{'1' * 501}\n", "'1111.* has 501 digits; at most 500 are read"),
    ],
)
def test_a_file_of_values_that_no_line_can_be_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "values.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        expectation.parse([f"@{path}"])


def test_a_file_of_many_long_values_takes_memory_for_them_alone(tmp_path: Path) -> None:
    path = tmp_path / "values.txt"
    path.write_text("".join(f"{each:03}{'0' * 497}\n" for each in range(200)))
    tracemalloc.start()
    expected = expectation.parse([f"@{path}"])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * expectation.MAX_FILE_BYTES  # all beginnings of the values would take more
    assert best(sure("007" + "0" * 497), expected)[0] == "007" + "0" * 497


def test_other_mistakes_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 5 and at most 3: turn them round"):
        expectation.parse([r"\d{5,3}"])
    with pytest.raises(ConfigError, match="at least 6 and at most 4: turn them round"):
        expectation.parse(["6-4"])
    with pytest.raises(ConfigError, match=r"^'\[0-29-1\]' expects 9 to 1: turn them round"):
        expectation.parse([r"\d[0-29-1]"])
    with pytest.raises(ConfigError, match="more than 500 digits"):
        expectation.parse([r"\d{400}\d{400}"])
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        expectation.parse([f"@{tmp_path / 'none'}"])
    (tmp_path / "bad").write_text("12a\n")
    with pytest.raises(ConfigError, match="lists '12a', which is no string of digits"):
        expectation.parse([f"@{tmp_path / 'bad'}"])


@given(st.text(max_size=12))
def test_any_text_is_an_expectation_or_refused(text: str) -> None:
    try:
        expected = expectation.parse([text] if not text.strip().startswith("@") else ["5"])
    except ConfigError as error:
        assert "\n" not in str(error) or "\n" in text
        return
    best(sure("12"), expected)


def test_states_of_a_pattern_are_small_however_many_places_they_tell() -> None:
    expected = expectation.parse([r"\d{0,400}\d*1\d{60}"])
    walk = expectation.Walk(expected, 10)
    tracemalloc.start()
    states = np.zeros(1, np.int32)
    for _ in range(14):  # 2 to the power of 14 of them
        states = np.unique(walk.after(states))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(states) == 2**14
    assert most < 20e6


@pytest.mark.parametrize("limit", ["MAX_STATES", "MAX_STEPS"])
def test_what_takes_too_much_work_is_refused_in_one_line(limit: str, monkeypatch) -> None:
    monkeypatch.setattr(expectation, limit, 5_000)
    walk = expectation.Walk(expectation.parse(["luhn", "mod97"]), 10)

    def follow() -> None:
        states = np.zeros(1, np.int32)
        for _ in range(20):
            states = np.unique(walk.after(states))

    with pytest.raises(PictureError, match="'luhn and mod97' is too involved") as caught:
        follow()
    assert "\n" not in str(caught.value)

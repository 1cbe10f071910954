"""The exception tree, and the end of a message about an unknown name."""

from __future__ import annotations

import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmnist import errors
from deepmnist.errors import DeepMNISTError, MissingExtraError, nearest, reason

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, Exception)
]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_exception_is_of_the_tree_documented_and_drawn(error: type[Exception]) -> None:
    assert issubclass(error, DeepMNISTError)
    assert error.__doc__ != error.__base__.__doc__
    assert f"{error.__name__} " in f"{errors.__doc__}".replace("\n", " ")


def test_the_drawing_shows_who_inherits_from_whom() -> None:
    """A deeper line of the drawing is a child of the last shallower one."""
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        name = next((word for word in line.split() if word.endswith("Error")), None)
        if name is None or not ("|" in line or name == "DeepMNISTError"):
            continue
        depth = line.index(name)
        above = [entry for entry in above if entry[0] < depth]
        if above:
            assert getattr(errors, name).__base__ is getattr(errors, above[-1][1])
        above.append((depth, name))


def test_missing_extra_says_how_to_install_it() -> None:
    with pytest.raises(DeepMNISTError, match=r"^Parquet needs the extra 'x': pip install 'deepm"):
        raise MissingExtraError("Parquet", "x")


def test_nearest_guesses_a_slip_and_lists_all_in_order() -> None:
    assert nearest("mnits", ["mnist", "kmnist"]) == "did you mean 'mnist'? known: kmnist, mnist"


def test_nearest_guesses_nothing_where_nothing_is_near() -> None:
    assert nearest("zebra", ["mnist", "kmnist"]) == "known: kmnist, mnist"


@given(st.text(), st.lists(st.text(min_size=1)))
def test_nearest_names_every_known_name(given_name: str, names: list[str]) -> None:
    assert nearest(given_name, names).endswith(f"known: {', '.join(sorted(names))}")


def test_a_missing_extra_survives_the_way_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(MissingExtraError("scoring", "cluster")))  # noqa: S301
    assert str(error) == "scoring needs the extra 'cluster': pip install 'deepmnist[cluster]'"


def test_what_others_wrote_becomes_one_line_without_control_marks() -> None:
    assert errors.one_line(ValueError("a\nb\x1b[31mé\u202e")) == "a?b?[31mé?"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("one\n  two"), "one two"),
        (ValueError(), "ValueError"),
        (OSError(28, "No space left", "a.bin"), "No space left"),
        (OSError("the stream broke off"), "the stream broke off"),
        (ValueError("a\x1b[31mred"), "a?[31mred"),
        (ValueError("long " * 100), ("long " * 100)[: errors.REASON]),
    ],
)
def test_what_others_say_is_a_part_of_a_line(error: Exception, told: str) -> None:
    assert reason(error) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left", "a.bin"), "OSError: [Errno 28] No space left: 'a.bin'"),
        (ValueError("one\n  two"), "ValueError: one two"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_nobody_expected_is_told_with_its_kind_and_all_it_says(
    error: Exception, told: str
) -> None:
    assert errors.unforeseen(error) == told

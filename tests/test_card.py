"""card.py: the model card holds what the manifest holds, and no value can break its tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmnist import card
from deepmnist.bundle import Manifest


def with_data(manifest: Manifest, **values: Any) -> Manifest:
    return msgspec.structs.replace(
        manifest, dataset=msgspec.structs.replace(manifest.dataset, **values)
    )


def cells(row: str) -> list[str]:
    """The cells of a table's row, split where GitHub's Markdown splits it."""
    found, cell, escaped = [], "", False
    for character in row:
        if character == "|" and not escaped:
            found.append(cell)
            cell = ""
        else:
            cell += character
        escaped = character == "\\" and not escaped
    return [text.strip() for text in found[1:]]


def test_the_card_tells_what_the_manifest_holds(manifest: Manifest) -> None:
    text = card.render(manifest)
    assert text.startswith("# deepmnist model: fast on tiny\n")
    assert "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9." in text
    assert "| test_accuracy | 0.9875 |" in text
    assert "| test_correct | 79 |" in text
    assert "50 training and 10 validation images of tiny" in text
    assert f"SHA-256 `{'0' * 64}`" in text
    assert "215,370 parameters" in text
    assert "temperature 1.5000" in text
    assert "| steps | None |" in text
    assert "| python | 3.11.0 |" in text


def test_a_model_of_the_fallback_data_says_so_and_another_does_not(manifest: Manifest) -> None:
    assert "because MNIST could not be had" in card.render(with_data(manifest, fallback=True))
    assert "could not be had" not in card.render(manifest)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("two\nlines", "two lines"),
        ("two\r\nlines", "two lines"),
        ("<script>", "&lt;script>"),
        (0.1 + 0.2, "0.3"),
        (1e-8, "1e-08"),
        (True, "True"),
        (None, "None"),
    ],
)
def test_a_value_is_shown_on_one_line_in_one_cell(
    manifest: Manifest, value: object, shown: str
) -> None:
    text = card.render(msgspec.structs.replace(manifest, numbers={"n|ame": value}))
    assert f"| n\\|ame | {shown} |\n" in text


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=20), min_size=1, max_size=4))
def test_any_text_leaves_a_table_of_two_cells_a_row(values: dict[str, str]) -> None:
    header, rule, *rows = card._table(dict(values)).splitlines()
    assert (header, rule) == ("| | |", "|---|---|")
    assert [len(cells(row)) for row in rows] == [2] * len(values)


def test_names_of_data_and_classes_start_no_new_line(manifest: Manifest) -> None:
    hostile = msgspec.structs.replace(
        with_data(manifest, name="my\n# Data"), class_names=["a\n\n# Numbers", "<b>"]
    )
    text = card.render(hostile)
    assert "on my # Data\n" in text
    assert "2 classes: a # Numbers, &lt;b>." in text

"""classification.py: an answer for each picture, in order, errors in place, memory bounded."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepmnist import classification, images
from deepmnist.classification import Answer, classify, classify_rows
from deepmnist.data.dataset import Dataset
from deepmnist.images import meets_contract


def image_of(answer: int) -> NDArray[np.uint8]:
    """An image that meets the input contract, so keeps its pixels, and that the fake reads so."""
    image = np.zeros((28, 28), np.uint8)
    image[5:24, 8:21] = 250
    image[14, 14] = 250 - (int(image.sum(dtype=np.int64)) - answer) % 10
    assert meets_contract(image)
    return image


def png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def batches_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classification, "BATCH", 4)


def labels(answers: list[Answer]) -> list[str | None]:
    return [answer.prediction.label if answer.prediction else None for answer in answers]


@pytest.mark.usefixtures("batches_of_four")
def test_answers_come_in_the_order_given(fake_predictor: Any) -> None:
    wanted = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
    sources = [(f"{place}.png", png(image_of(digit))) for place, digit in enumerate(wanted)]
    answers = list(classify(fake_predictor, sources))
    assert [answer.path for answer in answers] == [name for name, _ in sources]
    assert labels(answers) == [str(digit) for digit in wanted]
    assert all(answer.error is None for answer in answers)


@pytest.mark.usefixtures("batches_of_four")
def test_errors_stand_in_their_place_and_the_others_are_still_answered(
    fake_predictor: Any, tmp_path: Path
) -> None:
    (tmp_path / "seven.png").write_bytes(png(image_of(7)))
    sources = [
        ("torn.png", png(image_of(1))[:60]),
        (str(tmp_path / "seven.png"), None),
        (str(tmp_path / "none.png"), None),
        ("text.png", b"no picture"),
        ("empty.png", b""),
        ("two.png", png(image_of(2))),
    ]
    answers = list(classify(fake_predictor, sources))
    assert labels(answers) == [None, "7", None, None, None, "2"]
    for answer in answers:
        assert (answer.error is None) == (answer.prediction is not None)
        assert answer.error is None or answer.path in answer.error


@pytest.mark.usefixtures("batches_of_four")
def test_a_batch_of_errors_alone_does_not_run_the_model(fake_predictor: Any) -> None:
    answers = list(classify(fake_predictor, [("a", b"no"), ("b", b"no")]))
    assert labels(answers) == [None, None]
    assert fake_predictor.chunks == []


@pytest.mark.usefixtures("batches_of_four")
def test_the_model_runs_on_batches_of_bounded_size(fake_predictor: Any) -> None:
    list(classify(fake_predictor, [("a", png(image_of(0)))] * 10))
    assert fake_predictor.chunks == [4, 4, 2]


@pytest.mark.usefixtures("batches_of_four")
def test_no_more_pictures_are_taken_than_a_batch_before_it_is_answered(
    fake_predictor: Any,
) -> None:
    taken = []

    def endless() -> Iterator[tuple[str, bytes]]:
        content = png(image_of(8))
        while True:
            taken.append(1)
            yield "a", content

    answers = classify(fake_predictor, endless())
    assert labels([next(answers) for _ in range(4)]) == ["8"] * 4
    assert len(taken) == 4


def test_each_core_prepares_a_picture_of_its_own_and_the_order_is_kept(
    fake_predictor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_at_work, at_work, most = threading.Barrier(2), [], []
    prepare = images.prepare

    def counted(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        at_work.append(1)
        most.append(len(at_work))
        both_at_work.wait(timeout=10)  # breaks where one waits for the other to be done
        at_work.pop()
        return prepare(picture)

    monkeypatch.setattr(classification, "usable_cores", lambda: 2)
    monkeypatch.setattr(images, "prepare", counted)
    sources = [(str(digit), png(image_of(digit))) for digit in (7, 1, 5, 2)]
    assert labels(list(classify(fake_predictor, sources))) == ["7", "1", "5", "2"]
    assert max(most) == 2


def test_no_sources_have_no_answers(fake_predictor: Any) -> None:
    assert list(classify(fake_predictor, [])) == []
    assert fake_predictor.chunks == []


def test_a_picture_of_dark_ink_on_light_paper_is_brought_to_the_contract(
    fake_predictor: Any,
) -> None:
    (answer,) = classify(fake_predictor, [("a", png(255 - image_of(6)))])
    assert answer.prediction is not None
    assert answer.prediction.label == "6"


@pytest.mark.usefixtures("batches_of_four")
def test_rows_of_a_data_set_are_answered_in_order_and_numbered_from_one(
    fake_predictor: Any, tiny: Dataset
) -> None:
    ten = tiny.take(slice(0, 10))
    answers = list(classify_rows(fake_predictor, ten))
    assert [answer.path for answer in answers] == [f"tiny#{row}" for row in range(1, 11)]
    assert labels(answers) == [str(i) for i in fake_predictor.answers(ten.images)]
    assert fake_predictor.chunks == [4, 4, 2]

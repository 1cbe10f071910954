"""many.py: ONNX Runtime answers long work, and only where it answers as LiteRT does."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
import onnx
import pytest

from deepmnist import bundle
from deepmnist.cluster.scoring import Scorer, model_of
from deepmnist.prediction import LiteRTPredictor, litert, many, runners, translation

IMAGES = np.random.default_rng(0).integers(0, 256, (101, 28, 28)).astype(np.uint8)
RUNTIME = bundle.load(bundle.SHIPPED).runtime.read_bytes()
NAMES = tuple("0123456789")


def predictor(onnx: bool | None = None) -> LiteRTPredictor:
    return LiteRTPredictor(RUNTIME, NAMES, cores=2, onnx=onnx)


def runtimes(made: LiteRTPredictor) -> set[str]:
    """Which runtimes share many images out."""
    return {type(each).__name__ for each in itertools.chain(*made._sharers.values())}


def test_work_is_long_by_images_and_by_the_model() -> None:
    assert many.is_long(200_000, bytes(1_000_000))
    assert not many.is_long(199_999, bytes(1_000_000))


@pytest.mark.parametrize("share", [litert.SHARE, litert.LARGE_SHARE])
def test_what_is_decided_to_be_onnx_runtime_s_is_its_and_answered_alike(
    share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "MANY", 1 if share == litert.LARGE_SHARE else len(IMAGES))
    few, many_ = predictor(False), predictor(True)
    wanted, found = few.scores(IMAGES), many_.scores(IMAGES)
    assert (runtimes(few), runtimes(many_)) == ({"_Runner"}, {"_Session"})
    assert [*few._sharers] == [*many_._sharers] == [share]
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=5e-6)
    np.testing.assert_allclose(found.single, wanted.single, rtol=0, atol=5e-6)


@pytest.fixture
def threads_given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads ONNX Runtime is made with, each time that it is."""
    given: list[int] = []
    made = many.runners

    def noted(runtime: bytes, size: int, classes: int, count: int, each: int, held_to: Any) -> Any:
        given.append(each)
        return made(runtime, size, classes, count, each, held_to)

    monkeypatch.setattr(many, "runners", noted)
    return given


def test_who_asks_for_one_image_again_and_again_may_be_answered_by_it(
    threads_given: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "AGAIN", 20)
    monkeypatch.setattr(runners, "ROUNDS", 1)
    made, job = predictor(), predictor(False)
    before = 2 * runners.TURN + 20 + 2 * runners.TURN
    for turn in range(before + runners.TURN):
        assert threads_given == ([] if turn < before else [2])
        image = IMAGES[turn : turn + 1]
        found, wanted = made.scores(image), job.scores(image)
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=5e-6)
        np.testing.assert_allclose(found.single, wanted.single, rtol=0, atol=5e-6)


@pytest.mark.parametrize("onnx", [False, True])
def test_in_a_job_what_is_sooner_decides_no_answer(
    onnx: bool, threads_given: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "AGAIN", 20)
    monkeypatch.setattr(runners, "ROUNDS", 1)
    made = predictor(onnx)
    answers = [made.predict_proba(IMAGES[:1]) for _ in range(5 * runners.TURN + 20)]
    assert {answer.tobytes() for answer in answers} == {answers[0].tobytes()}
    assert threads_given == []


@pytest.fixture
def sooner(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runtime that takes less time, whatever the clock says."""
    name = ["_Session"]

    def seconds(runner: Any, size: int, classes: int) -> float:
        return 1 if type(runner).__name__ == name[0] else 2

    monkeypatch.setattr(many, "_seconds", seconds)
    monkeypatch.setattr(many, "TRIAL_S", 0)
    return name


@pytest.mark.parametrize("wins", ["_Session", "_Runner"])
def test_a_call_with_many_images_is_answered_by_whichever_is_sooner(
    wins: str, sooner: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sooner[0] = wins
    monkeypatch.setattr(many, "LONG_WORK", 100 * len(RUNTIME))
    made = predictor()
    made.predict_proba(IMAGES[:99])
    assert runtimes(made) == {"_Runner"}
    made.predict_proba(IMAGES)
    assert runtimes(made) == {wins}


def test_a_job_asks_once_which_is_sooner_and_only_of_long_work(
    sooner: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "LONG_WORK", 100 * len(RUNTIME))
    assert litert.onnx_is_sooner(RUNTIME, 10, images=100)
    assert not litert.onnx_is_sooner(RUNTIME, 10, images=99)
    sooner[0] = "_Runner"
    assert not litert.onnx_is_sooner(RUNTIME, 10, images=100)
    sooner[0] = "_Session"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert not litert.onnx_is_sooner(RUNTIME, 10, images=100)


def test_of_two_the_one_with_the_lower_median_is_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([9, 2, 1, 2, 1, 2])  # in turns; a slow first one decides nothing
    monkeypatch.setattr(many, "_seconds", lambda *_: next(took))
    monkeypatch.setattr(many, "TRIAL_S", 0)
    one, other = object(), object()
    assert many.is_sooner(one, other, 64, 10)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_where_onnx_runtime_is_not_installed_litert_answers(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    made = predictor(True)
    np.testing.assert_array_equal(made.predict_proba(IMAGES), predictor().predict_proba(IMAGES))
    assert runtimes(made) == {"_Runner"}


def test_a_translation_that_answers_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    translated = translation.to_onnx

    def bent(runtime: bytes, size: int) -> bytes:
        file = onnx.load_from_string(translated(runtime, size))
        bias = next(each for each in file.graph.initializer if list(each.dims) == [96])
        bias.raw_data = (np.frombuffer(bias.raw_data, np.float32) + 0.1).tobytes()
        return file.SerializeToString()

    monkeypatch.setattr(translation, "to_onnx", bent)
    made = predictor(True)
    np.testing.assert_array_equal(made.predict_proba(IMAGES), predictor().predict_proba(IMAGES))
    assert runtimes(made) == {"_Runner"}
    monkeypatch.setattr(many, "TOLERANCE", 1.0)
    trusting = predictor(True)
    assert np.ptp([each.predict_proba(IMAGES) for each in (made, trusting)], axis=0).max() > 1e-4


def test_a_translation_that_does_not_run_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "to_onnx", lambda runtime, size: b"no ONNX file")
    made = predictor(True)
    np.testing.assert_array_equal(made.predict_proba(IMAGES), predictor().predict_proba(IMAGES))
    assert runtimes(made) == {"_Runner"}


def test_a_job_of_many_images_is_scored_by_it_and_pictures_are_not() -> None:
    scorer = Scorer(model_of(bundle.load(bundle.SHIPPED)), onnx=True)
    for each in (scorer._of_many, scorer._of_few):
        each.predict_proba(IMAGES)
    assert (runtimes(scorer._of_many), runtimes(scorer._of_few)) == ({"_Session"}, {"_Runner"})

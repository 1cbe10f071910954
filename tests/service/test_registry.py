"""registry.py: names and versions, laid out as TF Serving does, replaced only by what is sound."""

from __future__ import annotations

import gc
import shutil
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist import bundle, prediction
from deepmnist.bundle import Bundle
from deepmnist.errors import BundleError, ConfigError
from deepmnist.prediction import LiteRTPredictor, litert, runners
from deepmnist.service import registry
from deepmnist.service.registry import Registry, Source
from tests.conftest import FakePredictor


def copied(bundle_: Bundle, to: Path) -> Path:
    shutil.copytree(bundle_.folder, to)
    return to


def wait_for(met: Callable[[], bool], most_s: float = 10) -> None:
    """A thread that ends does so when it is its turn."""
    end = time.monotonic() + most_s
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_without_models_the_one_that_comes_along_is_called_digits() -> None:
    assert registry.sources([]) == [Source("digits", bundle.SHIPPED)]


def test_a_model_is_named_or_called_digits() -> None:
    found = registry.sources(["a=x/y", "runs/a=b", "z"])
    assert found == [
        Source("a", Path("x/y")),
        Source("digits", Path("runs/a=b")),
        Source("digits", Path("z")),
    ]


@pytest.mark.parametrize("text", ["=x", "a b=x", "a=", "ä=x", "-a=x", "a" * 65 + "=x"])
def test_a_name_that_fits_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give NAME=PATH or PATH"):
        registry.sources([text])


def test_a_folder_of_numbered_bundles_is_its_versions(tmp_path: Path, tiny_bundle) -> None:
    for version in ("1", "12", "3"):
        copied(tiny_bundle, tmp_path / version)
    (tmp_path / "notes").mkdir()
    models = Registry([Source("m", tmp_path)])
    assert models.names == ["m"]
    assert models.versions("m") == [1, 3, 12]
    found = models.find("m")
    assert found is not None
    assert found.version == 12
    third = models.find("m", "3")
    assert third is not None
    assert third.folder == tmp_path / "3"
    assert models.find("m", "2") is None
    assert models.find("m", "x") is None
    assert models.find("n") is None


def test_the_same_name_twice_is_two_versions(tiny_bundle: Bundle) -> None:
    models = Registry([Source("m", tiny_bundle.folder), Source("m", tiny_bundle.folder)])
    assert models.versions("m") == [1, 2]


def test_a_version_given_twice_is_refused(tmp_path: Path, tiny_bundle: Bundle) -> None:
    copied(tiny_bundle, tmp_path / "1")
    with pytest.raises(ConfigError, match=r"is version 1 of 'm', which .* is already"):
        Registry([Source("m", tiny_bundle.folder), Source("m", tmp_path)])


def test_a_bundle_that_is_missing_or_altered_is_refused(tmp_path: Path, tiny_bundle) -> None:
    with pytest.raises(BundleError, match="does not exist"):
        Registry([Source("m", tmp_path / "none")])
    broken = copied(tiny_bundle, tmp_path / "1")
    (broken / bundle.RUNTIME).write_bytes(b"other")
    with pytest.raises(BundleError, match="is altered"):
        Registry([Source("m", tmp_path)])


def test_a_model_that_answers_with_what_is_no_number_is_refused(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(FakePredictor):
        def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
            return super().predict_proba(images) * np.float32(np.nan)

    monkeypatch.setattr(prediction, "open_bundle", lambda *given, **named: Broken())
    with pytest.raises(BundleError, match="answers with what is no number"):
        Registry([Source("m", tiny_bundle.folder)])


def test_a_model_answers(tiny_bundle: Bundle) -> None:
    found = Registry([Source("m", tiny_bundle.folder)]).find("m")
    assert found is not None
    assert found.batcher.predict_proba(np.zeros((2, 28, 28), np.uint8)).shape == (2, 10)


def test_a_new_version_is_found_and_an_old_one_let_go(tmp_path: Path, tiny_bundle) -> None:
    copied(tiny_bundle, tmp_path / "1")
    models = Registry([Source("m", tmp_path)])
    old = models.find("m")
    assert old is not None
    copied(tiny_bundle, tmp_path / "2")
    assert models.reload() == []
    assert models.versions("m") == [1, 2]
    shutil.rmtree(tmp_path / "1")
    assert models.reload() == []
    assert models.versions("m") == [2]
    assert old.batcher.predict_proba(np.zeros((1, 28, 28), np.uint8)).shape == (1, 10)


def test_a_model_that_was_replaced_is_gone_without_the_collector(
    tmp_path: Path, tiny_bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's collector comes by rarely."""
    monkeypatch.setattr(litert, "SPLIT_BYTES", 0)  # as for larger models
    monkeypatch.setattr(litert, "usable_cores", lambda: 2)
    opened: list[weakref.ref[LiteRTPredictor]] = []
    usual = prediction.open_bundle

    def noted(*given: Any, **named: Any) -> LiteRTPredictor:
        predictor = usual(*given, **named)
        opened.append(weakref.ref(predictor))
        return predictor

    monkeypatch.setattr(prediction, "open_bundle", noted)
    models = Registry([Source("m", copied(tiny_bundle, tmp_path / "m"))])
    gc.collect()
    gc.disable()
    try:
        models.reload()
        first, second = opened
        wait_for(lambda: first() is None)
        assert second() is not None
    finally:
        gc.enable()


def test_no_answer_loads_another_runtime(
    tmp_path: Path, tiny_bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "SPLIT_BYTES", 0)
    monkeypatch.setattr(litert.many, "runners", lambda *given, **named: pytest.fail("it loads"))
    monkeypatch.setattr(runners, "AGAIN", 1)
    batcher = Registry([Source("m", tiny_bundle.folder)]).find("m").batcher
    for _ in range(4 * runners.TURN * runners.ROUNDS):
        batcher.scores(np.zeros((1, 28, 28), np.uint8))


def test_what_does_not_load_leaves_the_old_one_serving(tmp_path: Path, tiny_bundle) -> None:
    folder = copied(tiny_bundle, tmp_path / "1")
    models = Registry([Source("m", tmp_path)])
    old = models.find("m", "1")
    (folder / bundle.RUNTIME).write_bytes(b"other")
    copied(tiny_bundle, tmp_path / "2")
    (problem,) = models.reload()
    assert "is altered" in str(problem)
    assert models.find("m", "1") is old
    assert models.versions("m") == [1, 2]


def test_a_source_that_is_gone_leaves_its_models_serving(tmp_path: Path, tiny_bundle) -> None:
    copied(tiny_bundle, tmp_path / "m" / "1")
    models = Registry([Source("m", tmp_path / "m"), Source("n", tiny_bundle.folder)])
    shutil.rmtree(tmp_path / "m")
    (problem,) = models.reload()
    assert "does not exist" in str(problem)
    assert models.versions("m") == [1]
    assert models.versions("n") == [1]


@pytest.mark.parametrize("left", [[], ["notes"]])
def test_all_versions_of_a_source_that_has_none_left_stay(
    tmp_path: Path, tiny_bundle: Bundle, left: list[str]
) -> None:
    for version in ("1", "2", "7"):
        copied(tiny_bundle, tmp_path / "m" / version)
    models = Registry([Source("m", tmp_path / "m"), Source("m", tiny_bundle.folder)])
    assert models.versions("m") == [1, 2, 7, 8]
    shutil.rmtree(tmp_path / "m")
    for name in left:
        (tmp_path / "m" / name).mkdir(parents=True)
    for _ in range(2):
        (problem,) = models.reload()
        assert "bundle.json" in str(problem)
        assert models.versions("m") == [1, 2, 7, 8]


def test_a_name_whose_new_versions_are_all_unsound_keeps_its_old_one(
    tmp_path: Path, tiny_bundle: Bundle
) -> None:
    folder = copied(tiny_bundle, tmp_path / "1")
    models = Registry([Source("m", tmp_path)])
    folder.rename(tmp_path / "2")
    (tmp_path / "2" / bundle.RUNTIME).write_bytes(b"other")
    assert len(models.reload()) == 1
    assert models.versions("m") == [1]


def test_a_path_too_long_is_refused_in_a_line() -> None:
    with pytest.raises(BundleError, match="cannot be looked at"):
        Registry([Source("m", Path("a" * 300))])


def test_predictors_are_served_as_they_are() -> None:
    models = Registry.of({"a": FakePredictor(), "b": FakePredictor()})
    assert models.names == ["a", "b"]
    assert models.versions("a") == [1]

"""A bundle's LiteRT files are made anew of its Keras file, and answer as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from deepmnist import bundle, prediction
from deepmnist.bundle import Bundle
from deepmnist.errors import BundleError
from deepmnist.export import layers, litert, renewal

IMAGES = np.random.default_rng(1).random((5, 28, 28), np.float32)


@pytest.fixture
def copied(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    return bundle.load(tmp_path / "bundle")


def test_files_are_made_anew_layers_among_them_and_all_else_stays(copied: Bundle) -> None:
    answers = prediction.load(copied.folder).predict_proba(IMAGES)
    old = copied.runtime.read_bytes()
    assert copied.layers is None
    renewal.renewed(copied)
    found = bundle.load(copied.folder)
    assert found.layers == copied.folder / "layers.tflite"
    assert found.manifest.files["model.keras"] == copied.manifest.files["model.keras"]
    assert found.manifest.numbers == copied.manifest.numbers
    assert len(found.runtime.read_bytes()) <= len(old)
    np.testing.assert_allclose(
        prediction.load(found.folder).predict_proba(IMAGES), answers, rtol=0, atol=1e-6
    )


def test_what_would_answer_otherwise_is_not_written(
    copied: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = litert.convert
    monkeypatch.setattr(litert, "convert", lambda net, _, classes: made(net, 9.0, classes))
    before = {path: path.read_bytes() for path in copied.folder.iterdir()}
    with pytest.raises(BundleError, match=r"answers otherwise than .* train the model anew"):
        renewal.renewed(copied)
    assert {path: path.read_bytes() for path in copied.folder.iterdir()} == before


def test_a_net_that_has_no_layers_to_show_is_renewed_without(
    copied: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "convert", lambda _: None)
    assert renewal.renewed(copied).layers is None


def test_what_cannot_be_renewed_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"\Aerror: .*nowhere"):
        renewal.main(tmp_path / "nowhere")


def test_the_shipped_model_is_as_it_would_be_made_today() -> None:
    operations = litert.operations(bundle.load(bundle.SHIPPED).runtime.read_bytes())
    assert {"ADD", "MUL"}.isdisjoint(operations)

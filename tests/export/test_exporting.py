"""Exporting: every combination offered is had, named alike, held to the original, whole or not."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from deepmnist import bundle, prediction
from deepmnist.bundle import Bundle
from deepmnist.errors import (
    BundleError,
    ConfigError,
    DataError,
    MissingExtraError,
    ParityError,
    StorageError,
)
from deepmnist.export import evidence, exporting, parity
from deepmnist.export.exporting import FORMATS, export
from deepmnist.prediction import litert

CLASSIFIERS = [
    (name, precision) for name, how in FORMATS.items() for precision in how.precisions["classifier"]
]
READERS = [("litert", "float32"), ("onnx", "float16"), ("saved_model", "float32")]
EVERY = [(*each, "classifier") for each in CLASSIFIERS] + [(*each, "reader") for each in READERS]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize(("format", "precision", "kind"), EVERY)
def test_what_is_offered_is_written_with_its_comparison(exported, format, precision, kind) -> None:
    made = exported(format, precision, kind)
    report = json.loads(made.report.read_text())
    assert report == json.loads(json.dumps(made.parity.to_dict()))
    assert (report["format"], report["precision"], report["kind"]) == (format, precision, kind)
    assert [each["images"] for each in report["comparisons"]] == [
        "digits/train[validation]",
        "golden pictures",
    ]
    assert all(each["n"] >= 5 for each in report["comparisons"])


@pytest.mark.parametrize(("format", "precision", "kind"), EVERY)
def test_a_file_tells_what_it_is(exported, knowing: Bundle, format, precision, kind) -> None:
    made = exported(format, precision, kind)
    _, told = prediction.open_graph(made.path)
    assert told == made.metadata
    assert (told.kind, told.precision, told.dataset) == (kind, precision, "digits")
    assert told.class_names == [*"0123456789"]
    assert told.input_contract == 1
    assert told.temperature == knowing.manifest.temperature
    assert told.rejection == knowing.manifest.rejection
    assert told.source_sha256 == knowing.manifest.files[bundle.WEIGHTS].sha256


@pytest.mark.parametrize(("format", "precision"), CLASSIFIERS)
def test_a_classifier_is_a_predictor_of_any_number_of_images(
    exported, knowing: Bundle, images: np.ndarray, format: str, precision: str
) -> None:
    own = prediction.load(knowing.folder)
    found = prediction.load(exported(format, precision).path)
    assert (found.threshold, tuple(found.coverages)) == (own.threshold, tuple(own.coverages))
    allowed = parity.TOLERANCES[format][precision].difference
    for n in (0, 1, 300):
        for given in (images[:n], (images[:n] / 255).astype(np.float32)):
            expected, scores = own.scores(given), found.scores(given)
            assert scores.probabilities.dtype == np.float32
            np.testing.assert_allclose(scores.probabilities, expected.probabilities, atol=allowed)
            np.testing.assert_allclose(scores.single, expected.single, atol=allowed)


def test_float16_halves_a_file_and_int8_halves_it_again(exported) -> None:
    for name in FORMATS:
        whole = exported(name).bytes
        assert exported(name, "float16").bytes < 0.62 * whole
        if "int8" in FORMATS[name].precisions["classifier"]:
            assert exported(name, "int8").bytes < 0.4 * whole


# --- each format by its own runtime, without any code of ours ------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_litert_has_builtin_operations_only_and_keeps_names(exported, precision: str) -> None:
    file = exported("litert", precision).path.read_bytes()
    litert.check(file, "the export")
    (signature,) = Interpreter(model_content=file).get_signature_list().values()
    assert signature == {"inputs": ["image"], "outputs": ["probabilities", "single"]}


@pytest.mark.parametrize(("precision", "kind"), [("int8", "classifier"), ("float16", "reader")])
def test_onnx_passes_its_checker_and_runs_with_onnx_s_own_operations(exported, precision, kind):
    path = exported("onnx", precision, kind).path
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {each.domain for each in model.opset_import} == {""}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ends = {"image": (7, 28, 28)} if kind == "classifier" else {"picture": (1, 256, 256)}
    dtype = np.float32 if kind == "classifier" else np.uint8
    (taken,) = session.get_inputs()
    probabilities = session.run(["probabilities"], {taken.name: np.zeros(ends[taken.name], dtype)})
    assert probabilities[0].shape == (ends[taken.name][0], 10)


def test_onnx_s_int8_weights_overflow_on_no_processor(exported) -> None:
    held = onnx.load(exported("onnx", "int8").path).graph.initializer
    weights = [
        onnx.numpy_helper.to_array(each)
        for each in held
        if each.data_type == onnx.TensorProto.INT8 and len(each.dims) > 1
    ]
    assert len(weights) == 3  # of two convolutions and the dense layer
    for each in weights:
        assert 60 <= np.abs(each.astype(int)).max() <= 64


def test_saved_model_serves_by_plain_tensorflow(exported) -> None:
    loaded = tf.saved_model.load(str(exported("saved_model").path))
    signature = loaded.signatures["serving_default"]
    answers = signature(image=tf.zeros((7, 28, 28)))
    assert {name: tuple(value.shape) for name, value in answers.items()} == {
        "probabilities": (7, 10),
        "single": (7,),
    }


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("m", {"format": "saved_model", "precision": "int8"}, "float32 and float16; int8 there is"),
        (
            "m.tflite",
            {"format": "litert", "precision": "int8", "kind": "reader"},
            "a reader in lit",
        ),
        ("m.onnx", {"format": "onx"}, "format 'onx': did you mean 'onnx'?"),
        ("m.onnx", {"format": "onnx", "kind": "read"}, "kind 'read': did you mean 'reader'?"),
        ("m.onnx", {"format": "onnx", "precision": "int4"}, "int4 there is for nothing"),
        ("m", {"format": "onnx"}, "--out .*m: for onnx it must end in .onnx"),
        ("m.tflite", {"format": "saved_model"}, "must name a folder"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(tmp_path: Path, out, options, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        export(tmp_path / out, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["onnx", "tf2onnx", "onnxruntime"])
def test_what_onnx_needs_is_named_by_the_extra_that_brings_it_before_a_model_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"exporting to onnx needs the extra 'export'"):
        export(tmp_path / "m.onnx", "onnx", model="none")
    with pytest.raises(BundleError, match="none does not exist"):  # others need none of it
        export(tmp_path / "m.tflite", "litert", model="none")


@pytest.mark.parametrize("there", ["m.onnx", "m.onnx.parity.json"])
def test_nothing_is_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        export(tmp_path / "m.onnx", "onnx")
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize(("format", "name"), [("litert", "m.tflite"), ("saved_model", "m")])
def test_an_export_that_answers_otherwise_leaves_nothing_behind(
    tmp_path: Path, knowing: Bundle, monkeypatch: pytest.MonkeyPatch, format: str, name: str
) -> None:
    monkeypatch.setattr(exporting, "_function", _hotter(exporting._function))
    with pytest.raises(ParityError, match=r"differs from the model by up to .* nothing was"):
        export(tmp_path / "new" / name, format, model=knowing.folder)
    assert [*(tmp_path / "new").iterdir()] == []


def _hotter(make):
    import msgspec

    def function(net, told, half):
        warm = msgspec.structs.replace(told, temperature=told.temperature * 1.01)
        return make(net, warm, half)

    return function


def test_a_model_that_is_no_bundle_is_refused(tmp_path: Path, exported) -> None:
    with pytest.raises(BundleError, match="is a file; a model is a folder"):
        export(tmp_path / "again.onnx", "onnx", model=exported("onnx").path)
    with pytest.raises(BundleError, match=r"holds no bundle\.json"):
        export(tmp_path / "again.onnx", "onnx", model=exported("saved_model").path)


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (["a"], "classifier", "has 1 different names for 1 classes; an exported file names 2 to"),
        (["a", "a"], "classifier", "has 1 different names for 2 classes"),
        (["a", "b" * 101], "classifier", "has a class 'bbb.* of 101 characters; .* 1 to 100 char"),
        (["a", "\x1b[31m"], "classifier", r"has a class '\\x1b\[31m' of 5 characters"),
        (["a", "b"], "reader", "tells 2 classes apart; a reader tells 10"),
        ([*"abcdefghi"], "reader", "tells 9 classes apart; a reader tells 10"),
    ],
)
def test_a_model_that_no_file_can_hold_is_refused_by_its_own_name_before_its_net_is_read(
    knowing: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names, kind, message
) -> None:
    def fill(folder: Path) -> None:
        for path in (knowing.runtime, knowing.weights):
            shutil.copy(path, folder / path.name)

    manifest = msgspec.structs.replace(knowing.manifest, class_names=names)
    told = bundle.save(tmp_path / "bundle", manifest, fill)
    monkeypatch.setattr(exporting.weights, "read", None)
    with pytest.raises(BundleError, match=message) as caught:
        export(tmp_path / "m.tflite", "litert", model=told.folder, kind=kind)
    assert str(caught.value).startswith(f"{told.folder} ")
    assert str(caught.value).isprintable()


def test_without_its_data_a_model_is_held_to_the_embedded_digits_and_that_is_said(
    tmp_path: Path, tiny_bundle: Bundle
) -> None:
    with pytest.warns(UserWarning, match="held to the small embedded digits, and int8 fitted to m"):
        made = export(tmp_path / "m.tflite", "litert", model=tiny_bundle.folder)
    assert [(each.images, each.n) for each in made.parity.comparisons] == [
        ("embedded digits", 1000),
        ("golden pictures", 90),
    ]


@pytest.mark.parametrize(
    ("said", "held_out"), [(0.2, 0.2), (None, None), ("all", None), (7.0, None)]
)
def test_an_export_is_held_to_what_the_model_had_held_out(
    knowing: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any, held_out: Any
) -> None:
    config = {**knowing.manifest.config, "validation_share": said}

    def fill(folder: Path) -> None:
        for path in (knowing.runtime, knowing.weights):
            shutil.copy(path, folder / path.name)

    manifest = msgspec.structs.replace(knowing.manifest, config=config)
    told = bundle.save(tmp_path / "bundle", manifest, fill)
    asked = []

    def gathered(*_: Any, validation_share: Any) -> Any:
        asked.append(validation_share)
        raise DataError("enough is known")

    monkeypatch.setattr(evidence, "gathered", gathered)
    with pytest.raises(DataError, match="enough is known"):
        export(tmp_path / "m.tflite", "litert", model=told.folder)
    assert asked == [held_out]

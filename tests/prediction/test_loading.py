"""One door to every model: what lies at a path decides, and what is none is refused in a line."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path

import pytest

from deepmnist import prediction
from deepmnist.bundle import Bundle
from deepmnist.errors import BundleError, MissingExtraError

ENDINGS = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}


@pytest.mark.parametrize("format", ENDINGS)
def test_a_reader_is_no_classifier_and_that_is_said(exported, format: str) -> None:
    path = exported(format, "float16" if format == "onnx" else "float32", "reader").path
    with pytest.raises(BundleError, match=r"is a reader: .* export one with --kind classifier"):
        prediction.load(path)
    assert prediction.open_graph(path)[1].kind == "reader"


def test_what_a_model_was_trained_on_is_told(exported, knowing: Bundle) -> None:
    for path in (knowing.folder, exported("litert").path):
        opened = prediction.opened(path)
        assert (opened.dataset, opened.path) == ("digits", path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.tflite", b"", "is no ONNX file|does not say what it is"),
        ("m.tflite", b"\0\0\0\0TFL3", "is damaged|does not say"),
        ("m.tflite", b"\xff\xff\xff\x7fTFL3" + bytes(64), "is damaged"),
        ("m.tflite", b"\x1c\0\0\0TFL3" + b"\xff" * 600, "is damaged|does not say"),
        ("m.onnx", b"not an ONNX file at all", "m.onnx is no ONNX file"),
        ("m.onnx", b"", "does not say what it is"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=message) as caught:
        prediction.load(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format", ["litert", "onnx"])
def test_a_file_cut_short_is_refused(exported, tmp_path: Path, format: str) -> None:
    content = exported(format).path.read_bytes()
    path = tmp_path / f"m{ENDINGS[format]}"
    for cut in (8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(BundleError):
            prediction.load(path)


def test_a_litert_file_of_somebody_else_is_refused(knowing: Bundle, tmp_path: Path) -> None:
    shutil.copy(knowing.runtime, tmp_path / "theirs.tflite")
    with pytest.raises(BundleError, match=r"theirs\.tflite does not say what it is"):
        prediction.load(tmp_path / "theirs.tflite")


def test_a_file_too_large_is_refused_before_it_is_read(
    exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepmnist.bundle.MAX_FILE_BYTES", 1_000)
    for format in ("litert", "onnx"):
        with pytest.raises(BundleError, match="larger than 1,000 bytes"):
            prediction.load(exported(format).path)


@pytest.mark.parametrize(
    ("format", "missing", "named"),
    [
        ("onnx", "onnxruntime", "an ONNX file"),
        ("onnx", "onnx", "an ONNX file"),
        ("saved_model", "tensorflow", "a SavedModel"),
    ],
)
def test_a_missing_runtime_is_named_by_the_extra_that_brings_it(
    exported, monkeypatch: pytest.MonkeyPatch, format: str, missing: str, named: str
) -> None:
    path, plain = exported(format).path, builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(name)
        return plain(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=rf"{named}.*pip install 'deepmnist\[export\]'"):
        prediction.load(path)

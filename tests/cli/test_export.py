"""deepmnist export as a user meets it: the table, the JSON, one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from deepmnist import bundle, metadata
from deepmnist.bundle import Bundle
from deepmnist.cli import export
from deepmnist.errors import FetchError
from deepmnist.export.exporting import FORMATS
from deepmnist.page import runtime


def test_an_export_is_told_as_a_table_and_can_be_evaluated(deepmnist, knowing: Bundle) -> None:
    status, output, errors = deepmnist(
        *("export", "--model", knowing.folder, "--format", "onnx", "--precision", "float16"),
        *("--out", "m.onnx"),
    )
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0].split() == [
        "compared",
        "on",
        "images",
        "same",
        "answer",
        "largest",
        "difference",
    ]
    assert lines[1].startswith("digits/train[validation] ")
    assert lines[3].split() == ["allowed", "99.50%", "1.00e-02"]
    assert lines[4] == f"m.onnx: {Path('m.onnx').stat().st_size:,} bytes"
    assert lines[5] == "Compared in: m.onnx.parity.json"
    status, output, _ = deepmnist("evaluate", "--model", "m.onnx")
    assert status == 0
    assert output.startswith("m.onnx on digits/test: 359 images")


def test_json_is_what_lies_beside_the_file(deepmnist, knowing: Bundle) -> None:
    options = ("--model", knowing.folder, "--format", "litert", "--out", "m.tflite", "--json")
    status, output, _ = deepmnist("export", *options)
    assert status == 0
    assert json.loads(output) == json.loads(Path("m.tflite.parity.json").read_text())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--format", "saved_model", "--precision", "int8", "--out", "m"],
            "cannot be had in 'int8'",
        ),
        (["--format", "litert", "--out", "m"], "for litert it must end in .tflite"),
        (["--format", "litert", "--out", "m.tflite", "--model", "none"], "none does not exist"),
        (["--format", "litert", "--out", "."], "is there already"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(deepmnist, options, message) -> None:
    status, output, errors = deepmnist("export", *options)
    assert (status, output) == (2, "")
    assert errors.count("\n") == 1
    assert errors.startswith("error: ")
    assert message in errors
    assert [*Path().iterdir()] == []


def test_the_options_are_what_there_is() -> None:
    assert {*export.ExportFormat} == {*FORMATS, "web"}
    assert {*export.Precision} == {*get_args(metadata.Precision)}
    assert {*export.Kind} == {*get_args(metadata.Kind)}


def test_web_is_the_page_with_the_bundle_that_is_named(deepmnist, monkeypatch, knowing) -> None:
    monkeypatch.setattr(runtime, "fetch", lambda: None)
    status, output, errors = deepmnist(
        "export", "--model", knowing.folder, "--format", "web", "--out", "site"
    )
    assert (status, errors) == (0, "")
    assert output == "site: try it with python -m http.server --directory site\n"
    assert Path("site/index.html").is_file()
    assert Path("site", bundle.RUNTIME).read_bytes() == knowing.runtime.read_bytes()


def test_web_without_what_runs_it_is_one_line_and_leaves_nothing(deepmnist, monkeypatch) -> None:
    def fetch() -> None:
        raise FetchError("cannot fetch the runtime: no network")

    monkeypatch.setattr(runtime, "fetch", fetch)
    status, _, errors = deepmnist("export", "--format", "web", "--out", "site")
    assert (status, errors) == (2, "error: cannot fetch the runtime: no network\n")
    assert not Path("site").exists()


@pytest.mark.parametrize(
    "option", [("--precision", "float16"), ("--kind", "reader"), ("--data-dir", "."), ("--json",)]
)
def test_web_is_not_converted_or_compared_and_takes_no_option_for_that(deepmnist, option) -> None:
    status, output, errors = deepmnist("export", "--format", "web", *option, "--out", "site")
    assert (status, output) == (2, "")
    assert "leave --precision, --kind, --data-dir and --json out" in errors
    assert not Path("site").exists()


def test_help_offers_no_exported_file_to_export_again(deepmnist) -> None:
    status, output, _ = deepmnist("export", "--help")
    assert status == 0
    assert "Bundle or run folder;" in output
    assert "exported file" not in output

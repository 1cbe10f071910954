"""docs/deploy.md quotes names, shapes, figures and commands: each is held to a real export."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from deepmnist import canvas, prediction
from deepmnist.export import evidence, exporting, golden, parity
from deepmnist.prediction import graphs, saved_model

PAGE = (Path(__file__).parents[1] / "docs" / "deploy.md").read_text()


def table(head: str) -> list[list[str]]:
    """The rows of the table whose head begins so."""
    lines = PAGE[PAGE.index(f"| {head}") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def block(language: str, number: int = 0) -> str:
    """The code of that language, or of none, in the page's order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [code for name, code in found if name == language][number]


def test_the_page_sends_each_kind_where_it_is_run() -> None:
    """A reader given to a command is refused with a word of this page (prediction/loading.py)."""
    (told,) = (each for each in PAGE.split("\n\n") if "as\n`--model`" in each)
    assert "take a classifier" in told
    assert f"deepmnist.prediction.{prediction.open_graph.__name__}" in told


@pytest.mark.parametrize("format", exporting.FORMATS)
@pytest.mark.parametrize("kind", ["classifier", "reader"])
def test_ends_are_those_of_the_page(exported, format: str, kind: str) -> None:
    told = {"in": {}, "out": {}}
    for row_kind, end, name, dtype, shape in table("kind | end"):
        if row_kind == kind:
            sizes = re.findall(r"\w+", shape)
            told[end][name] = dtype, tuple(None if size == "n" else int(size) for size in sizes)
    precision = "float16" if (format, kind) == ("onnx", "reader") else "float32"
    made = exported(format, precision, kind)
    assert (told["in"], told["out"]) == graphs.ends(made.metadata)  # which opening it holds it to


def test_combinations_are_those_of_the_page() -> None:
    told = {
        name: {"classifier": tuple(classifier.split(", ")), "reader": tuple(reader.split(", "))}
        for name, classifier, reader in table("format | classifier")
    }
    assert told == {name: how.precisions for name, how in exporting.FORMATS.items()}


def test_tolerances_are_those_of_the_page() -> None:
    told = {name: (difference, same) for name, difference, same in table("precision | largest")}
    for tolerances in parity.TOLERANCES.values():
        for precision, each in tolerances.items():
            assert told[precision] == (f"{each.difference:g}", f"{each.same:g}")


def test_numbers_of_images_are_those_of_the_page() -> None:
    text = " ".join(PAGE.split())
    assert f"on {evidence.IMAGES:,} validation images" in text
    assert f"(a reader on {parity.READER_IMAGES} of them" in text
    assert f"{len(golden.pictures())} golden pictures" in text


def test_every_command_of_the_page_is_one_that_can_be_typed(tmp_path: Path) -> None:
    commands = [shlex.split(line) for line in block("", 0).splitlines()]
    assert len(commands) == 4
    for command in commands:
        assert command[:2] == ["deepmnist", "export"]
        options = dict(zip(command[2::2], command[3::2], strict=True))
        exporting.checked(
            tmp_path / options["--out"],
            options["--format"],
            options.get("--precision", "float32"),
            options.get("--kind", "classifier"),
        )


def test_android_s_steps_read_a_picture(exported) -> None:
    """The same signature, by the names that the Kotlin has."""
    kotlin = block("kotlin")
    named = set(re.findall(r'"(\w+)" to', kotlin))
    run = Interpreter(
        model_path=str(exported("litert", "float32", "reader").path)
    ).get_signature_runner()
    assert named <= {*run.get_input_details(), *run.get_output_details()}
    (size,) = re.findall(r"allocateDirect\((\d+ \* \d+)\)", kotlin)
    height, width = map(int, size.split(" * "))
    answers = run(picture=np.full((1, height, width), 200, np.uint8))
    assert answers["probabilities"].shape == (1, 10)
    assert answers["accepted"].dtype == np.bool_


def test_ios_s_steps_find_the_probabilities_by_shape(exported) -> None:
    assert "$0.shape.dimensions == [1, 10]" in block("swift")
    interpreter = Interpreter(model_path=str(exported("litert", "float32", "reader").path))
    interpreter.allocate_tensors()
    (picture,) = interpreter.get_input_details()
    interpreter.set_tensor(picture["index"], canvas.of(golden.pictures()["plain-3"])[np.newaxis])
    interpreter.invoke()
    shapes = [tuple(each["shape"]) for each in interpreter.get_output_details()]
    assert shapes.count((1, 10)) == 1


def test_c_plus_plus_s_steps_name_what_the_file_has(exported) -> None:
    code = block("cpp")
    takes, gives = (
        re.findall(r'"(\w+)"', re.findall(rf"{name}\[\] = {{(.*)}}", code)[0])
        for name in ("takes", "gives")
    )
    session = onnxruntime.InferenceSession(exported("onnx").path)
    answers = session.run(gives, {takes[0]: np.zeros((1, 28, 28), np.float32)})
    assert [answer.shape for answer in answers] == [(1, 10), (1,)]


def test_what_is_sent_to_tensorflow_serving_is_what_its_signature_takes(exported) -> None:
    request = json.loads(block("json"))
    loaded = tf.saved_model.load(str(exported("saved_model").path))
    assert request["signature_name"] == saved_model.SIGNATURE
    signature = loaded.signatures[request["signature_name"]]
    images = {name: tf.zeros((2, 28, 28)) for name in request["inputs"]}
    assert signature(**images)["probabilities"].shape == (2, 10)
    command, config = block("", 1), block("", 2)
    (mounted,) = re.findall(r'"\$PWD/(\w+):/models"', command)
    (base,) = re.findall(r'base_path: "/models/(\w+)"', config)
    assert f"--out {mounted}/{base}/1" in block("", 0)
    assert f"/v1/models/{base}:predict" in command

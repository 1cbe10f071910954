"""prediction.py: any number of images, any allowed dtype, the same answers; the rest is refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import flatbuffers
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmnist import bundle, prediction, rejection
from deepmnist.bundle import Bundle
from deepmnist.data.dataset import DIGITS, Dataset
from deepmnist.errors import BundleError, DataError
from deepmnist.prediction import LiteRTPredictor, litert, predictions
from deepmnist.rejection import Scores


@pytest.fixture(scope="module")
def predictor(tiny_bundle: Bundle) -> LiteRTPredictor:
    return prediction.load(tiny_bundle.folder)


@pytest.fixture(scope="module")
def many() -> NDArray[np.uint8]:
    """600 images, no two alike."""
    return np.random.default_rng(1).integers(0, 256, (600, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def one_by_one(predictor: LiteRTPredictor, many: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([predictor.predict_proba(image[None]) for image in many])


# --- answers ------------------------------------------------------------------------------------


def test_probabilities_are_float32_one_row_an_image_and_sum_to_one(
    predictor: LiteRTPredictor, tiny: Dataset
) -> None:
    probabilities = predictor.predict_proba(tiny.images)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (60, 10))
    assert (probabilities >= 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    assert probabilities.std(axis=0).min() > 1e-4  # or the tests below would compare constants


@given(st.integers(0, 600))
@settings(max_examples=25, deadline=None)
def test_any_number_of_images_is_answered_as_one_by_one(
    predictor: LiteRTPredictor,
    many: NDArray[np.uint8],
    one_by_one: NDArray[np.float32],
    n: int,
) -> None:
    probabilities = predictor.predict_proba(many[:n])
    assert probabilities.shape == (n, 10)
    np.testing.assert_allclose(probabilities, one_by_one[:n], rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 31, 32, 33, 40, 63, 64, 65, 95, 96, 600])
def test_the_borders_of_the_batch_sizes_lose_no_row(
    predictor: LiteRTPredictor, many: NDArray[np.uint8], one_by_one: NDArray[np.float32], n: int
) -> None:
    found = predictor.predict_proba(many[len(many) - n :])
    np.testing.assert_allclose(found, one_by_one[len(many) - n :], rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [63, 64, 65, 128, 192, 600])
def test_where_there_are_many_larger_shares_lose_no_row_either(
    tiny_bundle: Bundle,
    many: NDArray[np.uint8],
    one_by_one: NDArray[np.float32],
    threads_given: list[tuple[int, int]],
    n: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "MANY", 64)  # images for each of three cores
    found = prediction.load(tiny_bundle.folder).predict_proba(many[:n])
    np.testing.assert_allclose(found, one_by_one[:n], rtol=0, atol=1e-6)
    assert ((litert.LARGE_SHARE, 1) in threads_given) == (n >= 192)
    assert ((litert.SHARE, 1) in threads_given) == (n < 192)


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_any_number_of_cores_gives_the_same_answers(
    tiny_bundle: Bundle,
    many: NDArray[np.uint8],
    one_by_one: NDArray[np.float32],
    cores: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "usable_cores", lambda: cores)
    predictor = prediction.load(tiny_bundle.folder)
    for n in (20, 70, 200):  # fewer shares than cores, then more
        found = predictor.predict_proba(many[:n])
        np.testing.assert_allclose(found, one_by_one[:n], rtol=0, atol=1e-6)


def test_a_core_held_up_loses_no_image_and_repeats_none(
    tiny_bundle: Bundle,
    many: NDArray[np.uint8],
    one_by_one: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "usable_cores", lambda: 2)
    predictor = prediction.load(tiny_bundle.folder)
    predictor.predict_proba(many[:64])  # both cores have their interpreter
    answered, answer = [], litert._Runner.answer

    def held_up(runner: Any, *work: Any) -> None:
        answered.append(runner)
        time.sleep(0.05 if runner is answered[0] else 0.001)
        answer(runner, *work)

    monkeypatch.setattr(litert._Runner, "answer", held_up)
    found = predictor.predict_proba(many[:320])
    np.testing.assert_allclose(found, one_by_one[:320], rtol=0, atol=1e-6)
    assert len(answered) == 10
    assert 1 <= answered.count(answered[0]) < 5


@pytest.fixture
def threads_given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(images, threads) of every interpreter made from here on, on three cores."""
    given: list[tuple[int, int]] = []
    make = litert._Runner.__init__

    def noted(runner: Any, runtime: bytes, size: int, classes: int, threads: int) -> None:
        given.append((size, threads))
        make(runner, runtime, size, classes, threads)

    monkeypatch.setattr(litert, "usable_cores", lambda: 3)
    monkeypatch.setattr(litert._Runner, "__init__", noted)
    return given


def test_all_cores_are_tried_for_a_few_images_where_the_work_may_be_worth_it(
    tiny_bundle: Bundle,
    many: NDArray[np.uint8],
    one_by_one: NDArray[np.float32],
    threads_given: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "SPLIT_BYTES", 0)
    made = prediction.load(tiny_bundle.folder)
    for first in range(100):
        found = made.predict_proba(many[first : first + 9])
        np.testing.assert_allclose(found, one_by_one[first : first + 9], rtol=0, atol=1e-6)
    assert threads_given == [(8, 1), (1, 1), (8, 3), (1, 3)]


def test_a_single_answer_makes_a_single_interpreter(
    tiny_bundle: Bundle,
    many: NDArray[np.uint8],
    threads_given: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "SPLIT_BYTES", 0)
    prediction.load(tiny_bundle.folder).predict_proba(many[:1])
    assert threads_given == [(1, 1)]


def test_too_little_work_to_split_is_one_cores(
    tiny_bundle: Bundle,
    many: NDArray[np.uint8],
    threads_given: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "SPLIT_BYTES", 2**40)
    made = prediction.load(tiny_bundle.folder)
    for _ in range(100):
        made.predict_proba(many[: 32 + 8 + 1])
    assert threads_given == [(32, 1), (8, 1), (1, 1)]


@pytest.mark.parametrize("n", [1, 32, 320])
def test_a_fault_on_any_core_is_raised(
    predictor: LiteRTPredictor,
    many: NDArray[np.uint8],
    n: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(litert._Runner, "answer", fail)
    with pytest.raises(MemoryError, match="no room"):
        predictor.predict_proba(many[:n])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_and_floats_of_the_same_image_agree(
    predictor: LiteRTPredictor, many: NDArray[np.uint8], dtype: type
) -> None:
    floats = (many[:40] / 255).astype(dtype)
    expected = predictor.predict_proba(many[:40])
    np.testing.assert_allclose(predictor.predict_proba(floats), expected, rtol=0, atol=1e-6)


def test_half_floats_of_nothing_and_full_ink_are_exact(predictor: LiteRTPredictor) -> None:
    levels = np.array([0, 255], np.uint8).repeat(784).reshape(2, 28, 28)
    halves = (levels / 255).astype(np.float16)
    assert np.array_equal(predictor.predict_proba(halves), predictor.predict_proba(levels))


@pytest.mark.parametrize(
    "view",
    [
        lambda images: images[::2],
        lambda images: images[:, ::-1],
        lambda images: images.transpose(0, 2, 1),
        np.asfortranarray,
        lambda images: np.frombuffer(images.tobytes(), np.uint8).reshape(images.shape),
    ],
    ids=["strided", "upside down", "transposed", "fortran", "read-only"],
)
def test_how_an_array_lies_in_memory_changes_nothing(
    predictor: LiteRTPredictor, many: NDArray[np.uint8], view: Any
) -> None:
    seen = view(many[:20])
    expected = predictor.predict_proba(np.ascontiguousarray(seen))
    assert np.array_equal(predictor.predict_proba(seen), expected)


def test_images_are_left_as_they_were(predictor: LiteRTPredictor, many: NDArray[np.uint8]) -> None:
    floats = (many[:20] / 255).astype(np.float32)
    before = floats.copy()
    predictor.predict_proba(floats)
    assert np.array_equal(floats, before)


@pytest.mark.parametrize("n", [1, 8, 32, 100])
def test_an_answer_is_the_caller_s_own_array(
    predictor: LiteRTPredictor, many: NDArray[np.uint8], n: int
) -> None:
    first = predictor.predict_proba(many[:n])
    kept = first.copy()
    predictor.predict_proba(many[n : 2 * n])
    assert np.array_equal(first, kept)


def test_predict_is_the_most_probable_class(predictor: LiteRTPredictor, tiny: Dataset) -> None:
    classes = predictor.predict(tiny.images)
    assert (classes.dtype, classes.shape) == (np.int64, (60,))
    assert np.array_equal(classes, predictor.predict_proba(tiny.images).argmax(axis=1))
    assert predictor.class_names == DIGITS


def test_no_images_have_no_answers(predictor: LiteRTPredictor) -> None:
    none = np.empty((0, 28, 28), np.float32)
    assert predictor.predict_proba(none).shape == (0, 10)
    assert predictor.predict(none).shape == (0,)


# --- records ------------------------------------------------------------------------------------


def scored(rows: Any, single: Any = None) -> Scores:
    probabilities = np.asarray(rows, np.float32)
    ones = np.ones(len(probabilities), np.float32)
    return Scores(probabilities, ones if single is None else np.asarray(single, np.float32))


def test_an_answer_is_accepted_from_the_threshold_on_and_else_says_why_not() -> None:
    rows = scored([[0.98, 0.02], [0.75, 0.25], [0.98, 0.02], [0.98, 0.02]], [1, 1, 0.1, 0])
    sure, unsure, other, nothing = predictions(rows, ("no", "yes"), 0.9)
    assert (sure.accepted, sure.reason) == (True, None)
    assert (unsure.accepted, unsure.reason) == (False, "unsure between no and yes")
    assert (other.accepted, other.reason) == (False, "not a digit, perhaps")
    assert (nothing.accepted, nothing.reason) == (False, "nothing in the picture")
    assert other.confidence == pytest.approx(0.098)
    assert other.probability == pytest.approx(0.98)


def test_an_answer_lists_the_first_three_most_probable_first() -> None:
    (answer,) = predictions(scored([[0.1, 0.6, 0.0, 0.3]]), ("a", "b", "c", "d"))
    assert answer.label == "b"
    assert answer.probability == pytest.approx(0.6)
    assert [label for label, _ in answer.top] == ["b", "d", "a"]
    assert [value for _, value in answer.top] == pytest.approx([0.6, 0.3, 0.1])


def test_ties_keep_the_order_of_the_classes() -> None:
    rows = np.array([[0.25, 0.25, 0.25, 0.25], [0.1, 0.4, 0.1, 0.4]], np.float32)
    found = predictions(scored(rows), ("a", "b", "c", "d"))
    assert [[label for label, _ in answer.top] for answer in found] == [
        ["a", "b", "c"],
        ["b", "d", "a"],
    ]
    assert [answer.label for answer in found] == ["abcd"[i] for i in rows.argmax(axis=1)]


def test_ties_of_many_classes_keep_their_order_too() -> None:
    """Which NumPy's default sort does not see to."""
    rows = np.random.default_rng(0).integers(1, 3, (20, 100)).astype(np.float32) / 100
    found = predictions(scored(rows), [str(i) for i in range(100)])
    for row, answer in zip(rows, found, strict=True):
        first = np.flatnonzero(row == row.max())[:3]
        assert [int(label) for label, _ in answer.top] == first.tolist()


def test_fewer_classes_than_three_are_all_listed() -> None:
    (answer,) = predictions(scored([[0.25, 0.75]], [0.9]), ("no", "yes"), 0.6)
    assert answer.top == (("yes", 0.75), ("no", 0.25))


def test_no_probabilities_are_no_answers() -> None:
    assert predictions(Scores(np.empty((0, 10), np.float32), np.empty(0, np.float32)), DIGITS) == []


# --- what is no digit ---------------------------------------------------------------------------


def knowing(digit_bundle: Bundle, folder: Path) -> Path:
    """A bundle of a net with an eleventh logit, and thresholds in its manifest."""
    from deepmnist import model, recipes
    from deepmnist.export import litert

    net = model.build(recipes.configure("fast"), len(DIGITS) + 1)
    generator = np.random.default_rng(0)
    net.set_weights([generator.normal(0, 0.1, weight.shape) for weight in net.get_weights()])
    record = bundle.RejectionRecord(0.7, [(0.9, 0.8), (0.99, 0.7)])
    runtime = litert.convert(net, 1.0, len(DIGITS))
    return forge(digit_bundle, folder, runtime, rejection=record)


def test_a_model_that_knows_what_is_no_digit_says_so_of_each_image(
    tiny_bundle: Bundle, many: NDArray[np.uint8], tmp_path: Path
) -> None:
    predictor = prediction.load(knowing(tiny_bundle, tmp_path / "b"))
    found = predictor.scores(many[:105])
    assert np.ptp(found.single) > 0.01
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(105), abs=1e-5)
    alone = [predictor.scores(image[None]).single[0] for image in many[:105]]
    assert found.single == pytest.approx(alone, abs=1e-6)


def test_thresholds_come_with_the_model(tiny_bundle: Bundle, tmp_path: Path) -> None:
    predictor = prediction.load(knowing(tiny_bundle, tmp_path / "b"))
    assert rejection.threshold(predictor) == 0.7
    assert rejection.threshold(predictor, 0.9) == pytest.approx(0.8)


def test_a_model_that_does_not_know_takes_every_image_for_a_digit(
    predictor: LiteRTPredictor, many: NDArray[np.uint8]
) -> None:
    assert predictor.scores(many[:40]).single.tolist() == [1.0] * 40


# --- refused images -----------------------------------------------------------------------------


def full(shape: tuple[int, ...], value: float, dtype: type = np.float32) -> NDArray[Any]:
    return np.full(shape, value, dtype)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (full((28, 28), 0), "images have shape (28, 28); they must be (n, 28, 28)"),
        (full((2, 28, 28, 1), 0), "images have shape (2, 28, 28, 1); they must be (n, 28, 28)"),
        (full((2, 784), 0), "images have shape (2, 784); they must be (n, 28, 28)"),
        (full((2, 27, 28), 0), "images have shape (2, 27, 28); they must be (n, 28, 28)"),
        (full((0, 28), 0), "images have shape (0, 28)"),
        (full((), 0), "images have shape ()"),
        (full((1, 28, 28), 0, np.int64), "images are int64; give uint8 in 0..255 or float in 0..1"),
        (full((1, 28, 28), 0, np.int8), "images are int8;"),
        (full((1, 28, 28), 0, np.bool_), "images are bool;"),
        (full((1, 28, 28), 0, np.complex64), "images are complex64;"),
        (full((1, 28, 28), 0, np.object_), "images are object;"),
        (full((1, 28, 28), 255), "float images lie in 255..255; they must lie in 0..1 (0 paper"),
        (full((1, 28, 28), -0.5), "float images lie in -0.5..-0.5; they must lie in 0..1"),
        (full((1, 28, 28), np.nan), "float images lie in nan..nan; they must lie in 0..1"),
        (full((1, 28, 28), np.inf), "float images lie in inf..inf; they must lie in 0..1"),
        ([[0.0]], "images are a list; give a NumPy array (n, 28, 28)"),
        ("digit.png", "images are a str; give a NumPy array (n, 28, 28)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_images_of_another_kind_are_refused_with_what_is_allowed(
    predictor: LiteRTPredictor, images: Any, message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        predictor.predict_proba(images)
    with pytest.raises(DataError, match=re.escape(message)):
        predictor.predict(images)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-3, 1.001])
def test_a_single_bad_pixel_is_refused(predictor: LiteRTPredictor, value: float) -> None:
    images = np.zeros((300, 28, 28), np.float32)
    images[299, 27, 27] = value
    with pytest.raises(DataError, match=r"they must lie in 0\.\.1"):
        predictor.predict_proba(images)


# --- refused models -----------------------------------------------------------------------------


def forge(original: Bundle, folder: Path, runtime: bytes, **values: Any) -> Path:
    """A bundle whose manifest agrees with a runtime file of any bytes."""

    def fill(unfinished: Path) -> None:
        (unfinished / bundle.RUNTIME).write_bytes(runtime)
        (unfinished / bundle.WEIGHTS).write_bytes(b"")

    bundle.save(folder, msgspec.structs.replace(original.manifest, **values), fill)
    return folder


def garbage(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(5_000)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda runtime: b"",
        lambda runtime: b"\0",
        lambda runtime: runtime[:8],
        lambda runtime: runtime[: len(runtime) // 2],
        lambda runtime: runtime[:-1],
        lambda runtime: b"PK\3\4" + runtime,
        lambda runtime: garbage(0),
        lambda runtime: runtime[:8] + garbage(1),
        lambda runtime: runtime[:64] + bytes(len(runtime) - 64),
        lambda runtime: hashlib.sha256(runtime).digest(),
    ],
)
def test_bytes_that_are_no_model_are_a_bundle_error_and_the_process_lives(
    tiny_bundle: Bundle, tmp_path: Path, spoil: Any
) -> None:
    forged = forge(tiny_bundle, tmp_path / "b", spoil(tiny_bundle.runtime.read_bytes()))
    message = "the model (cannot be run by LiteRT: |holds 0 graphs)"
    for n in (1, 100):
        with pytest.raises(BundleError, match=message):
            prediction.load(forged).predict_proba(np.zeros((n, 28, 28), np.uint8))


def test_a_model_of_another_number_of_classes_than_named_is_refused(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    forged = forge(
        tiny_bundle, tmp_path / "b", tiny_bundle.runtime.read_bytes(), class_names=["a", "b", "c"]
    )
    with pytest.raises(BundleError, match=r"gives float32 \(1, 10\); with 3 class names it must"):
        prediction.load(forged).predict_proba(np.zeros((1, 28, 28), np.uint8))


def with_operation(runtime: bytes, name: str, subgraphs: int = 1) -> bytes:
    """A .tflite file whose first operator is another, and which has more graphs."""
    from ai_edge_litert import schema_py_generated as schema

    from deepmnist.export import flatbuffer

    model = flatbuffer._unpacked(runtime)
    code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    model.subgraphs *= subgraphs
    return flatbuffer._packed(model)


@pytest.mark.parametrize(
    ("operation", "subgraphs", "message"),
    [
        ("WHILE", 1, "holds the operation WHILE; an export is one graph of arithmetic alone"),
        ("CUSTOM", 1, "holds the operation CUSTOM;"),
        ("STABLEHLO_WHILE", 1, "holds the operation STABLEHLO_WHILE;"),
        ("RESHAPE", 2, "holds 2 graphs;"),
    ],
)
def test_what_is_not_one_graph_of_arithmetic_is_refused_before_it_is_run(
    exported, tiny_bundle: Bundle, tmp_path: Path, operation: str, subgraphs: int, message: str
) -> None:
    runtime = with_operation(tiny_bundle.runtime.read_bytes(), operation, subgraphs)
    forged = forge(tiny_bundle, tmp_path / "b", runtime)
    with pytest.raises(BundleError, match=f"the model {message}"):
        prediction.load(forged)
    alone = tmp_path / "m.tflite"
    alone.write_bytes(with_operation(exported("litert").path.read_bytes(), operation, subgraphs))
    with pytest.raises(BundleError, match=rf"m\.tflite {message}"):
        prediction.load(alone)


def with_list_of_nothing(vector: str, entries: int) -> bytes:
    """A .tflite file of zeros that claims a list of so many tables."""
    from ai_edge_litert import schema_py_generated as schema

    builder = flatbuffers.Builder()
    claimed = builder.CreateNumpyVector(np.zeros(entries, np.int32))
    schema.ModelStart(builder)
    getattr(schema, f"ModelAdd{vector}")(builder, claimed)
    builder.Finish(schema.ModelEnd(builder), litert.MAGIC)
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("vector", "what", "read"),
    [
        ("OperatorCodes", "operations", lambda path: litert.check(path.read_bytes(), str(path))),
        ("Metadata", "metadata", prediction.load),
    ],
    ids=["operations", "metadata"],
)
@pytest.mark.parametrize("entries", [litert.MOST_LISTED + 1, 2_000_000])
def test_a_list_longer_than_any_export_has_is_refused_before_it_is_read(
    tmp_path: Path, vector: str, what: str, read: Any, entries: int
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(with_list_of_nothing(vector, entries))
    message = rf"m\.tflite lists {entries:,} {what}; at most 1,000 are read: use a file that"
    with pytest.raises(BundleError, match=message):
        read(path)


class Failing:
    """An interpreter whose arithmetic fails, as a GATHER past the end of its table does."""

    def invoke(self) -> None:
        raise RuntimeError("gather index out of bounds")


def test_arithmetic_that_fails_is_a_bundle_error(tiny_bundle: Bundle, monkeypatch) -> None:
    runner = litert._Runner(tiny_bundle.runtime.read_bytes(), 1, 10, threads=1)
    monkeypatch.setattr(runner, "interpreter", Failing())
    into = scored(np.zeros((1, 10)))
    with pytest.raises(BundleError, match="cannot be run by LiteRT: gather index out of bounds"):
        runner.answer(np.zeros((1, 28, 28), np.uint8), into, slice(0, 1))


def test_an_altered_runtime_is_refused_before_it_is_run(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    forged = forge(tiny_bundle, tmp_path / "b", tiny_bundle.runtime.read_bytes())
    data = bytearray((forged / bundle.RUNTIME).read_bytes())
    data[len(data) // 2] ^= 1
    (forged / bundle.RUNTIME).write_bytes(data)
    with pytest.raises(BundleError, match=r"model\.tflite is altered"):
        prediction.load(forged)


def test_load_of_no_bundle_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no bundle\.json; give a folder that"):
        prediction.load(tmp_path)


def test_a_model_says_nothing_on_stderr(tiny_bundle: Bundle) -> None:
    """LiteRT speaks once in a process, so this takes one of its own."""
    program = (
        "import sys, numpy, deepmnist\n"
        "deepmnist.load(sys.argv[1]).predict(numpy.zeros((17, 28, 28), numpy.uint8))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny_bundle.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""The lessons in examples/ run, say what they promise, and start without TensorFlow's notes."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LESSONS = ("1_computation_graphs.py", "2_the_net_piece_by_piece.py", "3_training.py")
START_UP_NOTES = ("oneDNN", "InitializeLog", "cpu_feature_guard")
TIMEOUT_S = 120


Run = Callable[[str], subprocess.CompletedProcess[str]]
Printed = Callable[[str], str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a lesson as a reader would, on data that needs no network, and briefly; each once."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("the lessons train: they need the extra 'train'")
    finished: dict[str, subprocess.CompletedProcess[str]] = {}

    def run_once(lesson: str) -> subprocess.CompletedProcess[str]:
        if lesson not in finished:
            finished[lesson] = start(lesson, tmp_path_factory.mktemp("lesson"))
        return finished[lesson]

    return run_once


@pytest.fixture(scope="module")
def printed(run: Run) -> Printed:
    """What a lesson printed, once it is known to have ended well."""

    def standard_output(lesson: str) -> str:
        assert run(lesson).returncode == 0, run(lesson).stderr
        return run(lesson).stdout

    return standard_output


def start(lesson: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One lesson in a process of its own, with `folder` to write its runs into."""
    unset = {"DEEPMNIST_DATA_DIR", "TF_CPP_MIN_LOG_LEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, EXAMPLES / lesson],
        env={**environment, "LESSON_DATASET": "digits", "LESSON_STEPS": "20"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_every_lesson_is_run_here() -> None:
    assert tuple(sorted(path.name for path in EXAMPLES.glob("[0-9]*.py"))) == LESSONS


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_named_in_the_index(lesson: str) -> None:
    assert f"({lesson})" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_opens_as_cells(lesson: str) -> None:
    assert (EXAMPLES / lesson).read_text().count("\n# %% ") >= 5


@pytest.mark.parametrize("lesson", LESSONS[:2])
def test_a_lesson_prints_nothing_to_standard_error(run: Run, printed: Printed, lesson: str) -> None:
    printed(lesson)
    assert run(lesson).stderr == ""


def test_the_training_lesson_starts_without_tensorflows_notes(run: Run, printed: Printed) -> None:
    printed(LESSONS[2])  # its progress may go to standard error; TensorFlow's notes may not
    assert not [note for note in START_UP_NOTES if note in run(LESSONS[2]).stderr]


@pytest.mark.parametrize(
    "line",
    [
        "at 42: 1864.0",
        "at  3: 109.0",
        "traced: 1 time, called twice",
        "dy/dx: 84.0",
        "product: [14. 32. 50.]",
        "matrix doubled: [ 28.  64. 100.]",
        "three Python numbers: 3 traces",
        "three tensors more:   4 traces in all",
    ],
)
def test_the_graphs_compute_what_the_tutorial_says(printed: Printed, line: str) -> None:
    assert line in printed(LESSONS[0]).splitlines()


def test_the_graph_is_listed_operation_by_operation(printed: Printed) -> None:
    operations = re.findall(r"^  (\w+) +\S+ +<- ", printed(LESSONS[0]), re.MULTILINE)
    assert operations[:5] == ["Placeholder", "Mul", "Const", "AddV2", "Identity"]


def test_a_saved_graph_gives_the_same_numbers_in_a_process_without_its_program(
    printed: Printed,
) -> None:
    told = printed(LESSONS[0]).partition("another process says:\n")[2]
    assert told.splitlines() == [
        "  polynomial(42):     1864.0",
        "  product([1, 2, 3]): [14. 32. 50.]",
    ]


@pytest.mark.parametrize(
    ("stage", "shape", "parameters"),
    [
        ("conv1", "(None, 28, 28, 32)", "832"),
        ("pool1", "(None, 14, 14, 32)", "0"),
        ("conv2", "(None, 14, 14, 64)", "51,264"),
        ("pool2", "(None, 7, 7, 64)", "0"),
        ("flat", "(None, 3136)", "0"),
        ("dense", "(None, 1024)", "3,212,288"),
        ("dropout", "(None, 1024)", "0"),
        ("logits", "(None, 10)", "10,250"),
    ],
)
def test_a_stage_of_the_net_has_the_tutorials_shape(
    printed: Printed, stage: str, shape: str, parameters: str
) -> None:
    row = rf"^  {stage} +{re.escape(shape)} +{parameters} parameters$"
    assert re.search(row, printed(LESSONS[1]), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "parameters in all: 3,274,634",
        "training:   values 0 and 2, mean 1.00",
        "evaluating: unchanged",
        "from the logits:     200",
        "ReLU of the third layer: 1024 outputs for 10 classes",
        "gradient of the fourth layer's weights: None",
        "gradient for the true class, plain logits: -0.961",
        "gradient for the true class, behind ReLU: 0.000",
        "largest move of a weight: 0.000100",
    ],
)
def test_the_net_behaves_as_the_lesson_says(printed: Printed, line: str) -> None:
    assert line in printed(LESSONS[1]).splitlines()


def test_the_weights_are_cut_at_two_standard_deviations(printed: Printed) -> None:
    found = re.search(
        r"standard deviation (\S+), largest (\S+)$", printed(LESSONS[1]), re.MULTILINE
    )
    assert found is not None
    assert float(found[1]) == pytest.approx(
        0.08796, abs=0.001
    )  # of a normal cut at 2 sd, times 0.1
    assert float(found[2]) <= 0.2


def test_a_convolution_by_hand_gives_what_keras_gives(printed: Printed) -> None:
    found = re.search(r"^at \(14, 12\): (\S+), by hand: (\S+)$", printed(LESSONS[1]), re.MULTILINE)
    assert found is not None
    assert float(found[1]) == pytest.approx(float(found[2]), abs=1e-3)


def test_a_step_of_adam_by_hand_gives_what_keras_gives(printed: Printed) -> None:
    assert "by hand and Keras' Adam agree: yes" in printed(LESSONS[1])


def test_one_step_lowers_the_loss_on_its_own_images(printed: Printed) -> None:
    found = re.search(r"before and after: (\S+) -> (\S+)$", printed(LESSONS[1]), re.MULTILINE)
    assert found is not None
    assert float(found[2]) < float(found[1])


@pytest.mark.parametrize("recipe", ["tutorial", "fast"])
def test_a_recipe_is_trained_and_counted_over_the_whole_test_set(
    printed: Printed, recipe: str
) -> None:
    row = rf"^{recipe} +(\S+)% \((\d+) of (\d+)\) in \S+ s$"
    found = re.search(row, printed(LESSONS[2]), re.MULTILINE)
    assert found is not None
    assert float(found[1]) == pytest.approx(100 * int(found[2]) / int(found[3]), abs=0.01)


def test_a_trained_model_answers_alike_in_a_process_without_tensorflow(printed: Printed) -> None:
    answers = re.findall(r"^answer: ((?:\d ?){10})$", printed(LESSONS[2]), re.MULTILINE)
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert printed(LESSONS[2]).splitlines()[-1] == "TensorFlow loaded: False"

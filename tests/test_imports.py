"""The public names are a page, and getting at them loads nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import deepmnist
from deepmnist import cli
from deepmnist.bundle import Bundle

TRAINING_ONLY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib", "pyarrow")
ONE_DNN = "TF_ENABLE_ONEDNN_OPTS"
HEAVY = (*TRAINING_ONLY, "cv2", "PIL", "ai_edge_litert")


def loaded(program: str, *arguments: str) -> tuple[set[str], str]:
    """Top-level packages in sys.modules after `program` in a process of its own; and its stdout."""
    tail = "import sys\nprint('', ' '.join({name.partition('.')[0] for name in sys.modules}))\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\n{tail}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *output, names = done.stdout.splitlines()
    return set(names.split()), "\n".join(output)


def test_the_check_itself_sees_a_loaded_package() -> None:
    names, _ = loaded("import cv2")
    assert "cv2" in names


def test_importing_deepmnist_loads_nothing_heavy() -> None:
    names, _ = loaded("import deepmnist")
    assert names.isdisjoint(HEAVY)
    assert "numpy" not in names


@pytest.mark.parametrize("package", ["deepmnist", "benchmarks"])
@pytest.mark.parametrize(("own", "set_to"), [(None, "1"), ("0", "0")])
def test_tensorflow_is_told_to_use_onednn_unless_its_user_says_otherwise(
    own: str | None, set_to: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ONE_DNN, raising=False)
    if own is not None:
        monkeypatch.setenv(ONE_DNN, own)
    _, output = loaded(f"import {package}, os\nprint(os.environ['{ONE_DNN}'])")
    assert output == set_to


COMMANDS = [each.name for each in (*cli.app.registered_commands, *cli.app.registered_groups)]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    program = (
        "from deepmnist.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code"
    )
    names, output = loaded(program, *command, "--help")
    assert "Usage" in output
    assert names.isdisjoint((*HEAVY, "numpy"))


def test_load_and_predict_load_no_tensorflow(tiny_bundle: Bundle) -> None:
    program = (
        "import sys, numpy, deepmnist\n"
        "model = deepmnist.load(sys.argv[1])\n"
        "print(model.predict(numpy.zeros((3, 28, 28), numpy.uint8)).shape)\n"
        "print(model.predict_proba(numpy.zeros((3, 28, 28), numpy.uint8)).shape)"
    )
    names, output = loaded(program, str(tiny_bundle.folder))
    assert output == "(3,)\n(3, 10)"
    assert names.isdisjoint((*TRAINING_ONLY, "cv2"))


def test_evaluate_loads_no_tensorflow(tiny_bundle: Bundle) -> None:
    program = (
        "import sys, numpy, deepmnist\n"
        "images = numpy.zeros((3, 28, 28), numpy.uint8)\n"
        "dataset = deepmnist.Dataset(images, numpy.zeros(3, numpy.uint8))\n"
        "print(deepmnist.evaluate(deepmnist.load(sys.argv[1]), dataset).n)"
    )
    names, output = loaded(program, str(tiny_bundle.folder))
    assert output == "3"
    assert names.isdisjoint((*TRAINING_ONLY, "cv2"))


# --- the public names ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", deepmnist.__all__)
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    with warnings.catch_warnings():  # `train` loads TensorFlow, which warns of itself
        warnings.simplefilter("ignore")
        value = getattr(deepmnist, name)
    assert value.__name__ == deepmnist._HOMES[name][1]
    documentation = value.__doc__ or ""
    assert documentation.strip()
    assert not documentation.startswith(f"{value.__name__}(")  # what @dataclass makes up


def test_all_is_sorted_and_is_what_the_table_resolves_and_what_type_checkers_see() -> None:
    assert sorted(deepmnist.__all__) == deepmnist.__all__
    assert set(deepmnist.__all__) == set(deepmnist._HOMES)
    tree = ast.parse(Path(deepmnist.__file__).read_text())
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == deepmnist._HOMES


def test_dir_lists_the_public_names_and_no_machinery() -> None:
    assert dir(deepmnist) == sorted([*deepmnist.__all__, "__version__"])


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'deepmnist' has no attribute 'trian'"):
        _ = deepmnist.trian

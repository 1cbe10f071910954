"""deepmnist train among others: who trains with whom is settled before TensorFlow is loaded."""

from __future__ import annotations

import json
import sys

import pytest

from deepmnist import cli
from deepmnist.cli import train

TWO = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}


@pytest.fixture
def deepmnist(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder: (exit status, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train.heavy, "import_module", lambda *given: pytest.fail("too late"))

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["deepmnist", "train", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "error: TF_CONFIG cannot be read: "),
        ("{}", "error: TF_CONFIG cannot be read: Object missing required field `cluster`"),
        (json.dumps({**TWO, "task": {"type": "worker", "index": 2}}), "and the cluster has 2;"),
    ],
)
def test_a_bad_tf_config_is_one_line(deepmnist, monkeypatch, given: str, told: str) -> None:
    monkeypatch.setenv("TF_CONFIG", given)
    status, noted = deepmnist()
    assert status == 2
    assert told in noted
    assert noted.count("\n") == 1


def test_workers_and_tf_config_do_not_go_together(deepmnist, monkeypatch) -> None:
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    status, noted = deepmnist("--workers", 2)
    assert status == 2
    assert noted.startswith("error: --workers 2: TF_CONFIG says already who trains together")


def test_workers_without_ray_names_the_extra(deepmnist, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    status, noted = deepmnist("--workers", 2)
    assert (status, noted.count("\n")) == (2, 1)
    assert "needs the extra 'cluster': pip install 'deepmnist[cluster]'" in noted


@pytest.mark.parametrize("count", [0, -1, "x"])
def test_a_number_of_workers_that_is_none_is_refused(deepmnist, count: object) -> None:
    status, noted = deepmnist("--workers", count)
    assert status == 2
    assert "Invalid value for '--workers'" in noted

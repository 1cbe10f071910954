"""deepmnist serve before it serves: what is missing or out of bounds is told in one line."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

from deepmnist import cli
from deepmnist.service import registry, server
from deepmnist.service.limits import MIB, Limits
from tests.conftest import FakePredictor


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "python_multipart", "prometheus_client"])
def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    monkeypatch.setattr(sys, "argv", ["deepmnist", "serve"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    expected = "error: serving needs the extra 'serve': pip install 'deepmnist[serve]'\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("option", ["--max-body-mib", "--max-megapixels", "--send-timeout"])
def test_a_limit_that_is_no_number_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["deepmnist", "serve", option, "nan"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: {option} is nan; give a finite number\n"


def test_a_body_larger_than_any_memory_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["deepmnist", "serve", "--max-body-mib", "1e303"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "Error: Invalid value for '--max-body-mib': 1e+303 is not in the range" in told


@pytest.mark.parametrize(("mebibytes", "room"), [(16, 256 * MIB), (300, 1200 * MIB)])
def test_a_body_that_is_allowed_has_room_in_memory(
    monkeypatch: pytest.MonkeyPatch, mebibytes: int, room: int
) -> None:
    models = registry.Registry.of({"digits": FakePredictor()})
    run: list[Limits] = []

    def ran(app: Any, listener: Any, models: Any, limits: Limits, *others: Any) -> None:
        run.append(limits)

    monkeypatch.setattr(registry, "Registry", lambda sources: models)
    monkeypatch.setattr(server, "run", ran)
    monkeypatch.setattr(server, "leave", lambda: sys.exit(0))
    options = ["--port", "0", "--max-body-mib", str(mebibytes)]
    monkeypatch.setattr(sys, "argv", ["deepmnist", "serve", *options])
    with pytest.raises(SystemExit):
        cli.main()
    assert [(each.body_bytes, each.bodies_bytes) for each in run] == [(mebibytes * MIB, room)]

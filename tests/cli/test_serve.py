"""deepmnist serve before it serves: what is not installed is told in one line."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from deepmnist import cli


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

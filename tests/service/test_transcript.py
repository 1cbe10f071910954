"""docs/serve.md: what it shows is what happens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import fuzz
from deepmnist.service import examples

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"
TRANSCRIPT = re.search(r"<!-- transcript -->(.*)<!-- /transcript -->", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def address():
    with fuzz.served() as found:
        yield found


def commands() -> list[tuple[str, str]]:
    """Each command of the transcript, and what it is shown to print."""
    assert TRANSCRIPT
    (block,) = re.findall(r"```\n(\$ .*?)```", TRANSCRIPT[1], re.DOTALL)
    lines = block.strip().splitlines()
    assert all(line.startswith("$ ") for line in lines[::2])
    return [(line[2:], shown) for line, shown in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize(("command", "shown"), commands())
def test_curl_prints_what_is_shown(address: str, tmp_path: Path, command: str, shown: str) -> None:
    (tmp_path / "one.png").write_bytes(examples.picture())
    (tmp_path / "columns.json").write_text(json.dumps(examples.INPUTS))
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env={"HOST": address, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pattern = re.escape(shown).replace(r"\.\.\.", r"[0-9.,e-]*?")
    assert re.fullmatch(pattern, done.stdout), done.stdout


def test_tritonclient_s_lines_run(address: str) -> None:
    pytest.importorskip("tritonclient.http")
    assert TRANSCRIPT
    (block,) = re.findall(r"```python\n(.*?)```", TRANSCRIPT[1], re.DOTALL)
    exec(compile(block, "serve.md", "exec"), {"host": address.removeprefix("http://")})

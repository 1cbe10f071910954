"""machine.py: what a measurement says of its machine is there, and of this process."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import numpy as np
import pytest

import deepmnist
from deepmnist import machine


def test_versions_name_python_and_what_decides_a_result() -> None:
    versions = machine.versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert versions["deepmnist"] == deepmnist.__version__
    assert versions["ai-edge-litert"][0].isdigit()


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package-of-ours"))
    assert machine.versions().keys() == {"python", "numpy"}


def test_describe_is_json_and_complete() -> None:
    described = machine.describe()
    assert json.loads(json.dumps(described)) == described
    assert described.keys() == {"processor", "vectors", "cores", "system"}
    assert described["cores"] >= 1
    assert described["processor"]
    assert str(described["system"]).startswith(platform.system())


@pytest.fixture
def cpu_info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Linux tells of its processors; nothing is there yet."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPU_INFO", path)
    return path


@pytest.mark.parametrize(
    ("flags", "vectors"),
    [
        ("fpu sse avx avx2", "AVX2"),
        ("fpu avx2 avx512f", "AVX-512"),
        ("avx512_bf16 avx2 avx512f", "AVX-512 with bfloat16"),
        ("avx2 avx512f avx512_bf16 amx_bf16", "AMX with bfloat16"),
        ("fpu sse", "unknown"),
    ],
)
def test_two_processors_of_one_name_are_told_apart_by_their_vectors(
    flags: str, vectors: str, cpu_info: Path
) -> None:
    core = f"model name\t: AMD EPYC\nflags\t\t: {flags}\n"
    cpu_info.write_text(f"processor\t: 0\n{core}\nprocessor\t: 1\n{core}")
    described = machine.describe()
    assert (described["processor"], described["vectors"]) == ("AMD EPYC", vectors)


def test_the_processor_is_named_even_without_proc(
    cpu_info: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "processor", lambda: "")
    described = machine.describe()
    assert (described["processor"], described["vectors"]) == ("unknown", "unknown")
    assert machine.instructions() == set()


def test_a_machine_is_named_by_what_was_noted_of_it() -> None:
    noted: dict[str, str | int] = {"processor": "Abacus", "cores": 2}
    assert machine.named(noted) == "Abacus, 2 cores"
    assert machine.named({**noted, "vectors": "beads"}) == "Abacus (beads), 2 cores"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows hides it")
def test_peak_memory_is_in_bytes_and_never_falls() -> None:
    before = machine.peak_memory_bytes()
    block = np.ones(200_000_000, np.uint8)
    with_block = machine.peak_memory_bytes()
    del block
    after = machine.peak_memory_bytes()
    assert before is not None
    assert with_block is not None
    assert after is not None
    assert 200_000_000 < with_block < 1e12
    assert before <= with_block <= after


def test_peak_memory_is_unknown_where_the_system_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert machine.peak_memory_bytes() is None

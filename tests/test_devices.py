"""devices.py: TensorFlow is held to its cores, and computes in what the processor is fast in."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from deepmnist import devices, machine

PROGRAM = """
import tensorflow as tf
from deepmnist import devices
from deepmnist.errors import ConfigError
devices.limit_threads(1)
tf.constant(1.0) + 1.0
devices.limit_threads(1)
print(tf.config.threading.get_intra_op_parallelism_threads())
print(tf.config.threading.get_inter_op_parallelism_threads())
try:
    devices.limit_threads(3)
except ConfigError as error:
    print(error)
"""


def test_the_number_of_threads_is_set_once_before_anything_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "1",
        "1",
        "TensorFlow runs in this process already; it cannot be limited to 3 cores now",
    ]


@pytest.mark.parametrize(("asked", "cores"), [("", 5), ("0", 5), ("many", 5), ("3", 3)])
def test_what_a_training_computes_on_counts_the_threads_that_it_is_given(
    asked: str, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", asked)
    monkeypatch.setattr(devices, "usable_cores", lambda: 5)
    found = devices.computes_on()
    assert found.keys() == {"processor", "vectors", "cores"}
    assert found["cores"] == cores


@pytest.mark.parametrize(
    ("flag", "precision"),
    [("avx512_bf16", "mixed_bfloat16"), ("amx_bf16", "mixed_bfloat16"), ("avx512f", "float32")],
)
def test_bfloat16_is_used_where_the_processor_has_it(
    flag: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "instructions", lambda: {"avx2", flag})
    assert devices.resolve_precision("auto") == precision
    assert devices.resolve_precision("float32") == "float32"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What TensorFlow tells of the one GPU that it sees."""
    details: dict[str, Any] = {"device_name": "Abacus 9", "compute_capability": (8, 0)}
    monkeypatch.setattr(devices.tf.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(devices.tf.config.experimental, "get_device_details", lambda gpu: details)
    return details


def test_a_gpu_is_named_with_what_a_training_computes_on(gpu: dict[str, Any]) -> None:
    found = devices.computes_on()
    assert found["gpu"] == "Abacus 9"
    assert machine.named(found).endswith(" cores, Abacus 9")


@pytest.mark.parametrize(
    ("capability", "precision"), [((8, 0), "mixed_bfloat16"), ((7, 5), "float32")]
)
def test_on_a_gpu_its_generation_decides_the_number_format(
    gpu: dict[str, Any], capability: tuple[int, int], precision: str
) -> None:
    gpu["compute_capability"] = capability
    assert devices.resolve_precision("auto") == precision

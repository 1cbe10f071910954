"""What the machine has for training: GPUs, cores, and a number format that is fast on it."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from deepmnist import machine
from deepmnist.errors import ConfigError
from deepmnist.prediction import usable_cores
from deepmnist.recipes import Precision

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # without, float32 is the answer never wrong
BFLOAT16_CAPABILITY = (8, 0)  # CUDA compute capability with bfloat16 matrix units: Ampere


def prepare_gpus() -> list[str]:
    """Names of the GPUs TensorFlow sees, each told to take memory as it needs it, not all of it."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # TensorFlow has run already: its owner's setting stands
            break
    return [gpu.name for gpu in gpus]


def limit_threads(cores: int) -> None:
    """Let TensorFlow use so many cores. ConfigError where it has run already, on another number."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError as error:
        raise ConfigError(
            f"TensorFlow runs in this process already; it cannot be limited to {cores} cores now"
        ) from error


def computes_on() -> dict[str, str | int]:
    """What decides how a step's sums are rounded, as machine.named tells it.

    Its cores are the threads that TensorFlow takes: what it was told, else all it may. A GPU, the
    first that it sees, is named where there is one.
    """
    described = machine.describe()
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    told = tf.config.threading.get_intra_op_parallelism_threads() or (
        int(asked) if asked.isdecimal() else 0
    )
    found = {
        "processor": described["processor"],
        "vectors": described["vectors"],
        "cores": told or usable_cores(),
    }
    if gpus := _gpus():
        found["gpu"] = gpus[0].get("device_name", "GPU")
    return found


def resolve_precision(precision: Precision) -> Precision:
    """A Keras dtype policy: `precision` itself, or for "auto" what this machine is fast in."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if _has_bfloat16() else "float32"


def _has_bfloat16() -> bool:
    if gpus := _gpus():
        return tuple(gpus[0].get("compute_capability", (0, 0))) >= BFLOAT16_CAPABILITY
    return not BFLOAT16_FLAGS.isdisjoint(machine.instructions())


def _gpus() -> list[dict[str, Any]]:
    """What is known of each GPU that TensorFlow sees."""
    seen = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu) for gpu in seen]

"""What a measurement must say of its machine: processor, cores, memory, versions, peak memory."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")  # Linux
VECTORS = (  # what a processor computes with, the most capable first, and the flag that tells
    ("AMX with bfloat16", "amx_bf16"),
    ("AVX-512 with bfloat16", "avx512_bf16"),
    ("AVX-512", "avx512f"),
    ("AVX2", "avx2"),
)
PACKAGES = ("deepmnist", "numpy", "keras", "tensorflow-cpu", "tensorflow", "ai-edge-litert")


def versions() -> dict[str, str]:
    """Installed versions of Python and of the packages that decide a result."""
    # tensorflow-cpu and tensorflow stand in for each other
    return {"python": platform.python_version(), **installed(PACKAGES)}


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those of `packages` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def deciding_versions() -> dict[str, str]:
    """Those installed that decide what a step of training comes to."""
    return deciding(versions())


def deciding(found: Mapping[str, str]) -> dict[str, str]:
    """Those of `found` that decide what a step comes to; TensorFlow has one name here."""
    tensorflow = found.get("tensorflow-cpu", found.get("tensorflow", "none"))
    names = ("deepmnist", "numpy", "keras")
    return {**{name: found.get(name, "none") for name in names}, "tensorflow": tensorflow}


def describe() -> dict[str, str | int]:
    """Processor, its widest vectors, logical cores and operating system."""
    flags = instructions()
    return {
        "processor": _processor(),
        "vectors": next((name for name, flag in VECTORS if flag in flags), "unknown"),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def named(described: Mapping[str, str | int]) -> str:
    """What `describe` told, for people; an older one had not looked at the vectors."""
    vectors = f" ({described['vectors']})" if "vectors" in described else ""
    gpu = f", {described['gpu']}" if "gpu" in described else ""
    return f"{described['processor']}{vectors}, {described['cores']} cores{gpu}"


def instructions() -> set[str]:
    """Flags of what the processor can do, as Linux names them; none where it does not tell."""
    return set(_told("flags").split())


def peak_memory_bytes() -> int | None:
    """The largest resident size of this process so far, bytes; None where the system hides it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1_024  # Linux counts in KiB


def _processor() -> str:
    return _told("model name") or platform.processor() or "unknown"


def _told(key: str) -> str:
    """What Linux says of the first processor; empty where there is no such line."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(key))
    return next(found, "")

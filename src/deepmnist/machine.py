"""What a measurement must say of its machine: processor, cores, memory, versions, peak memory."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

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
    """Those that decide what a step of training comes to; TensorFlow has one name here."""
    found = versions()
    tensorflow = found.get("tensorflow-cpu", found.get("tensorflow", "none"))
    names = ("deepmnist", "numpy", "keras")
    return {**{name: found.get(name, "none") for name in names}, "tensorflow": tensorflow}


def describe() -> dict[str, str | int]:
    """Processor, logical cores and operating system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def peak_memory_bytes() -> int | None:
    """The largest resident size of this process so far, bytes; None where the system hides it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1_024  # Linux counts in KiB


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

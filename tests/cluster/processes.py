"""Ray's processes on this machine, for tests that kill some."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def working(cluster: Any, name: bytes) -> list[int]:
    """Workers of a test's own cluster that run what Ray calls `name` at this moment."""
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # gone meanwhile
            continue
        if parent in raylets and command.startswith(name):
            found.append(int(folder.name))
    return found

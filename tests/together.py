"""Starts processes that train together, each with one thread, on free ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

LIMIT_S = 150  # of a job, on a machine that is busy with others

# What a process does: the command line, but it saves after every chunk, and waits less for others.
COMMAND = """
import os, sys
from deepmnist import cli
from deepmnist.cli import heavy
load = heavy.import_module
def patched(name, *rest):
    module = load(name, *rest)
    if name.endswith("runs"):
        from deepmnist import training
        training.SAVE_EVERY_S = 0.0
        training.CHUNK_S = 0.02
    if name.endswith("distribution"):
        module.JOIN_S = int(os.environ.get("JOIN_S", module.JOIN_S))
    {also}
    return module
heavy.import_module = patched
cli.main()
"""


class Job:
    """`count` processes of one program, numbered from 0; `outputs` once they have ended."""

    def __init__(
        self,
        count: int,
        arguments: list[str],
        folder: Path,
        program: str = COMMAND.format(also=""),
        started: list[int] | None = None,
        **environment: str,
    ) -> None:
        self.addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
        self.processes = {}
        for index in range(count) if started is None else started:
            self.processes[index] = subprocess.Popen(
                [sys.executable, "-c", program, *arguments],
                cwd=folder,
                env={**os.environ, **self._environment(index), **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def _environment(self, index: int) -> dict[str, str]:
        task = {"type": "worker", "index": index}
        roster = {"cluster": {"worker": self.addresses}, "task": task}
        threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
        return {"TF_CONFIG": json.dumps(roster), **threads}

    def ended(self, within_s: float = LIMIT_S) -> dict[int, tuple[int, str, str]]:
        """(status, stdout, stderr) of each process; all are killed where one takes longer."""
        until = time.monotonic() + within_s
        try:
            outputs = {}
            for index, process in self.processes.items():
                shown, noted = process.communicate(timeout=max(1.0, until - time.monotonic()))
                outputs[index] = process.returncode, shown, noted
            return outputs
        finally:
            for process in self.processes.values():
                process.kill()

    def hit(self, index: int, number: int = signal.SIGKILL) -> None:
        """Send one process a signal."""
        self.processes[index].send_signal(number)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Until it is, or a process has ended."""
        until = time.monotonic() + LIMIT_S
        while not true() and time.monotonic() < until:
            if any(process.poll() is not None for process in self.processes.values()):
                return
            time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago, all different."""
    with ExitStack() as open_ones:
        servers = [open_ones.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]

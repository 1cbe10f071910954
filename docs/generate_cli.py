"""Writes docs/cli.md from each command's --help; a test holds the page to what this gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "cli.md"
COMMANDS = [
    "",
    "train",
    "evaluate",
    "predict",
    "read",
    "score",
    "improve",
    "export",
    "serve",
    "sweep",
    "data",
    "data list",
    "data get",
    "data check",
    "data shard",
]
HEADER = """# Command line

Made by `make docs` from `--help`; do not edit. A mistake in what you typed or gave is one line on
stderr, after the usage where an option is unknown, and exit status 2; `predict` and `read` exit
with 1 when some picture could not be read and the rest were answered, while `score` has done its
work when each row is in one of its two tables, and exits with 0; Ctrl-C during `train` saves, says
how to go on, and exits with 130, while a second one ends it at once, to go on from what was saved
before.
"""


def render() -> str:
    """The page."""
    sections = [HEADER]
    for command in COMMANDS:
        title = f"deepmnist {command}".strip()
        sections.append(f"\n## {title}\n\n```\n{_help(command.split())}\n```\n")
    return "".join(sections)


def _help(command: list[str]) -> str:
    program = "import sys; sys.argv[0] = 'deepmnist'; from deepmnist.cli import main; main()"
    environment = {**os.environ, "COLUMNS": "90", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--help"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(render())

"""--model and --coverage: how commands that answer name a model, and how sure it has to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

NEWEST = Path("newest")

Model = Annotated[
    Path | None,
    Option(
        help="Bundle, run folder or exported file; 'newest' is the newest run. "
        "[default: the one that comes along]"
    ),
]
Bundle = Annotated[
    Path | None,
    Option(
        help="Bundle or run folder; 'newest' is the newest run. [default: the one that comes along]"
    ),
]
Coverage = Annotated[
    float | None,
    Option(help="Accept so that this share of digits is accepted. [default: as the model says]"),
]


def path(model: Path | None) -> Path:
    """Where the model lies that --model names."""
    from deepmnist import bundle, runfolder

    if model == NEWEST and not model.exists():
        return runfolder.newest()
    return model or bundle.SHIPPED

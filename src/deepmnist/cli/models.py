"""--model and --coverage: how commands that answer name a model, and how sure it has to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from deepmnist.bundle import Bundle

NEWEST = Path("newest")

Model = Annotated[
    Path | None,
    Option(
        help="Bundle or run folder; 'newest' is the newest run. [default: the one that comes along]"
    ),
]
Coverage = Annotated[
    float | None,
    Option(help="Accept so that this share of digits is accepted. [default: as the model says]"),
]


def opened(model: Path | None) -> Bundle:
    """The bundle that --model names, its files checked."""
    from deepmnist import bundle, runfolder

    if model == NEWEST and not model.exists():
        return bundle.load(runfolder.newest())
    return bundle.load(model or bundle.SHIPPED)

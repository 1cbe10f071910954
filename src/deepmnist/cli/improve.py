"""deepmnist improve."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from deepmnist import recipes
from deepmnist.cli import heavy, models
from deepmnist.cli.models import Bundle
from deepmnist.rounding import percent

if TYPE_CHECKING:
    from deepmnist.improvement import Count, Improved


def improve(
    source: Annotated[
        Path,
        Option(
            "--from",
            help="Pictures in folders 0 to 9 and none, a ZIP of them, or JSON of reads put right.",
        ),
    ],
    out: Annotated[Path, Option(help="New folder for the improved model.")],
    model: Bundle = None,
    data_dir: Annotated[Path | None, Option(help="Folder with one sub-folder a data set.")] = None,
    steps: Annotated[int, Option(help="Updates.")] = recipes.IMPROVING_STEPS,
    seed: Annotated[int, Option(help="Of order, augmentation, pictures.")] = 0,
    accept_loss: Annotated[
        bool,
        Option("--accept-loss", help="Save it even if it lost more than 0.1 points on MNIST."),
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Teach a model from corrected pictures, without forgetting; before and after are measured."""
    from deepmnist import atomic, bundle, corrections, display
    from deepmnist.data import load

    atomic.check_free(out)  # a slip is told before seconds are spent on loading TensorFlow
    base, given = bundle.load(models.path(model)), corrections.read(source)
    mnist = load("mnist", data_dir)
    screen = display.choose()
    screen.message(f"{len(given):,} corrections in {source}")
    improved = heavy.import_module("deepmnist.improvement", "improving a model").improve(
        base,
        given,
        mnist,
        out,
        steps=steps,
        seed=seed,
        accept_loss=accept_loss,
        screen=screen,
    )
    print(json.dumps(_plain(improved), indent=2) if as_json else _table(improved))


# ---- printing -----------------------------------------------------------------------------------

SETS = {
    "test": "MNIST's test images",
    "held_out": "corrections held out",
    "learnt": "corrections learnt",
}


def _plain(improved: Improved) -> dict[str, Any]:
    return {
        "model": str(improved.bundle.folder),
        "before": asdict(improved.before),
        "after": asdict(improved.after),
        "left_out": improved.left_out,
        "train_seconds": round(improved.train_seconds, 3),
    }


def _table(improved: Improved) -> str:
    rows = [f"{'read right':<21} {'images':>7} {'before':>16} {'after':>16}"]
    for name, title in SETS.items():
        before, after = getattr(improved.before, name), getattr(improved.after, name)
        rows.append(f"{title:<21} {before.n:>7,} {_shown(before):>16} {_shown(after):>16}")
    if improved.left_out:
        rows.append(
            f"left out: {improved.left_out:,} corrections that say 'none', which the model "
            "cannot learn"
        )
    return "\n".join([*rows, f"Model: {improved.bundle.folder}"])


def _shown(count: Count) -> str:
    if count.share is None:
        return "-"
    return f"{count.right:,} ({percent(count.share, count.n)})"

"""deepmnist export."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from deepmnist.cli import heavy, models
from deepmnist.cli.models import Bundle

if TYPE_CHECKING:
    from deepmnist.export.exporting import Exported
    from deepmnist.export.parity import Report


class ExportFormat(StrEnum):
    """What a model may be written as."""

    saved_model = "saved_model"
    litert = "litert"
    onnx = "onnx"
    web = "web"


class Precision(StrEnum):
    """How its weights are stored."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"


class Kind(StrEnum):
    """What it takes."""

    classifier = "classifier"
    reader = "reader"


def export(
    output: Annotated[
        ExportFormat, Option("--format", help="web is the page to draw on, a folder of files.")
    ],
    out: Annotated[Path, Option(help="New file or folder.")],
    model: Bundle = None,
    precision: Annotated[
        Precision, Option(help="float16 stores weights in half; int8 computes in 8 bits.")
    ] = Precision.float32,
    kind: Annotated[
        Kind,
        Option(help="classifier takes 28x28 images; reader a picture, and prepares it itself."),
    ] = Kind.classifier,
    data_dir: Annotated[
        Path | None, Option(help="Folder with one sub-folder a data set, to compare on.")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Write a model for other runtimes, and hold it to the original's answers."""
    from deepmnist import atomic
    from deepmnist.errors import ConfigError

    atomic.check_free(out)  # a slip is told before seconds are spent on loading TensorFlow
    if output is ExportFormat.web:
        converted = precision is not Precision.float32 or kind is not Kind.classifier
        if converted or data_dir is not None or as_json:
            raise ConfigError(
                "--format web takes the bundle's own file, float32, brings the preparation beside "
                "it and compares nothing; leave --precision, --kind, --data-dir and --json out"
            )
        _write_page(models.path(model), out)
        return
    exporting = heavy.import_module("deepmnist.export.exporting", "exporting a model", "export")
    exported = exporting.export(
        out,
        output.value,
        model=models.path(model),
        precision=precision.value,
        kind=kind.value,
        data_dir=data_dir,
    )
    print(json.dumps(exported.parity.to_dict(), indent=2) if as_json else _table(exported))


def _write_page(model: Path, out: Path) -> None:
    """The page with the bundle's own file, which no TensorFlow is needed for."""
    from deepmnist import bundle, page
    from deepmnist.page import runtime

    runtime.fetch()  # as files there is no server to answer in its place
    page.write(bundle.load(model), out)
    print(f"{out}: try it with python -m http.server --directory {out}")


# ---- printing -----------------------------------------------------------------------------------


def _table(exported: Exported) -> str:
    report: Report = exported.parity
    allowed = report.tolerance
    rows = [f"{'compared on':<22} {'images':>7} {'same answer':>12} {'largest difference':>19}"]
    rows += [
        f"{each.images:<22} {each.n:>7,} {each.same / each.n:>12.2%} {each.difference:>19.2e}"
        for each in report.comparisons
    ]
    rows.append(f"{'allowed':<22} {'':>7} {allowed.same:>12.2%} {allowed.difference:>19.2e}")
    return "\n".join(
        [*rows, f"{exported.path}: {exported.bytes:,} bytes", f"Compared in: {exported.report}"]
    )

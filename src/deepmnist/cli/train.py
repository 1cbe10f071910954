"""deepmnist train."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from deepmnist import recipes, roster, stopping, teaching
from deepmnist.cli import heavy
from deepmnist.errors import ConfigError
from deepmnist.roster import Roster

if TYPE_CHECKING:
    from deepmnist.cluster.members import AtOnce
    from deepmnist.runfolder import Result

Work = dict[str, Any]  # arguments of runs.resume, with a folder, or else of runs.train


def _setting(text: str) -> Any:
    return Option(help=text, show_default=False)


def train(
    recipe: Annotated[
        str | None, Option(help=f"Named recipe: {', '.join(recipes.RECIPES)}. [default: fast]")
    ] = None,
    dataset: Annotated[
        str | None,
        Option(help="Known name or path. Without it: MNIST, or the embedded digits if it must."),
    ] = None,
    data_dir: Annotated[Path | None, Option(help="Folder with one sub-folder a data set.")] = None,
    out: Annotated[Path | None, Option(help="Folder of the run. [default: runs/...]")] = None,
    resume: Annotated[Path | None, Option(help="Continue the run in this folder.")] = None,
    config: Annotated[Path | None, Option(help="TOML file of configuration.")] = None,
    resize: Annotated[bool, Option("--resize", help="Resize images that are not 28x28.")] = False,
    tensorboard: Annotated[bool, Option("--tensorboard", help="Write event files.")] = False,
    quiet: Annotated[bool, Option("--quiet", help="Say nothing but the result.")] = False,
    workers: Annotated[
        int | None, Option(min=1, help="Share each batch among as many, on Ray.")
    ] = None,
    parallel: Annotated[
        int | None, Option(min=1, help="Members of an ensemble trained at once, on Ray.")
    ] = None,
    cluster: Annotated[
        str | None, Option(help="Ray cluster for --parallel: auto or host:port.")
    ] = None,
    architecture: Annotated[
        str | None, _setting("Network: fast, balanced, accurate, wide, windows, tiny or tutorial.")
    ] = None,
    epochs: Annotated[float | None, _setting("Passes over the training images.")] = None,
    steps: Annotated[int | None, _setting("Updates, instead of epochs.")] = None,
    minimum_steps: Annotated[int | None, _setting("Least updates, for small sets.")] = None,
    batch_size: Annotated[int | None, _setting("Images an update.")] = None,
    optimizer: Annotated[str | None, _setting("adam, or muon for kernels.")] = None,
    learning_rate: Annotated[float | None, _setting("Peak learning rate.")] = None,
    kernel_rate: Annotated[
        float | None, _setting("Muon's rate for kernels, a multiple of the learning rate.")
    ] = None,
    momentum: Annotated[float | None, _setting("Muon's.")] = None,
    schedule: Annotated[str | None, _setting("Learning rate: constant or one_cycle.")] = None,
    warmup: Annotated[float | None, _setting("Share of one_cycle in which it rises.")] = None,
    warmup_batch: Annotated[
        float | None, _setting("Share of a batch that is used while it rises.")
    ] = None,
    beta_1: Annotated[float | None, _setting("Adam's decay of the mean gradient.")] = None,
    beta_2: Annotated[float | None, _setting("Adam's decay of the squared gradient.")] = None,
    epsilon: Annotated[float | None, _setting("Adam's guard against division by zero.")] = None,
    label_smoothing: Annotated[float | None, _setting("Share of a target spread out.")] = None,
    dropout: Annotated[float | None, _setting("Share of dense outputs dropped.")] = None,
    rotation_deg: Annotated[float | None, _setting("Augmentation: +/- degrees.")] = None,
    shift_px: Annotated[float | None, _setting("Augmentation: +/- pixels.")] = None,
    scale: Annotated[float | None, _setting("Augmentation: +/- share of the size.")] = None,
    shear: Annotated[float | None, _setting("Augmentation: +/- share of the height.")] = None,
    members: Annotated[int | None, _setting("Nets to train and average.")] = None,
    views: Annotated[
        int | None, _setting("Views of an image to average: 1, or 5, moved by a pixel.")
    ] = None,
    teacher: Annotated[
        str | None, _setting("Recipe to train first, or a trained model: it shares the targets.")
    ] = None,
    teaching: Annotated[float | None, _setting("Share of a target that is the teacher's.")] = None,
    teacher_temperature: Annotated[float | None, _setting("Divides the teacher's logits.")] = None,
    precision: Annotated[
        str | None, _setting("Number format: auto, float32 or mixed_bfloat16.")
    ] = None,
    validation_share: Annotated[
        float | None, _setting("Share held out for validation, instead of the last 5,000 images.")
    ] = None,
    seed: Annotated[int | None, _setting("Of weights, order, augmentation, dropout.")] = None,
) -> None:
    """Train a recipe, test it once, and leave model, report and figures in a folder."""
    given = {name: value for name, value in locals().items() if name in recipes.FIELDS}
    asked = {name: value for name, value in given.items() if value is not None}
    if config is not None:
        asked = {**recipes.read_toml(config), **asked}
    _check(asked, resume)  # a slip is told before seconds are spent on loading TensorFlow
    if resume is not None:
        flags = {"resize": resize or None, "tensorboard": tensorboard or None}
        _refuse_with_resume(dataset=dataset, data_dir=data_dir, out=out, **flags)
        work: Work = {"folder": resume, **asked}
    else:
        places = {"dataset": dataset, "out": out, "data_dir": data_dir}
        work = {**places, "resize": resize, "tensorboard": tensorboard, **asked}
    if parallel is not None or cluster is not None:
        work["at_once"] = _at_once(parallel, cluster, workers)
    result = _trained({**work, "quiet": quiet}, workers)
    if result is None:
        return  # the chief prints
    print(f"Model: {result.bundle}")
    print(f"Report: {result.report}")
    print(result.summary())


def _at_once(parallel: int | None, cluster: str | None, workers: int | None) -> AtOnce:
    from deepmnist.cluster.members import AtOnce

    if parallel is None:
        raise ConfigError("--cluster is for --parallel; give both, or neither")
    if workers is not None or roster.read() is not None:
        raise ConfigError(
            "--parallel trains members apart from each other, workers train each together; "
            "give one of them"
        )
    return AtOnce(parallel, cluster)


def _trained(work: Work, workers: int | None) -> Result | None:
    """What the run came to, however many share it; None where that is the chief's to tell."""
    together = roster.read()
    if workers is not None:
        if together is not None:
            raise ConfigError(
                f"--workers {workers}: {roster.VARIABLE} says already who trains together; "
                "unset it, or leave --workers out"
            )
        return _on_ray(work, workers)
    if together is not None:
        return _as_one_of(together, work)
    signal.signal(signal.SIGTERM, stopping.interrupt)  # saved and resumable like Ctrl-C
    return _run(heavy.import_module("deepmnist.runs", "training"), work)


def _as_one_of(together: Roster, work: Work) -> Result | None:
    """One worker's part in a training."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a lost worker is told in one line
    runs = heavy.import_module("deepmnist.runs", "training")
    distribution = heavy.import_module("deepmnist.distribution", "training")
    own = together.name(together.index)
    print(f"{own} of {len(together.addresses)}: waiting for the others", file=sys.stderr)
    with distribution.joined(together) as workers:
        result = _run(runs, {**work, "workers": workers})
    return result if together.index == 0 else None


def _on_ray(work: Work, workers: int) -> Result:
    from deepmnist import launcher

    signal.signal(signal.SIGTERM, stopping.interrupt)
    return launcher.train(work, workers)


def _run(runs: ModuleType, work: Work) -> Result:
    train = runs.resume if "folder" in work else runs.train
    return train(**work)


def _check(asked: dict[str, Any], resume: Path | None) -> None:
    config = recipes.configure(**asked)
    if resume is None:  # a run that is resumed has a teacher of its own
        teaching.check(config)


def _refuse_with_resume(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag} cannot be given with --resume: the run has its own")

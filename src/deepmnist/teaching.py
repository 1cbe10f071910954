"""The net that teaches another: found, checked, and made ready to answer inside a step.

Reading it from an untrusted bundle is weights.py's work, training it runs.py's; what the step makes
of its answers is up to steps.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepmnist import bundle, ensemble, recipes, weights
from deepmnist.errors import BundleError, ConfigError, RunError
from deepmnist.recipes import TrainingConfig

if TYPE_CHECKING:
    import keras

    from deepmnist.data import Corpus

READOUT = "logits"  # the layer that stays float32, as in training
UNKNOWN = "unknown"  # the recipe of a teacher whose manifest names none


@dataclass(frozen=True)
class Teacher:
    """A net from image (n, 28, 28) to logits (n, classes), never trained; and what it took."""

    net: keras.Model
    train_seconds: float | None  # None where its manifest does not tell


def check(config: TrainingConfig) -> None:
    """ConfigError unless `config` has no teacher, or one that can be made, or names a path."""
    if config.teacher is None and config.teaching:
        raise ConfigError(
            f"teaching = {config.teaching:g}: there is no teacher to share targets with; "
            "name one with --teacher"
        )
    if config.teacher is not None and not config.teaching:
        raise ConfigError(
            f"teacher = {config.teacher!r}: it would have no share in any target; "
            "give it one with --teaching, above 0"
        )
    if config.teacher is not None and not is_path(config.teacher):
        recipes.teacher(config)


def is_path(name: str) -> bool:
    """Whether a teacher is named by its path: no recipe's name, and there is something there."""
    return name not in recipes.RECIPES and os.path.exists(name)


def find(path: str | Path, class_names: Sequence[str]) -> bundle.Bundle:
    """The bundle, or the run's, at `path`, its files checked. BundleError where it cannot teach."""
    opened = bundle.load(path)
    known = opened.manifest.class_names
    if list(known) != list(class_names):
        raise BundleError(
            f"{opened.folder} tells {listed(known)} and the data holds {listed(class_names)}; "
            "a teacher must know the same classes, in the same order"
        )
    return opened


def find_again(path: str, sha256: str) -> bundle.Bundle:
    """The teacher that a run began with. RunError where it is gone, or another lies there now."""
    if not os.path.exists(path):
        raise RunError(f"the run's teacher, {path}, is gone; say where it is now with --teacher")
    opened = bundle.load(path)
    if identity(opened) != sha256:
        raise RunError(
            f"the run was started with another teacher than {path} holds now; "
            "give the one it had with --teacher, or start a new run with --out"
        )
    return opened


def identity(opened: bundle.Bundle) -> str:
    """SHA-256 of the file that teaches."""
    return opened.manifest.files[bundle.WEIGHTS].sha256


def recipe(opened: bundle.Bundle) -> str:
    """The name of the recipe that made it, as its manifest tells."""
    name = opened.manifest.config.get("recipe")
    return name if isinstance(name, str) else UNKNOWN


def may_know_validation(opened: bundle.Bundle, corpus: Corpus, config: TrainingConfig) -> bool:
    """Whether it was trained on the same data set, but split otherwise.

    Of what one learnt that was improved, a mixture, only the name of the data set tells.
    """
    learnt, origin = opened.manifest.dataset, opened.manifest.origin
    same = learnt.identity == corpus.training_part.identity
    other_split = opened.manifest.config.get("validation_share") != config.validation_share
    return other_split and (same or (origin is not None and learnt.name == corpus.name))


def load(opened: bundle.Bundle, precision: str) -> Teacher:
    """The net of a checked bundle, computing in `precision`, a Keras dtype policy's name.

    A teacher answers in every step: one that averages views would take as many times as long, so
    it is shown the image alone. BundleError where its Keras file is none, could run code, or holds
    another kind of net.
    """
    net = _of_one_view(opened, weights.read(opened, [len(opened.manifest.class_names)]))
    net.trainable = False
    if precision != "float32":
        _compute_in(net, precision)
    seconds = opened.manifest.numbers.get("train_seconds")
    return Teacher(net, float(seconds) if isinstance(seconds, int | float) else None)


def _of_one_view(opened: bundle.Bundle, net: keras.Model) -> keras.Model:
    members = ensemble.members(net)
    for member in members:
        weights.check_shapes(opened, member, [len(opened.manifest.class_names)])
    return ensemble.average(members) if members else net


def _compute_in(net: keras.Model, precision: str) -> None:
    """Let every layer but the readout compute in `precision`; the weights stay float32."""
    import keras

    for layer in net.layers:
        if isinstance(layer, keras.Model):
            _compute_in(layer, precision)
        elif layer.name != READOUT:
            layer.dtype_policy = precision


def listed(class_names: Sequence[str]) -> str:
    """`10 classes (0, 1, 2, ...)`."""
    shown = ", ".join(name if name.isprintable() else "?" for name in class_names[:3])
    more = ", ..." if len(class_names) > 3 else ""
    return f"{len(class_names)} classes ({shown}{more})"

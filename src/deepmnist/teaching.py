"""The net that teaches another: found, checked, and made ready to answer inside a step.

Reading it from an untrusted bundle is weights.py's work, training it runs.py's; what the step makes
of its answers is up to steps.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepmnist import bundle, ensemble, recipes, weights
from deepmnist.errors import BundleError, ConfigError, RunError
from deepmnist.recipes import TrainingConfig

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from deepmnist.data import Corpus

READOUT = "logits"  # the layer that stays float32, as in training
UNKNOWN = "unknown"  # the recipe of a teacher whose manifest names none
MEMBER_STREAM = 2_000_003  # keeps the draw of a member apart from the step's others
VIEW_STREAM = 3_000_003  # and that of a view


@dataclass(frozen=True)
class Teacher:
    """A net that is never trained, and what it took."""

    net: keras.Model  # image (n, 28, 28) to logits (n, classes), of one view
    views: int = 1  # of ensemble.VIEWS, which it averages where it is delivered
    train_seconds: float | None = None  # None where its manifest does not tell

    def answer(self, pixels: tf.Tensor, seed: int, step: tf.Tensor) -> tf.Tensor:
        """Logits (n, classes) of images (n, 28, 28); of an average, one member's of one view.

        Both are drawn anew in every step, as (seed, step) have it. The loss is linear in its
        targets, so that its gradient is that of the whole mean on average, for the time of one.
        """
        seen = self._view(pixels, seed, step)
        answers = [partial(net, seen, training=False) for net in ensemble.members(self.net)]
        if not answers:
            return self.net(seen, training=False)
        return _one_of(answers, seed + MEMBER_STREAM, step)

    def _view(self, pixels: tf.Tensor, seed: int, step: tf.Tensor) -> tf.Tensor:
        if self.views == 1:
            return pixels
        views = [partial(ensemble.view, pixels, number) for number in range(self.views)]
        return _one_of(views, seed + VIEW_STREAM, step)


def _one_of(results: Sequence[Callable[[], tf.Tensor]], seed: int, step: tf.Tensor) -> tf.Tensor:
    """That of one of them, drawn by (seed, step)."""
    import tensorflow as tf

    stream = tf.stack([seed % 2**31, step])
    drawn = tf.random.stateless_uniform((), stream, 0, len(results), tf.int32)
    return tf.switch_case(drawn, results)


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
    if opened.manifest.rejection is not None:
        raise BundleError(
            f"{opened.folder} also tells what is none of its classes, which no student learns; "
            "give a model that deepmnist train made"
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

    BundleError where its Keras file is none, could run code, or holds another kind of net.
    """
    net = _of_one_view(opened, weights.read(opened, [len(opened.manifest.class_names)]))
    net.trainable = False
    if precision != "float32":
        _compute_in(net, precision)
    seconds = opened.manifest.numbers.get("train_seconds")
    took = float(seconds) if isinstance(seconds, int | float) else None
    return Teacher(net, _views(opened), took)


def _of_one_view(opened: bundle.Bundle, net: keras.Model) -> keras.Model:
    members = ensemble.members(net)
    for member in members:
        weights.check_shapes(opened, member, [len(opened.manifest.class_names)])
    return ensemble.average(members) if members else net


def _views(opened: bundle.Bundle) -> int:
    """How many views it averages, as its manifest tells; one where that is no number of views."""
    views = opened.manifest.config.get("views")
    return len(ensemble.VIEWS) if views == len(ensemble.VIEWS) else 1


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

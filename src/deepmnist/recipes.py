"""TrainingConfig and the named recipes: everything that, with the data, decides a run.

A recipe is one frozen value. `configure` starts from a named one, lays a user's own values over it
and checks the sum. Nothing here knows of files, the terminal or TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from deepmnist.errors import ConfigError, nearest

Count = Annotated[int, Meta(ge=1, lt=2**31)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
Precision = Literal["auto", "float32", "mixed_bfloat16"]
Architecture = Literal[
    "tutorial", "fast", "balanced", "accurate", "wide", "windows", "reader", "tiny"
]  # of model.py
Share = Annotated[float, Meta(ge=0, lt=1)]

MEMBER_STRIDE = 30_000_001  # between the seeds of an ensemble's members, wider than a user counts
SHOWN = 60  # characters of a value at fault that a message repeats


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run, complete but for the data. Equal configurations on equal data give equal weights."""

    recipe: str  # the named recipe it started from
    architecture: Architecture
    epochs: Positive = 1.0  # passes over the training images
    steps: Count | None = None  # updates; when given it stands in for epochs
    minimum_steps: Annotated[int, Meta(ge=0, lt=2**31)] = 0  # a small set gets more epochs for it
    batch_size: Annotated[int, Meta(ge=1, le=65_536)]  # images an update
    optimizer: Literal["adam", "muon"] = "adam"  # muon: for kernels, adam for the rest
    learning_rate: Positive  # its peak; with muon, of biases and readout
    kernel_rate: Positive = 10.0  # muon's rate for kernels, as a multiple of learning_rate
    momentum: Share = 0.9  # muon's
    schedule: Literal["constant", "one_cycle"] = "constant"
    warmup: Share = 0.0  # share of the steps in which one_cycle's rate rises
    warmup_batch: Annotated[float, Meta(gt=0, le=1)] = 1.0  # share of batch_size in those steps
    beta_1: Share = 0.9  # Adam's decay of the mean gradient
    beta_2: Share = 0.999  # Adam's decay of the mean squared gradient
    epsilon: Positive = 1e-7  # Adam's guard against division by zero
    label_smoothing: Share = 0.0  # share of each target spread over all classes
    dropout: Share = 0.0  # share of the dense layer's outputs dropped
    rotation_deg: Annotated[float, Meta(ge=0, le=180)] = 0.0  # augmentation: drawn from +/- this
    shift_px: Annotated[float, Meta(ge=0, le=14)] = 0.0  # the same, each axis
    scale: Share = 0.0  # the same, as a share of the size
    shear: Share = 0.0  # the same, as a share of the height
    members: Annotated[int, Meta(ge=1, le=64)] = 1  # nets, each of its own seed, averaged
    views: Literal[1, 5] = 1  # of 5, four are moved by a pixel or so; the finished model averages
    teacher: str | None = None  # the recipe, trained first, that the targets are shared with
    teaching: Annotated[float, Meta(ge=0, le=1)] = 0.0  # share of each target that is the teacher's
    teacher_temperature: Positive = 1.0  # the teacher's logits are divided by it
    precision: Precision = "auto"  # auto: bfloat16 where the machine is fast in it
    validation_share: Annotated[float, Meta(gt=0, lt=1)] | None = None  # None: the last 5,000
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 0  # of weights, order, augmentation, dropout

    @property
    def augments(self) -> bool:
        """Whether any image is changed in training."""
        return any((self.rotation_deg, self.shift_px, self.scale, self.shear))


FIELDS = tuple(field.name for field in fields(TrainingConfig))

# What each reached on MNIST's test set, mean (sd) over n seeds, and its training time, also as a
# share of the tutorial's as published: benchmarks/results/recipes.json, November 2026, two Zen 3
# cores.

# 98.65 % (0.08), n = 3, 181.1 s, 1.10.
# The tutorial, but for its slip in the last layer (model.py): its net, its optimiser, its batches,
# its 5,000 steps, in float32.
TUTORIAL = TrainingConfig(
    recipe="tutorial",
    architecture="tutorial",
    steps=5_000,
    batch_size=50,
    learning_rate=1e-4,
    epsilon=1e-8,
    dropout=0.5,
    precision="float32",
)

# 99.02 % (0.07), n = 10, 0.9 s, 1/177.
FAST = TrainingConfig(
    recipe="fast",
    architecture="fast",
    steps=115,
    batch_size=256,
    optimizer="muon",
    learning_rate=0.01,
    kernel_rate=25.0,
    momentum=0.8,
    beta_2=0.95,
    schedule="one_cycle",
    warmup=0.25,
    warmup_batch=0.25,
    label_smoothing=0.3,
)

# 99.54 % (0.04), n = 10, 19.0 s, 0.11.
BALANCED = TrainingConfig(
    recipe="balanced",
    architecture="balanced",
    epochs=4,
    minimum_steps=400,
    batch_size=256,
    optimizer="muon",
    learning_rate=0.01,
    kernel_rate=10.0,
    beta_2=0.95,
    schedule="one_cycle",
    warmup=0.25,
    label_smoothing=0.1,
    rotation_deg=10.0,
    shift_px=1.0,
    scale=0.1,
    shear=0.1,
)

# 99.69 % (0.03), n = 5, 182.2 s, 1.10.
ACCURATE = replace(
    BALANCED, recipe="accurate", architecture="accurate", epochs=7, shift_px=1.5, members=2
)

# 99.75 % (0.02), n = 3, 1,256.8 s, 7.37.
ENSEMBLE = replace(
    BALANCED,
    recipe="ensemble",
    architecture="wide",
    epochs=10,
    shift_px=1.5,
    members=5,
    views=5,
)

# 99.73 % (0.06), n = 3, 819.5 s, its teacher 1,256.8 s, 4.94, with its teacher 12.51.
DISTILLED = replace(
    BALANCED,
    recipe="distilled",
    architecture="windows",
    epochs=48,
    shift_px=1.5,
    teacher=ENSEMBLE.recipe,
    teaching=1.0,
)

# 99.53 % (0.02), n = 5, 115.4 s, 0.68.
TINY = replace(
    BALANCED,
    recipe="tiny",
    architecture="tiny",
    epochs=15,
    kernel_rate=20.0,
    label_smoothing=0.05,
    rotation_deg=8.0,
    shift_px=1.0,
    scale=0.08,
    views=5,
)

ALL = (FAST, BALANCED, ACCURATE, ENSEMBLE, DISTILLED, TINY, TUTORIAL)
RECIPES = {recipe.recipe: recipe for recipe in ALL}
DEFAULT_RECIPE = FAST.recipe


def configure(recipe: str = DEFAULT_RECIPE, **overrides: Any) -> TrainingConfig:
    """The named recipe with `overrides` laid over it. ConfigError names the field at fault."""
    if not isinstance(recipe, str) or recipe not in RECIPES:  # a file may say anything
        raise ConfigError(f"unknown recipe {_shown(recipe)}; {nearest(str(recipe), RECIPES)}")
    for name in overrides:
        if name not in FIELDS:
            raise ConfigError(f"unknown training option {name!r}; {nearest(name, FIELDS)}")
    if overrides.get("epochs") is not None:
        if overrides.get("steps") is not None:
            raise ConfigError("epochs and steps were both given; give one of them")
        overrides = {"steps": None, "minimum_steps": 0, **overrides}  # what was asked, no more
    return checked({**asdict(RECIPES[recipe]), **overrides})


def member(config: TrainingConfig, index: int) -> TrainingConfig:
    """The run of one net that is member `index` (from 0) of `config`; the first keeps the seed.

    Several views are the finished average's.
    """
    return replace(config, members=1, views=1, seed=(config.seed + index * MEMBER_STRIDE) % 2**31)


def teacher(config: TrainingConfig) -> TrainingConfig:
    """The run that makes the teacher of `config`: same seed, and the same images held out.

    ConfigError where no recipe has the teacher's name, or it would need a teacher itself.
    """
    name = config.teacher or ""
    if name not in RECIPES:
        untaught = [recipe.recipe for recipe in RECIPES.values() if recipe.teacher is None]
        raise ConfigError(
            f"teacher = {_shown(name)}: no recipe and no folder of a model; "
            f"{nearest(name, untaught)}"
        )
    if RECIPES[name].teacher is not None:
        raise ConfigError(
            f"teacher = {name!r}: it is taught itself; name a recipe without a teacher, "
            "or the folder of its trained model"
        )
    return replace(RECIPES[name], seed=config.seed, validation_share=config.validation_share)


IMPROVING_STEPS = 300  # unless told


def improving(trained: TrainingConfig, steps: int, seed: int) -> TrainingConfig:
    """How a model of configuration `trained` goes on learning: as before, augmentation and all,
    but at a low rate, for one cycle of `steps`. ConfigError where a value is out of range."""
    changes = {
        "recipe": "improved",
        "steps": steps,
        "optimizer": "adam",
        "learning_rate": 5e-4,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "warmup_batch": 1.0,
        "members": 1,
        "teacher": None,
        "teaching": 0.0,
        "precision": "auto",
        "seed": seed,
    }
    return checked({**asdict(trained), **changes})


def read_toml(path: Path) -> dict[str, Any]:
    """TrainingConfig's fields from a TOML file. ConfigError where it cannot be read."""
    try:
        values = msgspec.toml.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    return values


def checked(values: Mapping[str, Any]) -> TrainingConfig:
    """TrainingConfig from plain values, every range checked; ConfigError names the field."""
    try:
        return msgspec.convert(values, TrainingConfig)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`")
        if not name:  # of the whole: a field is missing
            raise ConfigError(problem.lower().replace("`", "'")) from error
        raise ConfigError(
            f"{name} = {_shown(values.get(name))}: {_allowed(name, problem)}"
        ) from error


def _allowed(name: str, problem: str) -> str:
    """What a field may be: its choices where it has some, else the range msgspec names."""
    kind = get_type_hints(TrainingConfig)[name]
    if get_origin(kind) is Literal:
        return f"must be one of {', '.join(map(str, get_args(kind)))}"
    return problem.lower().replace("`", "").replace(" | null", "")


def _shown(value: Any) -> str:
    """A value in a message; one too long to be meant is cut, a number beyond all print named."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def difference(old: TrainingConfig, new: TrainingConfig) -> str:
    """What differs between two configurations, for people; empty where nothing does."""
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in FIELDS)
    return ", ".join(f"{name} {was!r} -> {now!r}" for name, was, now in pairs if was != now)

"""What a sweep may try: `NAME=SPEC` as the command line has it, parsed, checked, and said again.

A SPEC is `a..b` (any value between, whole numbers where the field takes those), `log:a..b` (the
same, evenly by factors), `a,b,c` (one of these) or one value (the same in all trials). Every value
that could be drawn lies between ends which TrainingConfig takes, so no trial fails on its
configuration. Nothing here draws: that is search.py's business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args, get_type_hints

from deepmnist import recipes, teaching
from deepmnist.errors import ConfigError, nearest
from deepmnist.recipes import FIELDS, TrainingConfig

Value = int | float | str
Values = dict[str, Value]

SPECS = "give a..b, log:a..b, choices a,b,c, or one value"
LOG = "log:"
DIGITS = 4  # significant ones of a drawn number: a configuration is to be read and typed
MAX_CHOICES = 100
WHOLE = re.compile(r"[+-]?\d{1,12}")
OWN_OPTIONS = {"recipe": "--recipe", "seed": "--seed"}
ONE_VALUE = {  # fields that all trials must share
    "validation_share": "trials must be held against the same images",
    "teacher": "a sweep has one teacher, or none",
}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where both ends are int."""

    low: int | float
    high: int | float
    log: bool  # drawn evenly by factors

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int)

    @property
    def ends(self) -> tuple[Value, ...]:
        """What must be valid for all of it to be."""
        return self.low, self.high

    def contains(self, value: object) -> bool:
        """Whether `value` is a number that may be drawn."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.low <= value <= self.high

    def rounded(self, value: float) -> Value:
        """`value` with so few digits that it can be typed, and still in the range."""
        if self.whole:
            return int(value)
        width = self.high - self.low
        unit = min(width, value) if self.log else width
        places = DIGITS - 1 - math.floor(math.log10(unit))
        return min(max(round(float(value), places), float(self.low)), float(self.high))

    def __str__(self) -> str:
        return f"{LOG if self.log else ''}{shown(self.low)}..{shown(self.high)}"


@dataclass(frozen=True)
class Choices:
    """One of these."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """What must be valid for all of it to be."""
        return self.values

    def contains(self, value: object) -> bool:
        """Whether `value` is among them."""
        return value in self.values and not isinstance(value, bool)

    def __str__(self) -> str:
        return ",".join(shown(value) for value in self.values)


Dimension = Range | Choices


@dataclass(frozen=True)
class Space:
    """A recipe, what is the same in every trial of it, and what is tried."""

    recipe: str
    seed: int
    fixed: Mapping[str, Value]
    swept: Mapping[str, Dimension]

    def config(self, values: Mapping[str, Any]) -> TrainingConfig:
        """The configuration of a trial. ConfigError where `values` are none of this space."""
        if values.keys() != self.swept.keys():
            raise ConfigError(f"a trial of this sweep has {', '.join(self.swept)}")
        for name, dimension in self.swept.items():
            if not dimension.contains(values[name]):
                raise ConfigError(f"{name} = {values[name]!r:.60}: this sweep tries {dimension}")
        return recipes.configure(**self.settings(values))

    def settings(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """What a trial changes of its recipe, with the recipe's name and the seed."""
        return {"recipe": self.recipe, "seed": self.seed, **self.fixed, **values}

    @cached_property
    def first(self) -> Values | None:
        """The recipe's own values, where they lie in the space: what all others are held against.

        Where `epochs` are swept and the recipe counts steps, it has none.
        """
        fixed: dict[str, Any] = dict(self.fixed)
        base = recipes.configure(self.recipe, **fixed)
        values = {name: getattr(base, name) for name in self.swept}
        inside = all(self.swept[name].contains(value) for name, value in values.items())
        return values if inside and self.config(values).steps == base.steps else None

    @property
    def size(self) -> int | None:
        """How many trials there can be; None for more than anyone counts."""
        sizes = [_size(dimension) for dimension in self.swept.values()]
        return None if None in sizes else math.prod(size for size in sizes if size)

    def specs(self) -> dict[str, str]:
        """Each NAME's SPEC, in one spelling."""
        fixed = {name: shown(value) for name, value in self.fixed.items()}
        return dict(sorted({**fixed, **{name: str(d) for name, d in self.swept.items()}}.items()))


def parse(recipe: str, settings: Iterable[str], seed: int = 0) -> Space:
    """The space of `NAME=SPEC` settings. ConfigError, in one line, for what no trial could take."""
    recipes.configure(recipe, seed=seed)
    found: dict[str, Dimension | Value] = {}
    for setting in settings:
        name, spec = _split(setting)
        if name in found:
            raise ConfigError(f"--set {name} was given twice; give it once")
        found[name] = _dimension(name, spec)
    swept = {name: each for name, each in found.items() if isinstance(each, Dimension)}
    fixed = {name: each for name, each in found.items() if not isinstance(each, Dimension)}
    if not swept:
        raise ConfigError(
            "there is nothing to try; --set at least one option to a range or to choices, "
            "such as --set learning_rate=log:1e-4..1e-2"
        )
    space = Space(recipe, seed, fixed, swept)
    _check(space)
    return space


def shown(value: Value) -> str:
    """A value as a SPEC has it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _split(setting: str) -> tuple[str, str]:
    name, equals, spec = (part.strip() for part in setting.partition("="))
    if not equals or not name or not spec:
        raise ConfigError(f"--set {setting[:80]!r} is no NAME=SPEC; {SPECS}")
    if name in OWN_OPTIONS:
        raise ConfigError(f"--set {name}: all trials share it; give {OWN_OPTIONS[name]}")
    if name not in FIELDS:
        names = [field for field in FIELDS if field not in OWN_OPTIONS]
        raise ConfigError(f"unknown training option {name[:80]!r}; {nearest(name[:80], names)}")
    return name, spec


def _dimension(name: str, spec: str) -> Dimension | Value:
    if name == "teacher" and teaching.is_path(spec):  # which may have dots and commas
        return str(Path(spec).resolve())  # a trial is trained in another folder
    if name != "teacher" and (spec.startswith(LOG) or ".." in spec):
        dimension: Dimension | Value = _range(name, spec)
    elif "," in spec:
        dimension = _choices(name, spec)
    else:
        dimension = _value(name, spec)
    if name in ONE_VALUE and isinstance(dimension, Dimension):
        raise ConfigError(f"{name} = {spec[:80]}: {ONE_VALUE[name]}; give one value")
    return dimension


def _range(name: str, spec: str) -> Range:
    log = spec.startswith(LOG)
    first, dots, last = spec.removeprefix(LOG).partition("..")
    if _kind(name) is str:
        raise ConfigError(f"{name} = {spec[:80]}: it is no number; give choices, as in a,b,c")
    if not isinstance(_members(name)[0], type):  # what lies between would fail in its trial
        allowed = ", ".join(map(str, _members(name)))
        raise ConfigError(f"{name} = {spec[:80]}: it is one of {allowed}; give choices of those")
    if not dots or not first or not last:
        raise ConfigError(f"{name} = {spec[:80]!r}: a range has two ends; {SPECS}")
    low, high = (_number(name, each) for each in (first, last))
    if low >= high:
        raise ConfigError(f"{name} = {spec[:80]}: {shown(low)} is not below {shown(high)}; {SPECS}")
    if log and low <= 0:
        raise ConfigError(f"{name} = {spec[:80]}: a log range begins above 0")
    return Range(low, high, log)


def _choices(name: str, spec: str) -> Choices:
    texts = [text.strip() for text in spec.split(",")]
    if not all(texts):
        raise ConfigError(f"{name} = {spec[:80]!r}: a choice is empty; {SPECS}")
    if len(texts) > MAX_CHOICES:
        raise ConfigError(f"{name}: {len(texts)} choices; at most {MAX_CHOICES}, or give a range")
    values = [_value(name, text) for text in texts]
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ConfigError(f"{name} = {spec[:80]}: {shown(twice)} is there twice; give it once")
    return Choices(tuple(values))


def _value(name: str, text: str) -> Value:
    return text if _kind(name) is str else _number(name, text)


def _number(name: str, text: str) -> int | float:
    if _kind(name) is int:
        if not WHOLE.fullmatch(text.strip()):
            raise ConfigError(f"{name} = {text[:80]!r}: it is no whole number; {SPECS}")
        return int(text)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{name} = {text[:80]!r}: it is no number; {SPECS}")
    return number


def _kind(name: str) -> type:
    """int, float or str: what a field holds, None aside."""
    some = _members(name)[0]
    return some if isinstance(some, type) else type(some)


def _members(name: str) -> list[Any]:
    """The types that a field takes, None aside; of a Literal its values."""
    hint = get_type_hints(TrainingConfig)[name]
    return [each for each in get_args(hint) if each is not type(None)] or [hint]


def _check(space: Space) -> None:
    """ConfigError unless a trial may have each end and each choice, beside the last of others."""
    some = {name: dimension.ends[-1] for name, dimension in space.swept.items()}
    for name, dimension in space.swept.items():
        for value in dimension.ends:
            _check_teacher(space.config({**some, name: value}))


def _check_teacher(config: TrainingConfig) -> None:
    teaching.check(config)
    if config.teacher is not None and not teaching.is_path(config.teacher):
        raise ConfigError(
            f"teacher = {config.teacher!r}: a sweep trains none; train it first "
            f"(deepmnist train --recipe {config.teacher}) and --set teacher=FOLDER"
        )


def _size(dimension: Dimension) -> int | None:
    if isinstance(dimension, Choices):
        return len(dimension.values)
    return int(dimension.high - dimension.low) + 1 if dimension.whole else None

"""Which models are served: by name and version, loaded from bundles, replaced while they answer.

A source is NAME=PATH or PATH. A path is a bundle (or a run folder), or a folder whose sub-folders
are bundles with whole numbers for names, as TensorFlow Serving lays out versions. The highest
version of a name is its default. Reloading looks at the sources anew: what loads takes its place
at once, what does not leaves the old one serving. So a name that is served stays served.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepmnist import bundle, prediction, rejection
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError, ConfigError
from deepmnist.prediction import Predictor
from deepmnist.service.batching import Batcher
from deepmnist.service.metrics import Metrics

DEFAULT_NAME = "digits"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION = re.compile(r"[1-9][0-9]{0,8}|0")


@dataclass(frozen=True)
class Served:
    """One version of a model, ready to answer."""

    name: str
    version: int
    batcher: Batcher
    folder: Path | None = None  # None: it came from no bundle

    def comes_from(self, path: Path) -> bool:
        """Whether its bundle is or lies in a folder."""
        return self.folder is not None and self.folder.is_relative_to(path)


@dataclass(frozen=True)
class Source:
    """Where versions of a model are looked for."""

    name: str
    path: Path


def sources(arguments: Sequence[str]) -> list[Source]:
    """The sources that --model names; without any, the model that comes along, named 'digits'.

    ConfigError where a name is none that fits an address.
    """
    return [_source(text) for text in arguments] or [Source(DEFAULT_NAME, bundle.SHIPPED)]


def _source(text: str) -> Source:
    name, equals, path = text.partition("=")
    if not equals or "/" in name:
        return Source(DEFAULT_NAME, Path(text))
    if not NAME.fullmatch(name) or not path:
        raise ConfigError(
            f"--model {text!r}: give NAME=PATH or PATH, the name in letters, digits, '.', '_', '-'"
        )
    return Source(name, Path(path))


class Registry:
    """The models being served. Reading it costs nothing; reloading replaces the whole table."""

    def __init__(self, given: Sequence[Source], metrics: Metrics | None = None) -> None:
        """Load all. BundleError or ConfigError where one cannot be."""
        self.metrics = metrics or Metrics()
        self._sources = list(given)
        self._table: dict[str, dict[int, Served]] = {}
        problems = self.reload()
        if problems:
            raise problems[0]

    @classmethod
    def of(cls, models: dict[str, Predictor], metrics: Metrics | None = None) -> Registry:
        """Predictors served as they are, each as version 1."""
        registry = cls([], metrics)
        for name, predictor in models.items():
            registry._table[name] = {1: registry._served(name, 1, predictor, None)}
        return registry

    @property
    def names(self) -> list[str]:
        """The first is what is asked where no name is given."""
        return list(self._table)

    def versions(self, name: str) -> list[int]:
        """Rising; empty for a name that is not known."""
        return sorted(self._table.get(name, {}))

    def described(self) -> str:
        """What is served, in words: digits (1, 2), letters (1)."""
        return ", ".join(
            f"{name} ({', '.join(map(str, self.versions(name)))})" for name in self.names
        )

    def find(self, name: str, version: str | None = None) -> Served | None:
        """A version, the highest if none is named; None where it is not served."""
        versions = self._table.get(name, {})
        if version is None:
            return versions[max(versions)] if versions else None
        return versions.get(int(version)) if VERSION.fullmatch(version) else None

    def reload(self) -> list[BundleError | ConfigError]:
        """Load every source anew; the problems met. What could not be loaded stays as it was.

        Not for two threads at once.
        """
        table: dict[str, dict[int, Served]] = {}
        problems: list[BundleError | ConfigError] = []
        for source in self._sources:
            taken = table.setdefault(source.name, {})
            table[source.name] = self._found(source, taken, problems) | taken
        for _ in problems:
            self.metrics.loaded("refused")
        self._table = table
        return problems

    def _found(
        self, source: Source, taken: dict[int, Served], problems: list[BundleError | ConfigError]
    ) -> dict[int, Served]:
        """The versions of a source; its old ones where none can be loaded."""
        served = self._table.get(source.name, {})
        old = {v: each for v, each in served.items() if each.comes_from(source.path)}
        found: dict[int, Served] = {}
        try:
            folders = _folders(source, max(taken, default=0) + 1)
        except BundleError as error:
            problems.append(error)
            return old
        for version, folder in folders:
            try:
                found[version] = self._loaded(source, version, folder, taken)
            except (BundleError, ConfigError) as error:
                problems.append(error)
                if version in old:
                    found[version] = old[version]
        return found or old

    def _loaded(
        self, source: Source, version: int, folder: Path, taken: dict[int, Served]
    ) -> Served:
        if version in taken:
            raise ConfigError(
                f"{folder} is version {version} of '{source.name}', which {taken[version].folder} "
                "is already; give it another name"
            )
        # by LiteRT alone: no request waits while another runtime loads, no answer changes by it
        predictor = prediction.open_bundle(bundle.load(folder), onnx=False)
        probabilities = predictor.predict_proba(np.zeros((1, SIDE, SIDE), np.uint8))
        if not np.isfinite(probabilities).all():
            raise BundleError(f"{folder} answers with what is no number; train or export it anew")
        self.metrics.loaded("loaded")
        return self._served(source.name, version, predictor, folder)

    def _served(self, name: str, version: int, predictor: Predictor, folder: Path | None) -> Served:
        threshold = rejection.threshold(predictor)
        observe = self.metrics.observer(name, str(version), threshold)
        return Served(name, version, Batcher(predictor, observe), folder)


def _folders(source: Source, number: int) -> list[tuple[int, Path]]:
    """Versions and their bundles; a bundle itself has the version `number`. BundleError: none."""
    try:
        return [(number, bundle.located(source.path))]
    except BundleError:
        numbered = _numbered(source.path)
        if not numbered:
            raise
        return numbered


def _numbered(path: Path) -> list[tuple[int, Path]]:
    try:
        found = [each for each in path.iterdir() if VERSION.fullmatch(each.name) and each.is_dir()]
    except OSError:  # bundle.located has said what is wrong with it
        return []
    return [(int(folder.name), folder) for folder in found]

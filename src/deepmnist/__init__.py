"""Handwritten digits: train in seconds, evaluate honestly, read real pictures, predict anywhere.

The public names are below. Each is fetched when first used, so that importing deepmnist loads
neither TensorFlow nor OpenCV.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepmnist.data import Corpus, Dataset
    from deepmnist.data import load as load_dataset
    from deepmnist.errors import DeepMNISTError
    from deepmnist.evaluation import Report, evaluate
    from deepmnist.export.exporting import export as export_model
    from deepmnist.prediction import Predictor, load
    from deepmnist.reader import read
    from deepmnist.recipes import TrainingConfig
    from deepmnist.runfolder import Result
    from deepmnist.runs import train

__version__ = "0.1.0"

# TensorFlow leaves oneDNN's kernels off where a processor lacks AVX-512, though with them a step
# takes a third less there too (docs/experiments.md). It looks at this when it is loaded.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__all__ = [
    "Corpus",
    "Dataset",
    "DeepMNISTError",
    "Predictor",
    "Report",
    "Result",
    "TrainingConfig",
    "evaluate",
    "export_model",
    "load",
    "load_dataset",
    "read",
    "train",
]

_HOMES = {
    "Corpus": ("deepmnist.data", "Corpus"),
    "Dataset": ("deepmnist.data", "Dataset"),
    "DeepMNISTError": ("deepmnist.errors", "DeepMNISTError"),
    "Predictor": ("deepmnist.prediction", "Predictor"),
    "Report": ("deepmnist.evaluation", "Report"),
    "Result": ("deepmnist.runfolder", "Result"),
    "TrainingConfig": ("deepmnist.recipes", "TrainingConfig"),
    "evaluate": ("deepmnist.evaluation", "evaluate"),
    "export_model": ("deepmnist.export.exporting", "export"),
    "load": ("deepmnist.prediction", "load"),
    "load_dataset": ("deepmnist.data", "load"),
    "read": ("deepmnist.reader", "read"),
    "train": ("deepmnist.runs", "train"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'deepmnist' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""Data sets: `load` takes a known name or a path and gives a Corpus of Datasets.

Importing it loads NumPy and nothing heavier.
"""

from deepmnist.data.dataset import DIGITS, Corpus, Dataset, split_validation
from deepmnist.data.loading import (
    DEFAULT,
    SourceStatus,
    check,
    get,
    list_sources,
    load,
    locate,
    unlearnt,
)
from deepmnist.data.shards.writing import shard
from deepmnist.data.sources import SOURCES, NamedSource, RemoteFile

__all__ = [
    "DEFAULT",
    "DIGITS",
    "SOURCES",
    "Corpus",
    "Dataset",
    "NamedSource",
    "RemoteFile",
    "SourceStatus",
    "check",
    "get",
    "list_sources",
    "load",
    "locate",
    "shard",
    "split_validation",
    "unlearnt",
]

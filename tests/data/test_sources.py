"""The records are complete and well formed; an unknown name is answered with the nearest."""

from __future__ import annotations

import re

import pytest

from deepmnist.data.sources import SOURCES, NamedSource, source
from deepmnist.errors import DataError

records = pytest.mark.parametrize("record", SOURCES.values(), ids=list(SOURCES))


def test_the_four_named_data_sets_are_known() -> None:
    assert set(SOURCES) == {"mnist", "fashion_mnist", "kmnist", "digits"}


@records
def test_every_record_says_whose_it_is(record: NamedSource) -> None:
    assert all((record.title, record.licence, record.citation, record.homepage))
    assert len(set(record.class_names)) == 10


@records
def test_every_file_has_a_hash_a_size_and_two_mirrors(record: NamedSource) -> None:
    for file in record.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.unpacked_sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.unpacked_sha256)
        assert 4_000 < file.size < 30_000_000
        assert len(set(file.urls)) >= 2
        assert all(re.fullmatch(rf"https?://\S+/{file.name}", url) for url in file.urls)


def test_no_two_files_share_a_hash() -> None:
    hashes = [file.sha256 for record in SOURCES.values() for file in record.files]
    assert len(set(hashes)) == len(hashes) == 12


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match="unknown data set 'fashon_mnist': did you mean 'fashion_m"):
        source("fashon_mnist")

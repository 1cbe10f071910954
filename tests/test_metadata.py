"""What a file tells of itself is believed only after it was looked at."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmnist import metadata
from deepmnist.bundle import Manifest
from deepmnist.errors import BundleError


@pytest.fixture(scope="module")
def told(manifest: Manifest) -> metadata.Metadata:
    return metadata.of(manifest, "classifier", "float32", {"python": "3"}, "0" * 64)


def test_what_is_encoded_is_decoded(told: metadata.Metadata) -> None:
    assert metadata.decoded(metadata.encoded(told), "m.onnx") == told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version 2; this deepmnist reads 1"),
        ({"input_contract": 9}, "input contract 9; this deepmnist makes them by 1"),
        ({"class_names": ["a"]}, "length >= 2"),
        ({"class_names": ["a", "a"]}, "names a class twice"),
        ({"class_names": ["a", "\x1b[31m"]}, "or unprintably"),
        ({"class_names": ["a"] * 1001}, "length <= 1000"),
        ({"class_names": ["a", "b" * 101]}, "length <= 100"),
        ({"kind": "trojan"}, "Invalid enum value 'trojan'"),
        ({"precision": "int4"}, "Invalid enum value 'int4'"),
        ({"rejection": {"threshold": 2, "coverages": []}}, "<= 1"),
        ({"temperature": "hot"}, "Expected `float`"),
        ({"source_sha256": "x"}, "matching regex"),
        ({"more": 1}, "unknown field `more`"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(told, change: dict, message: str) -> None:
    text = json.dumps({**json.loads(metadata.encoded(told)), **change}).encode()
    with pytest.raises(BundleError, match=message) as caught:
        metadata.decoded(text, "m.onnx")
    assert str(caught.value).startswith("m.onnx ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not say what it is, so `deepmnist export` did not write it"),
        (b" " * 100_001, "tells more than 100,000 bytes"),
        (b"[" * 50_000, "cannot be"),
        (b"\xff", "cannot be"),
    ],
)
def test_what_is_no_metadata_is_refused(text: bytes | None, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        metadata.decoded(text, "m.onnx")


@given(st.binary(max_size=200))
def test_any_bytes_are_metadata_or_a_bundle_error(text: bytes) -> None:
    with pytest.raises(BundleError):
        metadata.decoded(text, "m.onnx")

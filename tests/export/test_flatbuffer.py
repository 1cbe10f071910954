"""A .tflite file packed again: aligned as the format asks, its weights in half, its names found."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from deepmnist import model, recipes
from deepmnist.bundle import Bundle
from deepmnist.export import flatbuffer, litert


@pytest.fixture(scope="module")
def file(knowing: Bundle) -> bytes:
    return knowing.runtime.read_bytes()


def constants(file: bytes) -> list[tuple[int, np.ndarray]]:
    """Where each constant lies in the file, and what it is."""
    model = schema.Model.GetRootAs(file)
    whole = np.frombuffer(file, np.uint8)
    found = []
    for number in range(model.BuffersLength()):
        data = model.Buffers(number).DataAsNumpy()
        if isinstance(data, np.ndarray):
            place = data.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
            found.append((place, data))
    return found


@pytest.mark.parametrize(
    "change", [lambda file: flatbuffer.labelled(file, b"text"), flatbuffer.halved]
)
def test_every_constant_lies_on_16_bytes(file: bytes, change) -> None:
    found = constants(change(file))
    assert len(found) > 5
    assert [place for place, _ in found if place % 16] == []


def test_text_lies_among_the_metadata_and_nothing_else_changes(file: bytes) -> None:
    labelled = flatbuffer.labelled(file, b"text")
    assert labelled[4:8] == b"TFL3"
    before, after = constants(file), constants(labelled)
    assert [data.tobytes() for _, data in after] == [
        *(data.tobytes() for _, data in before),
        b"text",
    ]


def test_layers_weights_are_in_half_and_no_longer_whole(file: bytes) -> None:
    sizes = [len(data) for _, data in constants(file)]
    halved = [len(data) for _, data in constants(flatbuffer.halved(file))]
    assert max(halved) == max(sizes) // 2
    assert sum(halved) < 0.6 * sum(sizes)


def test_the_last_layer_is_found_by_its_width_with_all_that_follows(file: bytes) -> None:
    first, *others = flatbuffer.head(file, 10)
    assert "logits" in first
    assert others[-1].endswith("PartitionedCall:0")  # the probabilities
    assert flatbuffer.head(file, 500) == []


@pytest.mark.parametrize("classes", [47, 48])
def test_a_convolution_with_as_many_filters_as_classes_is_no_last_layer(classes: int) -> None:
    net = model.build(recipes.configure("fast"), classes)  # 48 filters before the dense layers
    first, *_ = flatbuffer.head(litert.convert(net, 1.0, 47), 47)
    assert "logits" in first

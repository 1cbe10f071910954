"""What an export is held to is never a test set, and never what int8 is fitted to, if it can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepmnist import images
from deepmnist.data import load, split_validation
from deepmnist.export import evidence


def rows(found: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in found}


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """600 images that are all different, as a .npz with a test part."""
    draws = np.random.default_rng(0)
    parts = {
        f"{name}_{part}": values
        for part, count in (("train", 6_000), ("test", 20))
        for name, values in (
            ("x", draws.integers(0, 256, (count, 28, 28)).astype(np.uint8)),
            ("y", (np.arange(count) % 10).astype(np.uint8)),
        )
    }
    np.savez(tmp_path / "own.npz", **parts)
    return tmp_path / "own.npz"


def test_images_are_of_the_validation_part_and_no_sample_is_compared(own_data: Path) -> None:
    found = evidence.gathered(str(own_data), count=80)
    corpus = load(own_data)
    assert (len(found.images), len(found.samples)) == (80, evidence.SAMPLES)
    assert found.name.endswith("[validation]")
    assert not rows(found.images) & rows(found.samples)
    assert not (rows(found.images) | rows(found.samples)) & rows(
        corpus.test_part.gather(slice(None))
    )
    assert rows(found.images) <= rows(corpus.training_part.gather(slice(None)))


def test_the_validation_part_is_the_one_the_model_had(own_data: Path) -> None:
    found = evidence.gathered(str(own_data), count=80, validation_share=0.2)
    held_out = split_validation(load(own_data).training_part, 0.2)[1]
    assert rows(found.images) | rows(found.samples) <= rows(held_out.gather(slice(None)))


def test_images_of_another_size_are_held_to_as_training_took_them(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 20, 20)).astype(np.uint8)
    np.savez(tmp_path / "small.npz", x_train=images, y_train=np.arange(200, dtype=np.uint8) % 10)
    found = evidence.gathered(str(tmp_path / "small.npz"))
    learnt = load(tmp_path / "small.npz", resize=True).training_part
    assert found.name == "small.npz/train[validation]"
    assert rows(found.images) <= rows(learnt.gather(slice(None)))


def test_a_small_set_is_fitted_to_whole() -> None:
    found = evidence.gathered("digits")
    assert rows(found.samples) == rows(found.images)


def test_where_there_is_none_it_is_said_and_others_stand_in() -> None:
    with pytest.warns(UserWarning, match="small embedded digits, and int8 fitted to made pictures"):
        found = evidence.gathered("/no/such/path")
    assert found.name == "embedded digits"
    assert len(found.images) == evidence.IMAGES
    assert len(found.samples) > 400
    assert all(images.meets_contract(image) for image in found.samples[::40] if image.any())

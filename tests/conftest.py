"""What many tests share: a tiny data set, a fake predictor, a manifest, a real small bundle."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from deepmnist import bundle
from deepmnist.bundle import Bundle, DataRecord, Manifest
from deepmnist.contract import SIDE
from deepmnist.data.dataset import DIGITS, Dataset
from tests.exports import exported, knowing

__all__ = ["exported", "knowing"]  # fixtures, made once for all tests

settings.register_profile("no clock", deadline=None)  # a busy machine is no fault
settings.load_profile("no clock")

# Which of the seven segments (top, upper left and right, middle, lower left and right, bottom)
# each digit lights, and where each lies in a box of 20 x 12 pixels.
SEGMENTS = ("1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010")
SEGMENTS += ("1111111", "1111011")
PLACES = (
    np.s_[0:3, :],
    np.s_[0:11, 0:3],
    np.s_[0:11, 9:12],
    np.s_[8:11, :],
    np.s_[9:20, 0:3],
    np.s_[9:20, 9:12],
    np.s_[17:20, :],
)


class FakePredictor:
    """Answers what a test can work out: the sum of an image's levels (0..255), modulo ten.

    That class has probability 0.91, the others 0.01 each. `chunks` keeps the size of each call.
    """

    class_names = DIGITS

    def __init__(self) -> None:
        self.chunks: list[int] = []

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float32]:
        self.chunks.append(len(images))
        probabilities = np.full((len(images), len(DIGITS)), 0.01, np.float32)
        probabilities[np.arange(len(images)), self.answers(images)] = 0.91
        return probabilities

    @staticmethod
    def answers(images: NDArray[Any]) -> NDArray[np.int64]:
        """The classes that predict_proba holds most probable, int64 (n,)."""
        levels = images if images.dtype == np.uint8 else np.rint(images * 255)
        return levels.astype(np.int64).sum(axis=(1, 2)) % len(DIGITS)


@dataclass(frozen=True)
class FakeProgress:
    """training.Progress without TensorFlow; test_display.py holds the two alike."""

    step: int
    epoch: float = 1.0
    loss: float = 0.25
    learning_rate: float = 0.01
    images_per_second: float = 12_345.6
    train_seconds: float = 2.0
    validation_accuracy: float | None = None
    validation_loss: float | None = None


def segment_digit(label: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """A seven-segment digit, 20 pixels high, up to a pixel off the centre, ink 200..255."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    row, column = generator.integers(3, 6), generator.integers(7, 10)
    box = image[row : row + 20, column : column + 12]
    for lit, place in zip(SEGMENTS[label], PLACES, strict=True):
        if lit == "1":
            box[place] = generator.integers(200, 256)
    return image


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """Sixty seven-segment digits, six of each, in the order 0 to 9, again and again."""
    generator = np.random.default_rng(0)
    labels = (np.arange(60) % 10).astype(np.uint8)
    return Dataset(
        np.stack([segment_digit(label, generator) for label in labels]), labels, name="tiny"
    )


@pytest.fixture
def fake_predictor() -> FakePredictor:
    return FakePredictor()


@pytest.fixture(scope="session")
def fake_progress() -> type[FakeProgress]:
    """Makes a chunk's figures: fake_progress(step=..., loss=...)."""
    return FakeProgress


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """A manifest as a run makes it, before it knows its files."""
    return Manifest(
        class_names=list(DIGITS),
        input_contract=1,
        temperature=1.5,
        parameters=215_370,
        config={"recipe": "fast", "architecture": "fast", "epochs": 2.0, "steps": None, "seed": 0},
        dataset=DataRecord(
            name="tiny", identity="0" * 64, training=50, validation=10, fallback=False
        ),
        numbers={"test_accuracy": 0.9875, "test_correct": 79, "test_n": 80},
        versions={"python": "3.11.0", "deepmnist": "0.1.0"},
    )


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Bundle:
    """A real bundle: the fast net with random weights, its .tflite and its .keras file."""
    with warnings.catch_warnings():  # Keras and TensorFlow have warnings of their own
        warnings.simplefilter("ignore")
        net, runtime = _random_model(manifest.temperature)

        def fill(folder: Path) -> None:
            (folder / bundle.RUNTIME).write_bytes(runtime)
            net.save(folder / bundle.WEIGHTS)
            (folder / bundle.CARD).write_text("# A card\n")

        return bundle.save(tmp_path_factory.mktemp("tiny") / "bundle", manifest, fill)


def _random_model(temperature: float) -> tuple[Any, bytes]:
    """An untrained net would answer 0.1 to everything, and hide any mix-up of rows."""
    from deepmnist import model, recipes
    from deepmnist.export import litert

    net = model.build(recipes.configure("fast"), len(DIGITS))
    generator = np.random.default_rng(0)
    net.set_weights([generator.normal(0, 0.1, weight.shape) for weight in net.get_weights()])
    return net, litert.convert(net, temperature)

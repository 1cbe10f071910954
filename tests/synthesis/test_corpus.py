"""synthesis/: made images are functions of the seed, look like images, and are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from deepmnist import images
from deepmnist.data.dataset import Dataset
from deepmnist.synthesis import corpus, handwriting, nonsense, photos, printing
from deepmnist.synthesis.pens import SIDE, curve, inked, written


def draw(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_curve_goes_through_its_points_from_first_to_last() -> None:
    points = np.array([(0, 0), (1, 0.5), (0.2, 1), (0.2, 1), (1, 1)], np.float64)
    line = curve(points)
    for point in points:
        assert np.abs(line - point).sum(axis=1).min() < 1e-9
    assert line[[0, -1]].tolist() == points[[0, -1]].tolist()


def test_a_point_given_twice_stays_a_corner_in_a_shaking_hand() -> None:
    points = np.array([(0, 0), (1, 0), (1, 0), (0, 1)], np.float64)
    (shaken,) = written([points], draw(1))
    assert shaken[1] == pytest.approx(shaken[2])
    assert np.abs(shaken - points).max() > 0.005


@pytest.mark.parametrize("label", range(10))
def test_every_way_of_writing_a_digit_leaves_ink_inside_the_canvas(label: int) -> None:
    for number in range(40):
        ink = handwriting.digit(label, draw(label, number))
        assert (ink.shape, ink.dtype) == ((SIDE, SIDE), np.float32)
        assert 0.005 < ink.mean() < 0.5
        edges = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
        assert edges.max() == 0


def test_a_bar_is_not_widened_to_fit() -> None:
    ink = inked([np.array([(0.5, 0.0), (0.5, 1.0)])], (60, 60), 4)
    columns = np.flatnonzero(ink.max(axis=0) > 0.5)
    assert np.ptp(columns) < 8


@pytest.mark.parametrize(
    "make",
    [printing.letter, nonsense.scribble, nonsense.doodle, nonsense.sign, nonsense.several],
)
def test_what_is_no_digit_leaves_ink_too(make: corpus.Callable[..., np.ndarray]) -> None:
    for number in range(40):
        ink = make(draw(number))
        assert ink.shape == (SIDE, SIDE)
        assert ink.min() >= 0
        assert ink.max() < 1.001  # resizing rounds
        assert ink.mean() > 0.002


def test_no_letter_is_taken_that_a_digit_may_look_like() -> None:
    assert not set("OolIisSzZ0123456789") & set(printing.LETTERS)
    assert {"A", "k", "Ω", "Ж"} <= set(printing.LETTERS)


def test_photographs_are_grey_pictures_in_which_the_digit_is_found() -> None:
    seen = 0
    for number in range(60):
        picture = photos.photo(handwriting.digit(3, draw(number)), draw(number, 1))
        assert picture.dtype == np.uint8
        assert min(picture.shape) >= 8
        seen += images.prepare(picture).any()
    assert seen >= 57


def test_a_set_is_a_function_of_its_seed_however_many_make_it() -> None:
    alone, two = corpus.made(300, 4, processes=1), corpus.made(300, 4, processes=2)
    assert alone.identity == two.identity
    assert corpus.made(300, 5, processes=1).identity != alone.identity
    assert alone.class_names[corpus.NONE] == "none"
    counts = np.bincount(alone.required_labels(), minlength=11)
    assert counts[:10].min() > 0
    assert 0.4 < counts[10] / len(alone) < 0.7


def test_photographs_keep_the_labels_of_what_they_show(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.zeros((20, 28, 28), np.uint8)
    pictures[:, 0, 0] = np.arange(20)  # so that each can be told; the first shows nothing
    monkeypatch.setattr(corpus, "given", lambda picture, draw: picture)
    monkeypatch.setattr(corpus, "_picture", lambda ink, draw: ink)
    monkeypatch.setattr(images, "prepare", lambda picture: picture)
    found, labels = corpus._photographed((1, 0, pictures, np.arange(20, dtype=np.uint8) // 2))
    assert found[:, 0, 0].tolist() == list(range(1, 20))
    assert labels.tolist() == [number // 2 for number in range(1, 20)]


def test_a_photograph_of_each_image_is_made_once(tiny: Dataset) -> None:
    found = corpus.photographed(tiny.take(slice(0, 20)), 1, processes=1)
    assert 15 < len(found) <= 20
    assert found.identity == corpus.photographed(tiny.take(slice(0, 20)), 1, processes=2).identity

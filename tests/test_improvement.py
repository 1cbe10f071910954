"""improvement.py: a new hand is learnt, the old ones are kept, and a loss is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist import (
    bundle,
    completion,
    display,
    ensemble,
    improvement,
    prediction,
    recipes,
    rejection,
    teaching,
    training,
    weights,
)
from deepmnist.bundle import Bundle, Manifest
from deepmnist.data import Corpus, Dataset, split_validation
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import BundleError, ConfigError, DataError, ForgettingError, StorageError
from deepmnist.improvement import Count, Measured
from deepmnist.replay import Amounts
from deepmnist.synthesis import corpus
from deepmnist.synthesis.corpus import CLASS_NAMES, NONE, eleven, joined
from tests.squares import squares

OLD = Corpus(squares(400), squares(100, seed=1), "squares")
CONFIG = recipes.configure("fast", steps=80, batch_size=32, precision="float32")
AMOUNTS = Amounts(mnist=300, made=60, made_aside=40)
NEW_HAND = 3  # the digit that is written anew


def noise(n: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 60, (n, 28, 28)).astype(np.uint8)


def barred(n: int, label: int, seed: int = 7) -> Dataset:
    """A way of writing a digit that is in no square: a bar from top to bottom."""
    images = noise(n, seed)
    images[:, :, 24:28] = 230
    return Dataset(images, np.full(n, label, np.uint8), CLASS_NAMES, "barred")


def with_none(n: int, seed: int) -> Dataset:
    """Half squares, half what is no digit: rings of ink."""
    others = noise(n // 2, seed)
    others[:, 1:27, 1:27] = np.maximum(others[:, 1:27, 1:27], 200)
    others[:, 4:24, 4:24] = 10
    none = Dataset(others, np.full(n // 2, NONE, np.uint8), CLASS_NAMES, "rings")
    return joined([eleven(squares(n - n // 2, seed)), none], "with none")


def trained_bundle(folder: Path, manifest: Manifest, knows_none: bool) -> Bundle:
    """A model of the squares, as pretraining or training leaves one."""
    learnt = with_none(400, 2) if knows_none else squares(200, 2)
    trained = training.train(learnt, learnt, CONFIG)
    made = with_none(80, 3) if knows_none else None
    done = completion.complete(trained.model, squares(60, 4), made, OLD.test_part)
    return completion.write(folder, trained, done, manifest.dataset)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Bundle:
    """A model that takes everything for a digit."""
    return trained_bundle(tmp_path_factory.mktemp("ten") / "bundle", manifest, False)


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Bundle:
    """A model that knows what is no digit."""
    return trained_bundle(tmp_path_factory.mktemp("knowing") / "bundle", manifest, True)


@pytest.fixture
def made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for pictures that take seconds to make."""
    monkeypatch.setattr(corpus, "made", with_none)
    monkeypatch.setattr(corpus, "photographed", lambda dataset, seed: eleven(dataset))


def improve(base: Bundle, given: Dataset, out: Path, **values: Any) -> improvement.Improved:
    options = {"steps": 120, "amounts": AMOUNTS, **values}
    return improvement.improve(base, given, OLD, out, **options)


# --- learning and keeping ------------------------------------------------------------------------


def test_a_new_hand_is_learnt_and_the_old_ones_are_kept(ten: Bundle, tmp_path: Path) -> None:
    found = improve(ten, barred(30, NEW_HAND), tmp_path / "new")
    assert found.before.held_out.right == 0
    assert found.after.held_out == Count(6, 6)
    assert found.after.learnt == Count(24, 24)
    assert found.after.test.right >= found.before.test.right >= 99
    model = prediction.load(tmp_path / "new")
    assert model.predict(barred(10, NEW_HAND, seed=8).images).tolist() == [NEW_HAND] * 10
    assert model.predict(squares(50, 9).images).tolist() == squares(50, 9).labels.tolist()


@pytest.mark.usefixtures("made_at_once")
def test_a_model_that_knows_none_learns_what_else_is_none(knowing: Bundle, tmp_path: Path) -> None:
    found = improve(knowing, barred(30, NONE), tmp_path / "new")
    assert found.before.held_out.right < found.after.held_out.right == 6
    assert found.left_out == 0
    model = prediction.load(tmp_path / "new")
    of_new = rejection.scores(model, barred(10, NONE, seed=8).images)
    of_old = rejection.scores(model, squares(50, 9).images)
    assert of_new.single.max() < 0.5 < of_old.single.min()
    assert 0 < model.threshold <= 1
    assert len(model.coverages) == len(completion.SHARES)


def test_a_model_that_knows_no_none_leaves_such_corrections_out(
    ten: Bundle, tmp_path: Path
) -> None:
    both = joined([barred(10, NEW_HAND), barred(4, NONE)], "both")
    assert improve(ten, both, tmp_path / "new", steps=2).left_out == 4
    with pytest.raises(DataError, match="barred says 'none' of everything, and this model does no"):
        improve(ten, barred(4, NONE), tmp_path / "other")


def test_the_bundle_tells_what_it_came_from(ten: Bundle, tmp_path: Path) -> None:
    found = improve(ten, barred(7, NEW_HAND), tmp_path / "new", steps=2, seed=5)
    manifest = bundle.load(tmp_path / "new").manifest
    origin = manifest.origin
    assert origin is not None
    assert origin.sha256 == teaching.identity(ten)
    assert (origin.recipe, origin.corrections, origin.held_out) == ("fast", 6, 1)
    assert (manifest.config["recipe"], manifest.config["seed"]) == ("improved", 5)
    assert manifest.numbers["test_correct"] == found.after.test.right
    assert manifest.numbers["test_accuracy_before"] == found.before.test.share
    card = (tmp_path / "new" / bundle.CARD).read_text()
    assert f"of recipe fast (SHA-256 of its Keras file `{origin.sha256}`) by 6 corrections" in card


def test_what_was_improved_can_be_improved_again(ten: Bundle, tmp_path: Path) -> None:
    improve(ten, barred(7, NEW_HAND), tmp_path / "new", steps=2)
    again = improve(bundle.load(tmp_path / "new"), barred(7, 5), tmp_path / "newer", steps=2)
    assert again.bundle.manifest.origin is not None
    assert again.bundle.manifest.origin.recipe == "improved"


# --- refusals ------------------------------------------------------------------------------------


class Stopping(display.Silent):
    """Ctrl-C after the first chunk."""

    def update(self, progress: Any) -> None:
        raise KeyboardInterrupt


def test_nothing_is_written_where_it_is_stopped(ten: Bundle, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        improve(ten, barred(7, NEW_HAND), tmp_path / "new", screen=Stopping())
    assert list(tmp_path.iterdir()) == []


def measured(test: int, held_out: int) -> Measured:
    return Measured(Count(test, 10_000), Count(held_out, 10), Count(0, 0))


def test_a_loss_is_refused_and_nothing_is_written_unless_it_is_accepted(
    ten: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(*_: object) -> Measured:
        return told.pop(0)

    monkeypatch.setattr(improvement, "_measured", forgetful)
    told = [measured(9_950, 3), measured(9_939, 9)]
    with pytest.raises(ForgettingError, match=r"not saved.*--accept-loss") as caught:
        improve(ten, barred(7, NEW_HAND), tmp_path / "new", steps=1)
    assert str(caught.value) == (
        "the improved model reads 9,939 of MNIST's 10,000 test images right, 11 fewer than before; "
        "at most 10 may be lost, so it was not saved; of the 10 corrections held out it reads 9 "
        "right, before 3; give more corrections or fewer steps, or accept the loss (--accept-loss)"
    )
    assert list(tmp_path.iterdir()) == []
    told = [measured(9_950, 3), measured(9_940, 9)]  # a tenth of a point, and no more
    improve(ten, barred(7, NEW_HAND), tmp_path / "new", steps=1)
    told = [measured(9_950, 3), measured(5_000, 9)]
    improve(ten, barred(7, NEW_HAND), tmp_path / "newer", steps=1, accept_loss=True)


def test_nothing_is_written_over(ten: Bundle, tmp_path: Path) -> None:
    before = ten.weights.read_bytes()
    with pytest.raises(StorageError, match="is there already and is not written over; give a new"):
        improve(ten, barred(7, NEW_HAND), ten.folder)
    assert ten.weights.read_bytes() == before
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="is there already"):
        improve(ten, barred(7, NEW_HAND), tmp_path / "link")


@pytest.mark.parametrize(
    ("values", "told"),
    [({"steps": 0}, "steps = 0: expected int >= 1"), ({"seed": -1}, "seed = -1: expected int >=")],
)
def test_options_out_of_range_are_refused(
    ten: Bundle, tmp_path: Path, values: dict[str, int], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        improve(ten, barred(7, NEW_HAND), tmp_path / "new", **values)


def altered(base: Bundle, **values: Any) -> Bundle:
    return Bundle(base.folder, msgspec.structs.replace(base.manifest, **values))


def test_a_model_that_cannot_be_learnt_on_from_is_refused(ten: Bundle, tmp_path: Path) -> None:
    config = ten.manifest.config
    cases = {
        "tells 10 classes (9, 8, 7, ...); only a model of the digits": {
            "class_names": list(DIGITS[::-1])
        },
        "does not tell how it was trained (architecture = 'huge'": {
            "config": {**config, "architecture": "huge"}
        },
        "does not tell how it was trained (object missing required field 'batch_size'": {
            "config": {name: value for name, value in config.items() if name != "batch_size"}
        },
        "is no single net of architecture 'balanced'": {
            "config": {**config, "architecture": "balanced"}
        },
    }
    for told, values in cases.items():
        with pytest.raises(BundleError) as caught:
            improve(altered(ten, **values), barred(7, NEW_HAND), tmp_path / "new")
        assert told in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_it_is_calibrated_on_what_the_model_had_held_out(
    ten: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Dataset] = []
    complete = completion.complete

    def watched(model: Any, aside: Dataset, *others: Any) -> completion.Completed:
        given.append(aside)
        return complete(model, aside, *others)

    monkeypatch.setattr(completion, "complete", watched)
    base = altered(ten, config={**ten.manifest.config, "validation_share": 0.2})
    improve(base, barred(7, NEW_HAND), tmp_path / "new", steps=1, accept_loss=True)
    held_out = split_validation(OLD.training_part, 0.2)[1]
    assert [each.identity for each in given] == [held_out.identity]


def test_what_averages_views_still_does(ten: Bundle, tmp_path: Path, manifest: Manifest) -> None:
    config = recipes.configure("fast", views=5, precision="float32")
    five = training.average(
        [training.train(OLD.test_part, OLD.test_part, CONFIG)], config, OLD.test_part
    )
    done = completion.complete(five.model, squares(60, 4), None, OLD.test_part)
    base = completion.write(tmp_path / "base", five, done, manifest.dataset)
    improved = improve(base, barred(40, NEW_HAND), tmp_path / "out", accept_loss=True)
    net = weights.read(improved.bundle, [len(DIGITS)])
    assert len(ensemble.members(net)) == 1
    assert improved.bundle.manifest.config["views"] == 5


def test_an_ensemble_is_refused(ten: Bundle, tmp_path: Path, manifest: Manifest) -> None:
    nets = [weights.read(ten, [10]) for _ in range(2)]

    def fill(folder: Path) -> None:
        shutil.copy(ten.runtime, folder / bundle.RUNTIME)
        ensemble.average(nets).save(folder / bundle.WEIGHTS)

    base = bundle.save(tmp_path / "several", ten.manifest, fill)
    with pytest.raises(BundleError, match="can be improved, no ensemble; train one"):
        improve(base, barred(7, NEW_HAND), tmp_path / "new")

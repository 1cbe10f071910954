"""teaching.py: who may teach, which model it is, and that a file from elsewhere can do no harm."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import msgspec
import numpy as np
import pytest
import tensorflow as tf

from deepmnist import bundle, ensemble, model, recipes, teaching
from deepmnist.bundle import MANIFEST, RUNTIME, WEIGHTS, Bundle, Manifest, OriginRecord
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import BundleError, ConfigError, RunError
from deepmnist.teaching import Teacher

IMAGES = np.random.default_rng(0).random((5, 28, 28), np.float32)


def configured(**values: Any) -> recipes.TrainingConfig:
    return recipes.configure("fast", **values)


@pytest.fixture
def folder(tmp_path: Path, tiny_bundle: Bundle) -> Path:
    """A copy of the tiny bundle, to move and to break."""
    return Path(shutil.copytree(tiny_bundle.folder, tmp_path / "model"))


def bundled(folder: Path, manifest: Manifest, keras_file: Path) -> Bundle:
    """A bundle of that Keras file, with all the hashes as they should be."""

    def fill(unfinished: Path) -> None:
        (unfinished / RUNTIME).write_bytes(b"not asked for")
        shutil.copy(keras_file, unfinished / WEIGHTS)

    return bundle.save(folder, manifest, fill)


def of_net(tmp_path: Path, manifest: Manifest, net: keras.Model) -> Bundle:
    net.save(tmp_path / "net.keras")
    return bundled(tmp_path / "model", manifest, tmp_path / "net.keras")


def telling(seed: int, spread: float = 0.3) -> keras.Model:
    """An untrained net whose readout tells images apart."""
    net = model.build(configured(seed=seed), 10)
    readout = net.layers[-1].kernel
    readout.assign(np.random.default_rng(seed).normal(0, spread, readout.shape))
    return net


def refusal(opened: Bundle) -> str:
    """The one line with which `load` refuses a bundle."""
    with pytest.raises(BundleError) as caught:
        teaching.load(opened, "float32")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert str(opened.weights) in message
    return message


# --- who may teach ------------------------------------------------------------------------------


def test_no_teacher_a_recipe_and_a_folder_are_all_well(folder: Path) -> None:
    teaching.check(configured())
    teaching.check(configured(teacher="tutorial", teaching=0.5))
    teaching.check(configured(teacher=str(folder), teaching=1.0))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"teaching": 0.5}, "teaching = 0.5: there is no teacher to share targets with"),
        ({"teacher": "tutorial"}, "teacher = 'tutorial': it would have no share in any target"),
        ({"teacher": "fats", "teaching": 0.5}, "teacher = 'fats': no recipe and no folder"),
        ({"teacher": "no/model", "teaching": 0.5}, "teacher = 'no/model': no recipe and no folder"),
        ({"teacher": "a\0b", "teaching": 0.5}, "no recipe and no folder"),
        ({"teacher": "", "teaching": 0.5}, "teacher = '': no recipe and no folder"),
        ({"teacher": "x" * 5_000, "teaching": 0.5}, "x...: no recipe and no folder"),
        ({"teacher": "distilled", "teaching": 0.5}, "'distilled': it is taught itself"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        teaching.check(configured(**values))
    assert len(str(caught.value).splitlines()) == 1


def test_a_recipe_s_name_is_one_also_where_a_folder_is_so_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tutorial").mkdir()
    assert not teaching.is_path("tutorial")
    assert teaching.is_path("./tutorial")


# --- which model it is --------------------------------------------------------------------------


def test_a_teacher_of_the_same_classes_is_found(folder: Path) -> None:
    assert teaching.find(folder, DIGITS).folder == folder
    assert teaching.find(folder.parent / "model", DIGITS).manifest.class_names == list(DIGITS)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (("a", "b"), "tells 10 classes (0, 1, 2, ...) and the data holds 2 classes (a, b); a teac"),
        (DIGITS[::-1], "the data holds 10 classes (9, 8, 7, ...)"),
        (("\x1b[2J", "b"), "the data holds 2 classes (?, b)"),
    ],
)
def test_a_teacher_of_other_classes_is_refused(
    folder: Path, classes: tuple[str, ...], told: str
) -> None:
    with pytest.raises(BundleError, match=re.escape(told)):
        teaching.find(folder, classes)


def test_a_teacher_that_also_tells_what_is_no_digit_is_refused() -> None:
    """It names ten classes, and has eleven outputs."""
    assert bundle.load(bundle.SHIPPED).manifest.class_names == list(DIGITS)
    with pytest.raises(BundleError, match="also tells what is none of its classes, which no stud"):
        teaching.find(bundle.SHIPPED, DIGITS)


def test_a_teacher_of_another_input_contract_is_refused(folder: Path) -> None:
    values = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**values, "input_contract": 2}))
    with pytest.raises(BundleError, match="prepared by input contract 2"):
        teaching.find(folder, DIGITS)


def test_the_teacher_of_the_start_is_found_again_wherever_it_is_now(folder: Path) -> None:
    sha256 = teaching.identity(bundle.load(folder))
    moved = folder.rename(folder.parent / "moved")
    assert teaching.find_again(str(moved), sha256).folder == moved


def test_a_teacher_that_is_gone_or_another_is_refused(folder: Path) -> None:
    with pytest.raises(RunError, match="is gone; say where it is now with --teacher"):
        teaching.find_again(str(folder / "gone"), "0" * 64)
    with pytest.raises(RunError, match=r"was started with another teacher than .* holds now; give"):
        teaching.find_again(str(folder), "0" * 64)


def test_its_recipe_is_what_its_manifest_tells(tiny_bundle: Bundle) -> None:
    assert teaching.recipe(tiny_bundle) == "fast"
    nameless = msgspec.structs.replace(tiny_bundle.manifest, config={"recipe": 7})
    assert teaching.recipe(Bundle(tiny_bundle.folder, nameless)) == "unknown"


def test_a_teacher_of_the_same_data_split_otherwise_may_know_the_validation_images(
    tiny_bundle: Bundle,
) -> None:
    data, split_otherwise = tiny_bundle.manifest.dataset, configured(validation_share=0.2)
    same, other = known_as(data.name, data.identity), known_as(data.name, "1" * 64)
    assert not teaching.may_know_validation(tiny_bundle, same, configured())
    assert teaching.may_know_validation(tiny_bundle, same, split_otherwise)
    assert not teaching.may_know_validation(tiny_bundle, other, split_otherwise)


def known_as(name: str, identity: str) -> Any:
    """A corpus of that name, whose training part is of that identity."""
    return SimpleNamespace(name=name, training_part=SimpleNamespace(identity=identity))


def test_an_improved_teacher_may_know_them_by_the_name_of_its_data(tiny_bundle: Bundle) -> None:
    origin = OriginRecord(
        recipe="fast", sha256="2" * 64, corrections=3, identity="3" * 64, held_out=0
    )
    manifest = msgspec.structs.replace(tiny_bundle.manifest, origin=origin)
    improved = Bundle(tiny_bundle.folder, manifest)
    named, split_otherwise = manifest.dataset.name, configured(validation_share=0.2)
    assert not teaching.may_know_validation(improved, known_as(named, "1" * 64), configured())
    assert teaching.may_know_validation(improved, known_as(named, "1" * 64), split_otherwise)
    assert not teaching.may_know_validation(improved, known_as("x", "1" * 64), split_otherwise)


# --- loading ------------------------------------------------------------------------------------


def test_a_teacher_answers_as_its_file_does_and_is_not_trained(tiny_bundle: Bundle) -> None:
    teacher = teaching.load(tiny_bundle, "float32")
    expected = keras.models.load_model(tiny_bundle.weights, compile=False)(IMAGES)
    assert np.array_equal(teacher.net(IMAGES, training=False), expected)
    assert teacher.net.trainable_variables == []


@pytest.mark.parametrize("seconds", [12.5, 3, None, "long"])
def test_it_tells_how_long_it_was_trained_where_its_manifest_does(
    tiny_bundle: Bundle, seconds: Any
) -> None:
    numbers = {"train_seconds": seconds}
    manifest = msgspec.structs.replace(tiny_bundle.manifest, numbers=numbers)
    found = teaching.load(Bundle(tiny_bundle.folder, manifest), "float32").train_seconds
    assert found == (seconds if isinstance(seconds, float | int) else None)


@pytest.mark.parametrize("members", [1, 2])
def test_in_bfloat16_all_but_the_readout_computes_in_it(
    tmp_path: Path, manifest: Manifest, members: int
) -> None:
    nets = [telling(seed, spread=0.1) for seed in range(members)]
    net = nets[0] if members == 1 else ensemble.average(nets)
    opened = of_net(tmp_path, manifest, net)
    exact = teaching.load(opened, "float32").net(IMAGES).numpy()
    rough = teaching.load(opened, "mixed_bfloat16").net(IMAGES).numpy()
    assert rough.dtype == np.float32
    assert not np.array_equal(rough, exact)
    np.testing.assert_allclose(rough, exact, atol=0.05)


def test_of_a_teacher_that_averages_views_the_members_see_the_image_alone(
    tmp_path: Path, manifest: Manifest
) -> None:
    nets = [telling(seed) for seed in range(2)]
    five = ensemble.average(nets, views=5)
    alone = ensemble.average(nets)(IMAGES).numpy()
    assert np.abs(five(IMAGES).numpy() - alone).max() > 0.01
    taught = teaching.load(of_net(tmp_path, manifest, five), "float32").net(IMAGES).numpy()
    np.testing.assert_allclose(taught, alone, atol=1e-6)


@pytest.mark.parametrize(("told", "views"), [(5, 5), (1, 1), (None, 1), (7, 1), ("5", 1)])
def test_how_many_views_a_teacher_averages_is_what_its_manifest_tells(
    tiny_bundle: Bundle, told: Any, views: int
) -> None:
    manifest = msgspec.structs.replace(tiny_bundle.manifest, config={"views": told})
    assert teaching.load(Bundle(tiny_bundle.folder, manifest), "float32").views == views


# --- what it answers in a step ------------------------------------------------------------------


def drawn(teacher: Teacher, each: list[np.ndarray], seed: int) -> list[int]:
    """Which of `each` the teacher answers in twenty steps."""
    answers = [teacher.answer(IMAGES, seed, tf.constant(step)) for step in range(20)]
    return [
        next(i for i, own in enumerate(each) if np.allclose(own, answer, atol=1e-5))
        for answer in answers
    ]


def test_a_single_net_answers_itself() -> None:
    net = telling(0)
    np.testing.assert_array_equal(Teacher(net).answer(IMAGES, 0, tf.constant(3)), net(IMAGES))


def test_of_an_ensemble_one_member_answers_a_step_and_all_do_in_time() -> None:
    nets = [telling(seed) for seed in range(3)]
    teacher, each = Teacher(ensemble.average(nets)), [net(IMAGES).numpy() for net in nets]
    first = drawn(teacher, each, seed=0)
    assert set(first) == {0, 1, 2}
    assert drawn(teacher, each, seed=0) == first
    assert drawn(teacher, each, seed=1) != first


def test_of_five_views_a_teacher_answers_one_a_step_and_all_in_time() -> None:
    nets = [telling(seed) for seed in range(2)]
    each = [net(ensemble.view(IMAGES, view)).numpy() for net in nets for view in range(5)]
    first = drawn(Teacher(ensemble.average(nets), views=5), each, seed=2)
    assert {answer % 5 for answer in first} == {0, 1, 2, 3, 4}
    members = [answer // 5 for answer in first]
    assert set(members) == {0, 1}
    of_one_view = drawn(Teacher(ensemble.average(nets)), [each[0], each[5]], seed=2)
    assert members == of_one_view  # views change nothing of whose turn it is


# --- files from elsewhere -----------------------------------------------------------------------


def test_code_in_a_teacher_s_file_is_refused_and_does_not_run(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = keras.Input((28, 28), name="image")
    code = keras.layers.Lambda(lambda x: (open("it ran", "w").close(), x)[1])
    flat = keras.layers.Flatten()(code(image))
    opened = of_net(tmp_path, manifest, keras.Model(image, keras.layers.Dense(10)(flat)))
    Path("it ran").unlink()  # while the net was made
    assert "cannot be read as a Keras model (ValueError: " in refusal(opened)
    assert not Path("it ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_what_is_no_archive_is_refused(tmp_path: Path, manifest: Manifest, content: bytes) -> None:
    (tmp_path / "net.keras").write_bytes(content)
    assert "is no Keras file: " in refusal(
        bundled(tmp_path / "model", manifest, tmp_path / "net.keras")
    )


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[]",
        "{}",
        '{"class_name": "Sequential"}',
        '{"module": "os", "class_name": "system", "config": "true", "registered_name": "x"}',
    ],
)
def test_an_archive_that_holds_no_model_is_refused(
    tmp_path: Path, manifest: Manifest, tiny_bundle: Bundle, config: str
) -> None:
    with (
        zipfile.ZipFile(tiny_bundle.weights) as whole,
        zipfile.ZipFile(tmp_path / "net.keras", "w") as broken,
    ):
        for name in whole.namelist():
            broken.writestr(name, config if name == "config.json" else whole.read(name))
    refusal(bundled(tmp_path / "model", manifest, tmp_path / "net.keras"))


def test_an_archive_that_unpacks_to_more_than_any_model_is_refused_unread(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "net.keras", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("model.weights.h5", bytes(2_000_000))
    opened = bundled(tmp_path / "model", manifest, tmp_path / "net.keras")
    monkeypatch.setattr(bundle, "MAX_FILE_BYTES", 1_000_000)
    assert "unpacks to 2,000,000 bytes; at most 1,000,000 are read" in refusal(opened)


def test_a_net_of_other_inputs_or_outputs_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    image = keras.Input((784,), name="image")
    net = keras.Model(image, keras.layers.Dense(3)(image))
    told = refusal(of_net(tmp_path, manifest, net))
    assert (
        "takes [(None, 784)] and gives [(None, 3)]; here a net must take [(None, 28, 28)]" in told
    )


def test_a_net_in_the_net_of_other_inputs_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    inner_image = keras.Input((784,), name="flat")
    inner = keras.Model(inner_image, keras.layers.Dense(10)(inner_image))
    image = keras.Input((28, 28), name="image")
    net = keras.Model(image, inner(keras.ops.reshape(image, (-1, 784))))
    assert "takes [(None, 784)] and gives [(None, 10)]" in refusal(of_net(tmp_path, manifest, net))

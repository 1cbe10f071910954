"""The front door: names are found in order, paths are known by what lies there."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepmnist import data
from deepmnist.data import download, loading, mapped, sources
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError, DataNotFoundError

STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no environment, and mirrors that nobody reaches."""
    monkeypatch.delenv(loading.DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(loading, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(loading, "fetch", _unreachable)
    return tmp_path / "cache"


def _unreachable(remote: data.RemoteFile, folder: Path) -> Path:
    raise DataNotFoundError(f"cannot download {remote.name}")


@pytest.fixture
def put(tiny: Dataset, write_idx):
    """Puts a whole data set of IDX files into a folder: 30 images to train on, 10 to test."""

    def put(folder: Path, packed: bool = True, level: int | None = None) -> Path:
        images = tiny.images if level is None else np.full_like(tiny.images, level)
        write_idx(folder, "train", images[:30], tiny.labels[:30], packed)
        write_idx(folder, "t10k", images[30:], tiny.labels[30:], packed)
        return folder

    return put


@pytest.mark.parametrize("packed", [True, False])
def test_a_name_is_read_from_its_folder_in_the_data_folder(tmp_path, tiny, put, packed) -> None:
    put(tmp_path / "fashion_mnist", packed)
    corpus = data.load("fashion_mnist", tmp_path)
    assert np.array_equal(corpus.test.images, tiny.images[30:])
    assert corpus.name == "fashion_mnist"
    assert corpus.train.name == "fashion_mnist/train"
    assert corpus.train.class_names[9] == "Ankle boot"


def test_a_name_is_looked_for_in_order(tmp_path, cache, put, monkeypatch) -> None:
    monkeypatch.setenv(loading.DATA_DIR_VARIABLE, str(tmp_path / "env"))
    order = [tmp_path / "given", tmp_path / "env", cache]
    for place in reversed(order):  # each earlier place wins over those after it
        put(place / "mnist", level=order.index(place))
        assert data.locate("mnist", tmp_path / "given") == place / "mnist"
        assert data.load("mnist", tmp_path / "given").train.images[0, 0, 0] == order.index(place)


def test_a_folder_that_lacks_a_file_is_passed_over(tmp_path, cache, put) -> None:
    put(tmp_path / "mnist")
    (tmp_path / "mnist" / f"{STEMS[3]}.gz").unlink()
    assert data.locate("mnist", tmp_path) is None
    put(cache / "mnist")
    assert data.locate("mnist", tmp_path) == cache / "mnist"


@pytest.mark.parametrize("given", [True, False])
def test_what_is_missing_is_downloaded_into_the_folder_given_or_the_cache(
    tmp_path, cache, put, monkeypatch, given
) -> None:
    whole, fetched = put(tmp_path / "server"), []
    place = (tmp_path / "given" if given else cache) / "mnist"
    place.mkdir(parents=True)
    (place / f"{STEMS[0]}.gz").write_bytes((whole / f"{STEMS[0]}.gz").read_bytes())

    def copy(remote: data.RemoteFile, folder: Path) -> None:
        fetched.append(remote.name)
        (folder / remote.name).write_bytes((whole / remote.name).read_bytes())

    monkeypatch.setattr(loading, "fetch", copy)
    assert data.get("mnist", tmp_path / "given" if given else None) == place
    assert fetched == [f"{stem}.gz" for stem in STEMS[1:]]


def test_a_name_that_cannot_be_had_says_so() -> None:
    with pytest.raises(DataNotFoundError, match="cannot download train-images"):
        data.load("mnist")


def test_a_name_that_may_not_be_downloaded_names_the_places(tmp_path, cache) -> None:
    with pytest.raises(
        DataNotFoundError, match=r"mnist is in none of .*; get it with `deepmnist data"
    ) as e:
        data.load("mnist", tmp_path, download=False)
    assert str(tmp_path / "mnist") in str(e.value)
    assert str(cache / "mnist") in str(e.value)


def test_a_data_folder_that_is_the_data_set_itself_is_explained(tmp_path, put) -> None:
    put(tmp_path)
    with pytest.raises(
        DataError, match="holds IDX files itself; a data folder has one folder a data"
    ):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mnits", "unknown data set 'mnits', and no file .*: did you mean 'mnist'"),
        ("no/such/folder", "no/such/folder does not exist: give a folder of IDX"),
        ("none.csv", "none.csv does not exist"),
        (Path("mnist"), "mnist does not exist"),
        ("x" * 5_000, "cannot read x{200}: File name too long"),
        ("a\0b", "unknown data set"),
    ],
)
def test_what_is_neither_a_name_nor_there_is_refused(tmp_path, monkeypatch, spec, message) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        data.load(spec)


def test_a_name_wins_over_a_folder_and_a_path_does_not(tmp_path, put, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "mnist", level=5)
    put(tmp_path / "data" / "mnist", level=6)
    assert data.load("mnist", tmp_path / "data").train.images[0, 0, 0] == 6
    assert data.load("./mnist").train.images[0, 0, 0] == 5
    assert data.load(Path("mnist")).train.images[0, 0, 0] == 5


def pictures(folder: Path) -> None:
    for digit in "0123456789":
        for part in ("train", "test"):
            (folder / part / digit).mkdir(parents=True)
            cv2.imwrite(str(folder / part / digit / "a.png"), np.zeros((28, 28), np.uint8))


def arrays(folder: Path) -> None:
    for part in ("train", "test"):
        np.save(folder / f"{part}_images.npy", np.zeros((10, 28, 28), np.uint8))
        np.save(folder / f"{part}_labels.npy", np.arange(10, dtype=np.uint8))


def shards(folder: Path) -> None:
    source = folder.with_name("source")
    source.mkdir()
    arrays(source)
    folder.rmdir()
    data.shard(source, folder)


@pytest.mark.parametrize("fill", ["idx", arrays, pictures, shards])
def test_a_folder_named_as_a_known_data_set_is_not_remembered_as_that(
    tmp_path, put, monkeypatch, fill
) -> None:
    for name in ("digits", "pics"):
        folder = tmp_path / name / name
        folder.mkdir(parents=True)
        (put if fill == "idx" else fill)(folder)
    found = data.load(tmp_path / "digits" / "digits")
    assert found.name == "./digits"
    assert (found.train.name, found.test.name) == ("./digits/train", "./digits/test")
    monkeypatch.chdir(tmp_path / "digits")
    assert data.load(found.name).train.identity == found.train.identity
    other = data.load(tmp_path / "pics" / "pics")
    assert (other.name, other.train.name) == ("pics", "pics/train")


def test_the_folder_that_one_is_in_has_a_name_to_load_it_by(tmp_path, put, monkeypatch) -> None:
    monkeypatch.chdir(put(tmp_path))
    assert data.load(data.load(".").name).train.identity == data.load(".").train.identity


def test_a_path_with_a_test_part_keeps_it(tmp_path, put) -> None:
    corpus = data.load(put(tmp_path / "own", packed=False))
    assert (len(corpus.train), len(corpus.test)) == (30, 10)
    assert mapped.map_of(corpus.train.images)


def test_too_few_images_for_the_fixed_tenth_are_told_without_a_share_to_set(tmp_path) -> None:
    images, labels = np.zeros((40, 28, 28), np.uint8), np.arange(40, dtype=np.uint8) % 10
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    with pytest.raises(DataError, match=r"too few to hold out 10% of .*; give more images$"):
        data.load(tmp_path / "a.npz")


def test_a_path_without_a_test_part_holds_out_a_fixed_tenth_of_each_class(tmp_path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    labels = np.arange(200) % 10
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    corpus = data.load(tmp_path / "a.npz")
    assert np.bincount(corpus.train.labels).tolist() == [18] * 10
    assert np.bincount(corpus.test.labels).tolist() == [2] * 10
    assert corpus.test.name == "a.npz/test"
    assert data.load(tmp_path / "a.npz").test.identity == corpus.test.identity


def test_of_a_set_without_a_test_part_a_model_is_tested_on_what_it_did_not_learn(tmp_path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=np.arange(200) % 10)
    trained_on = data.load(tmp_path / "a.npz")
    whole = data.load(tmp_path / "a.npz", hold_out=False)
    found = data.unlearnt(whole, trained_on.train.identity)
    assert found.test.identity == trained_on.test.identity
    assert data.unlearnt(whole, "0" * 64).test.identity == whole.test.identity
    assert data.unlearnt(trained_on, trained_on.train.identity) is trained_on


def test_a_table_without_labels_is_all_test(tmp_path, tiny) -> None:
    rows = [",".join(map(str, image.ravel().tolist())) for image in tiny.images]
    (tmp_path / "test.csv").write_text("\n".join(rows))
    corpus = data.load(tmp_path / "test.csv")
    assert corpus.train is None
    assert np.array_equal(corpus.test.images, tiny.images)


def test_a_folder_of_npy_is_known_by_its_files(tmp_path, tiny) -> None:
    for part in ("train", "test"):
        np.save(tmp_path / f"{part}_images.npy", tiny.images)
        np.save(tmp_path / f"{part}_labels.npy", tiny.labels)
    assert data.load(tmp_path).train.identity == tiny.identity


def test_a_folder_of_folders_is_read_as_pictures(tmp_path, tiny) -> None:
    from PIL import Image

    for row, (image, label) in enumerate(zip(tiny.images, tiny.labels, strict=True)):
        path = tmp_path / ("test" if row < 10 else "train") / str(label) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    corpus = data.load(tmp_path)
    assert (len(corpus.train), len(corpus.test)) == (30, 10)
    assert np.array_equal(corpus.test.images, tiny.images[:10])


def test_a_file_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"model.h5 is of no kind that is read: give a folder of IDX"
    ):
        data.load(tmp_path / "model.h5")


def test_resize_reaches_the_reader(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_test=np.zeros((2, 32, 32), np.uint8), y_test=np.zeros(2, int))
    with pytest.raises(DataError, match="32x32 pixels"):
        data.load(tmp_path / "a.npz")
    assert data.load(tmp_path / "a.npz", resize=True).test.images.shape == (2, 28, 28)


def test_digits_need_no_file_and_no_network() -> None:
    pytest.importorskip("sklearn")
    corpus = data.load("digits")
    assert (len(corpus.train), len(corpus.test)) == (1438, 359)
    assert data.get("digits") is None
    assert data.check("digits") == ()


def stated(folder: Path) -> data.NamedSource:
    """MNIST's record, with the sizes and hashes of the files in `folder`."""
    files = []
    for stem in STEMS:
        packed = (folder / f"{stem}.gz").read_bytes()
        unpacked = hashlib.sha256(gzip.decompress(packed)).hexdigest()
        sha256 = hashlib.sha256(packed).hexdigest()
        files.append(data.RemoteFile(f"{stem}.gz", sha256, len(packed), ("x/", "y/"), unpacked))
    return dataclasses.replace(sources.MNIST, files=tuple(files))


@pytest.mark.parametrize("packed", [True, False])
def test_check_passes_files_as_published_packed_or_not(tmp_path, put, monkeypatch, packed) -> None:
    monkeypatch.setitem(sources.SOURCES, "mnist", stated(put(tmp_path / "original")))
    place = put(tmp_path / "mnist", packed)
    names = [f"{stem}{'.gz' * packed}" for stem in STEMS]
    assert data.check("mnist", tmp_path) == tuple(place / name for name in names)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("stem", STEMS)
def test_check_names_the_file_that_differs(tmp_path, put, monkeypatch, packed, stem) -> None:
    monkeypatch.setitem(sources.SOURCES, "mnist", stated(put(tmp_path / "original")))
    path = put(tmp_path / "mnist", packed) / f"{stem}{'.gz' * packed}"
    altered = bytearray(path.read_bytes())
    altered[-9] ^= 1
    path.write_bytes(altered)
    with pytest.raises(DataError, match=rf"{path.name} is not the published file: its SHA-256 is"):
        data.check("mnist", tmp_path)


def test_check_says_when_a_hash_is_not_known(tmp_path, put) -> None:
    put(tmp_path / "kmnist", packed=False)
    with pytest.raises(
        DataError, match=r"cannot be checked: only the hash of train-images-idx3-ubyte.gz"
    ):
        data.check("kmnist", tmp_path)


def test_check_of_what_is_nowhere_says_where_it_looked(tmp_path) -> None:
    with pytest.raises(DataNotFoundError, match="mnist is in none of"):
        data.check("mnist", tmp_path)


def test_a_name_too_long_for_the_system_is_told_in_one_line(monkeypatch) -> None:
    monkeypatch.setattr(loading, "fetch", download.fetch)
    long = "x" * 5_000
    for call in (lambda: data.check(long), lambda: data.get("mnist", Path(long))):
        with pytest.raises(DataError, match=r"^cannot read x{200}: File name too long$"):
            call()


def test_a_file_without_permission_is_told_in_one_line(tmp_path, put, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    put(tmp_path / "mnist")
    monkeypatch.setattr(loading, "mismatch", refuse)
    with pytest.raises(DataError, match=rf"^cannot read {tmp_path / 'mnist'}: Permission denied$"):
        data.check("mnist", tmp_path)


def test_the_list_says_where_each_data_set_lies(tmp_path, put) -> None:
    put(tmp_path / "mnist")
    where = {line.name: line.where for line in data.list_sources(tmp_path)}
    assert where == {
        "mnist": str(tmp_path / "mnist"),
        "fashion_mnist": None,
        "kmnist": None,
        "digits": "inside scikit-learn",
    }
    assert data.list_sources()[0].size == 11_594_722


def test_importing_data_loads_nothing_heavy() -> None:
    heavy = {"cv2", "PIL", "pooch", "requests", "sklearn", "pyarrow", "rich", "tensorflow", "scipy"}
    code = f"import deepmnist.data, sys; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_public_names_are_there() -> None:
    assert all(hasattr(data, name) for name in data.__all__)

"""NumPy's files: Keras' layout is read, .npy is mapped, and a lying header allocates nothing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist.data import arrays, mapped
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError


def npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_zip(path: Path, method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


def header_only(shape: tuple[int, ...], descr: str = "|u1", body: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    header = {"shape": shape, "fortran_order": False, "descr": descr}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + body


def complaint(read: Callable[[Path], object], path: Path) -> str:
    """What `read` says against the file; any other exception than DataError passes through."""
    try:
        read(path)
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.int32])
def test_keras_layout_is_read_back(tmp_path: Path, tiny: Dataset, save, dtype) -> None:
    path = tmp_path / "mnist.npz"
    x, y = tiny.images, tiny.labels.astype(dtype)
    save(path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    corpus = arrays.read_npz(path)
    assert np.array_equal(corpus.train.images, x[:30])
    assert np.array_equal(corpus.test.labels, tiny.labels[30:])
    assert corpus.test.labels.dtype == np.uint8
    assert corpus.train.name == "mnist.npz/train"


def test_an_npz_with_one_part_has_one_part(tmp_path: Path, tiny: Dataset) -> None:
    np.savez(tmp_path / "a.npz", x_train=tiny.images, y_train=tiny.labels)
    assert arrays.read_npz(tmp_path / "a.npz").test is None


def test_a_folder_of_npy_is_mapped_and_read_only(tmp_path: Path, tiny: Dataset) -> None:
    np.save(tmp_path / "train_images.npy", tiny.images)
    np.save(tmp_path / "train_labels.npy", tiny.labels.astype(np.int64))
    corpus = arrays.read_folder(tmp_path)
    assert mapped.map_of(corpus.train.images)
    assert not corpus.train.images.flags.writeable
    assert np.array_equal(corpus.train.images, tiny.images)
    assert np.array_equal(corpus.train.labels, tiny.labels)
    assert corpus.test is None


def test_arrays_in_column_order_are_read_alike(tmp_path: Path, tiny: Dataset) -> None:
    columns = np.asfortranarray(tiny.images)
    np.save(tmp_path / "test_images.npy", columns)
    np.save(tmp_path / "test_labels.npy", tiny.labels)
    np.savez(tmp_path / "a.npz", x_test=columns, y_test=tiny.labels)
    assert arrays.read_folder(tmp_path).test.identity == tiny.identity
    assert arrays.read_npz(tmp_path / "a.npz").test.identity == tiny.identity


def test_a_pickled_array_is_refused_and_not_run(tmp_path: Path, tiny: Dataset) -> None:
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    trap = np.array([Trap()], dtype=object)
    np.savez(tmp_path / "a.npz", x_train=trap, y_train=tiny.labels)
    with pytest.raises(DataError, match="x_train is of type object; it must be numbers"):
        arrays.read_npz(tmp_path / "a.npz")
    np.save(tmp_path / "train_images.npy", trap)
    with pytest.raises(DataError, match=r"train_images.npy is of type object"):
        arrays.read_folder(tmp_path)


@pytest.mark.parametrize("shape", [(2**31, 28, 28), (2**40, 28, 28), (2**62, 4, 1), (-1, -28, 28)])
def test_a_header_that_lies_allocates_nothing(tmp_path: Path, monkeypatch, shape) -> None:
    data = header_only(shape, body=bytes(784))
    write_zip(tmp_path / "a.npz", x_train=data, y_train=npy_bytes(np.zeros(1, np.uint8)))
    (tmp_path / "train_images.npy").write_bytes(data)
    monkeypatch.setattr(np.lib.format, "read_array", None)
    monkeypatch.setattr(mapped, "open_array", None)
    for read, path in ((arrays.read_npz, tmp_path / "a.npz"), (arrays.read_folder, tmp_path)):
        with pytest.raises(DataError, match="is truncated or altered: its header claims"):
            read(path)


def test_a_member_past_the_limit_is_refused_unread(tmp_path, tiny, monkeypatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", x_train=tiny.images, y_train=tiny.labels)
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", 1000)
    with pytest.raises(DataError, match=r"x_train unpacks to .* bytes; the limit is 1,000"):
        arrays.read_npz(tmp_path / "a.npz")


def test_a_directory_that_claims_more_than_the_file_can_hold_is_refused(tmp_path) -> None:
    path = tmp_path / "a.npz"
    write_zip(path, x_train=b"x" * 100, y_train=b"y")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")  # the central directory; its size field is at 24
    data[entry + 24 : entry + 28] = (500_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError, match="x_train claims 500,000,000 bytes, more than the file can"):
        arrays.read_npz(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_python_unpacks_without_a_bound_is_refused(tmp_path, method) -> None:
    write_zip(tmp_path / "a.npz", method, x_train=b"x", y_train=b"y")
    with pytest.raises(DataError, match=f"x_train is compressed by method {method}; store or"):
        arrays.read_npz(tmp_path / "a.npz")


def test_other_arrays_are_named_when_keras_ones_are_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    with pytest.raises(DataError, match=r"none of Keras' arrays .* it holds images.npy"):
        arrays.read_npz(tmp_path / "a.npz")


def test_images_without_labels_are_refused(tmp_path: Path, tiny: Dataset) -> None:
    np.savez(tmp_path / "a.npz", x_test=tiny.images)
    with pytest.raises(DataError, match="y_test is missing: images and labels go together"):
        arrays.read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "images", [np.zeros((2, 28, 28), np.float32), np.zeros((2, 784), np.uint8)]
)
def test_images_of_another_kind_are_refused(tmp_path: Path, images: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", x_train=images, y_train=np.zeros(2, np.uint8))
    with pytest.raises(DataError, match=r"x_train is .* images must be uint8 \(n, 28, 28\)"):
        arrays.read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("label", [-1, 10, 300])
def test_a_label_outside_the_classes_names_its_row(tmp_path: Path, label: int) -> None:
    images, labels = np.zeros((3, 28, 28), np.uint8), np.array([1, label, 2])
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    with pytest.raises(DataError, match=f"y_train: label {label} of image 1 is outside"):
        arrays.read_npz(tmp_path / "a.npz")


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "train_images.npy", np.zeros((0, 28, 28), np.uint8))
    np.save(tmp_path / "train_labels.npy", np.zeros(0, np.uint8))
    with pytest.raises(DataError, match="is empty"):
        arrays.read_folder(tmp_path)


def test_another_size_is_refused_and_resized_on_request(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.full((2, 8, 8), 9, np.uint8), y_train=np.zeros(2, int))
    with pytest.raises(DataError, match="8x8 pixels, not 28x28"):
        arrays.read_npz(tmp_path / "a.npz")
    resized = arrays.read_npz(tmp_path / "a.npz", resize=True).train.images
    assert resized.shape == (2, 28, 28)
    assert (resized == 9).all()


def test_a_truncated_npz_is_refused(tmp_path: Path, tiny: Dataset) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_train=tiny.images, y_train=tiny.labels)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"cannot read .*a.npz: File is not a zip file"):
        arrays.read_npz(path)


HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 28, 28), }"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    cut=st.integers(0, len(HEADER)),
    patch=st.binary(max_size=12) | st.text("(){}[]'\"\\\n\t 0L:,#", max_size=12).map(str.encode),
    version=st.sampled_from([1, 2, 3, 9]),
)
def test_no_header_raises_anything_but_a_data_error(tmp_path, cut, patch, version) -> None:
    text = HEADER[:cut] + patch + HEADER[cut + len(patch) :] + b"\n"
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    data = b"\x93NUMPY" + bytes([version, 0]) + length + text + bytes(784)
    (tmp_path / "train_images.npy").write_bytes(data)
    np.save(tmp_path / "train_labels.npy", np.zeros(1, np.uint8))
    write_zip(tmp_path / "a.npz", x_train=data, y_train=npy_bytes(np.zeros(1, np.uint8)))
    for read, path in ((arrays.read_npz, tmp_path / "a.npz"), (arrays.read_folder, tmp_path)):
        assert "\n" not in complaint(read, path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_damaged_npz_raises_anything_but_a_data_error(tmp_path, method, place, flip) -> None:
    path = tmp_path / "a.npz"
    images, labels = np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)
    write_zip(path, method, x_train=npy_bytes(images), y_train=npy_bytes(labels))
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data)
    assert "\n" not in complaint(arrays.read_npz, path)

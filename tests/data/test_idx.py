"""IDX: what is written is read back, mapped where it can be, and hostile files are refused."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist.data import idx, mapped
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


def images_header(count: int, height: int = 28, width: int = 28, magic: int = 0x803) -> bytes:
    return struct.pack(">4I", magic, count, height, width)


def complaint(read: Callable[[Path], object], path: Path) -> str:
    """What `read` says against the file; any other exception than DataError passes through."""
    try:
        read(path)
    except DataError as error:
        return str(error)
    return ""


@pytest.fixture(params=["plain", "packed"])
def pack(request: pytest.FixtureRequest):
    return gzip.compress if request.param == "packed" else bytes


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_is_read_back(tmp_path: Path, tiny: Dataset, write_idx, packed) -> None:
    write_idx(tmp_path, "train", tiny.images[:30], tiny.labels[:30], packed)
    write_idx(tmp_path, "t10k", tiny.images[30:], tiny.labels[30:], packed)
    corpus = idx.read_folder(tmp_path, name="mnist")
    assert np.array_equal(corpus.train.images, tiny.images[:30])
    assert np.array_equal(corpus.test.labels, tiny.labels[30:])
    assert (corpus.train.name, corpus.test.name) == ("mnist/train", "mnist/test")
    assert corpus.train.labels.dtype == np.uint8


def test_uncompressed_images_are_mapped_and_read_only(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "train", tiny.images, tiny.labels)
    images = idx.read_folder(tmp_path).train.images
    assert mapped.map_of(images)
    assert not images.flags.writeable


def test_the_uncompressed_file_is_preferred(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "train", tiny.images, tiny.labels, packed=True)
    write_idx(tmp_path, "train", tiny.images, tiny.labels)
    assert idx.find(tmp_path, IMAGES) == tmp_path / IMAGES


def test_a_missing_part_is_none(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "t10k", tiny.images, tiny.labels)
    assert idx.read_folder(tmp_path).train is None


def test_the_spelling_with_a_dot_is_read(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "train", tiny.images, tiny.labels)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert len(idx.read_folder(tmp_path).train) == 40


def test_a_file_named_gz_that_is_not_packed_is_read(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "train", tiny.images, tiny.labels)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / f"{path.name}.gz")
    assert len(idx.read_folder(tmp_path).train) == 40


def test_wrong_magic_says_what_was_found_and_wanted(tmp_path: Path, pack) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(pack(images_header(1, magic=0xD03) + bytes(784)))
    with pytest.raises(DataError, match="magic number is 0x00000d03, not 0x00000803"):
        idx.read_images(path)


def test_labels_read_as_images_are_refused(tmp_path: Path, pack) -> None:
    path = tmp_path / LABELS
    path.write_bytes(pack(struct.pack(">2I", 0x801, 12) + bytes(12)))
    with pytest.raises(DataError, match="no IDX file of images"):
        idx.read_images(path)


@pytest.mark.parametrize("kept", [0, 3, 15])
def test_a_file_shorter_than_its_header_is_refused(tmp_path: Path, pack, kept: int) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(pack(images_header(1)[:kept]))
    with pytest.raises(DataError, match=f"truncated: {kept} bytes, its header alone has 16"):
        idx.read_images(path)


def test_a_truncated_body_is_refused(tmp_path: Path, pack) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(pack(images_header(2) + bytes(2 * 784 - 1)))
    with pytest.raises(
        DataError, match="is truncated: its header claims 1,568 bytes, 1,567 follow"
    ):
        idx.read_images(path)


def test_bytes_after_the_claimed_ones_are_refused(tmp_path: Path, pack) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(pack(images_header(1) + bytes(785)))
    with pytest.raises(DataError, match=r"too long|goes on after the 784 bytes"):
        idx.read_images(path)


@pytest.mark.parametrize("count", [2**31, 2**32 - 1])
def test_a_header_that_claims_billions_allocates_nothing(
    tmp_path, pack, monkeypatch, count
) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(pack(images_header(count) + bytes(784)))
    monkeypatch.setattr(np, "empty", None)
    monkeypatch.setattr(mapped, "open_array", None)
    with pytest.raises(DataError, match="header claims"):
        idx.read_images(path)


def test_a_header_whose_product_overflows_is_refused(tmp_path: Path, pack) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(pack(images_header(2**31, 2**31, 4)))  # 2**64, which is 0 in 64 bits
    with pytest.raises(DataError, match="header claims 18,446,744,073,709,551,616 bytes"):
        idx.read_images(path)


def test_a_gzip_bomb_is_not_unpacked_past_its_header(tmp_path: Path) -> None:
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(images_header(1) + bytes(50_000_000)))
    with pytest.raises(DataError, match="goes on after the 784 bytes its header claims"):
        idx.read_images(path)


def test_a_packed_file_past_the_limit_is_refused_unread(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(idx, "MAX_UNPACKED_BYTES", 783)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(images_header(1) + bytes(784)))
    with pytest.raises(DataError, match="the limit for gzipped files is 783: gunzip it"):
        idx.read_images(path)


def test_a_gzip_stream_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{IMAGES}.gz"
    noise = np.random.default_rng(0).integers(0, 256, 7840).astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(images_header(10) + noise)[:-2000])
    with pytest.raises(DataError, match="its gzip stream ends early"):
        idx.read_images(path)


def test_a_gzip_stream_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{IMAGES}.gz"
    data = bytearray(gzip.compress(images_header(1) + bytes(784)))
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="is damaged: CRC check failed"):
        idx.read_images(path)


def test_counts_that_disagree_are_refused(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "train", tiny.images, tiny.labels[:-1])
    with pytest.raises(DataError, match=r"40 images but .* 39 labels"):
        idx.read_folder(tmp_path)


def test_labels_outside_the_classes_are_refused(tmp_path, tiny, write_idx) -> None:
    labels = tiny.labels.copy()
    labels[7] = 10
    write_idx(tmp_path, "train", tiny.images, labels)
    with pytest.raises(DataError, match=r"label 10 of image 7 is outside the classes 0\.\.9"):
        idx.read_folder(tmp_path)


def test_an_empty_set_is_refused(tmp_path, tiny, write_idx) -> None:
    write_idx(tmp_path, "train", tiny.images[:0], tiny.labels[:0])
    with pytest.raises(DataError, match="is empty: it holds no image"):
        idx.read_folder(tmp_path)


def test_images_of_no_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(images_header(5, 0, 28))
    with pytest.raises(DataError, match="images of 0x28 pixels"):
        idx.read_images(path)


def test_another_size_is_refused_and_resized_on_request(tmp_path, write_idx) -> None:
    images = np.full((3, 32, 36), 200, np.uint8)
    write_idx(tmp_path, "train", images, np.arange(3, dtype=np.uint8))
    with pytest.raises(DataError, match="32x36 pixels, not 28x28; pass --resize"):
        idx.read_folder(tmp_path)
    resized = idx.read_folder(tmp_path, resize=True).train.images
    assert resized.shape == (3, 28, 28)
    assert (resized == 200).all()


@pytest.mark.parametrize("lone", [IMAGES, LABELS])
def test_images_without_labels_or_labels_without_images_are_refused(
    tmp_path, tiny, write_idx, lone
) -> None:
    write_idx(tmp_path, "train", tiny.images, tiny.labels)
    (tmp_path / ({IMAGES, LABELS} - {lone}).pop()).unlink()
    with pytest.raises(DataError, match="images and labels go together"):
        idx.read_folder(tmp_path)


def test_a_folder_without_idx_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no IDX files: wanted train-images-idx3-ubyte"):
        idx.read_folder(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=60), packed=st.booleans(), start=st.sampled_from([0, 8, 16]))
def test_no_bytes_raise_anything_but_a_data_error(tmp_path, data, packed, start) -> None:
    path = tmp_path / "any"
    body = images_header(1)[:start] + data
    path.write_bytes(b"\x1f\x8b\x08" + data if packed else body)
    for read in (idx.read_images, idx.read_labels):
        assert "\n" not in complaint(read, path)

"""Folders of pictures: every picture is read or named, and the classes are the sub-folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepmnist.data import folder
from deepmnist.data.dataset import DIGITS
from deepmnist.errors import DataError


def save(path: Path, level: int = 200, size: tuple[int, int] = (28, 28)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, level, np.uint8)).save(path)
    return path


def test_class_names_are_the_folders_sorted(tmp_path: Path) -> None:
    for name, level in (("cat", 3), ("ant", 1), ("bee", 2)):
        save(tmp_path / name / "a.png", level)
    corpus = folder.read_folder(tmp_path)
    assert corpus.train.class_names == ("ant", "bee", "cat")
    assert corpus.train.images[:, 0, 0].tolist() == [1, 2, 3]
    assert corpus.train.labels.tolist() == [0, 1, 2]
    assert corpus.test is None


def test_digits_are_the_ten_digits_even_where_some_are_missing(tmp_path: Path) -> None:
    save(tmp_path / "7" / "a.png")
    save(tmp_path / "3" / "a.png")
    corpus = folder.read_folder(tmp_path)
    assert corpus.train.class_names == DIGITS
    assert corpus.train.labels.tolist() == [3, 7]


def test_train_and_test_are_parts_with_the_same_classes(tmp_path: Path) -> None:
    save(tmp_path / "train" / "b" / "1.png")
    save(tmp_path / "train" / "c" / "1.png")
    save(tmp_path / "test" / "c" / "2.png")
    save(tmp_path / "test" / "a" / "2.png")
    corpus = folder.read_folder(tmp_path)
    assert corpus.train.class_names == corpus.test.class_names == ("a", "b", "c")
    assert corpus.train.labels.tolist() == [1, 2]
    assert corpus.test.labels.tolist() == [0, 2]


@pytest.mark.parametrize("other", ["7/a.png", "stray.png", "Test/7/a.png"])
def test_what_lies_beside_the_parts_is_told(tmp_path: Path, other: str) -> None:
    save(tmp_path / "train" / "7" / "a.png")
    save(tmp_path / other)
    with pytest.raises(DataError, match=rf"{other.split('/')[0]} lies beside train and test and "):
        folder.read_folder(tmp_path)


def test_what_is_no_picture_may_lie_beside_the_parts(tmp_path: Path) -> None:
    save(tmp_path / "train" / "7" / "a.png")
    (tmp_path / "README.md").write_text("Where these are from.")
    assert len(folder.read_folder(tmp_path).train) == 1


def test_a_lone_test_folder_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    save(tmp_path / "test" / "0" / "2.png")
    corpus = folder.read_folder(tmp_path)
    assert corpus.train is None
    assert len(corpus.test) == 1


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, level in (("c", 30), ("a", 10), ("b", 20)):
        save(tmp_path / "0" / f"{name}.png", level)
    assert folder.read_folder(tmp_path).train.images[:, 0, 0].tolist() == [10, 20, 30]


def test_hidden_and_system_files_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "0" / "a.png")
    for name in (".DS_Store", "Thumbs.db", "0/._a.png", "0/desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    assert len(folder.read_folder(tmp_path).train) == 1


def test_another_size_is_refused_by_name_and_prepared_on_request(tmp_path: Path) -> None:
    photo = np.full((90, 70), 235, np.uint8)
    photo[15:75, 30:36] = 20
    path = save(tmp_path / "1" / "photo.png")
    Image.fromarray(photo).save(path)
    with pytest.raises(DataError, match=r"photo.png is 90x70 pixels, not 28x28; pass --resize"):
        folder.read_folder(tmp_path)
    image = folder.read_folder(tmp_path, resize=True).train.images[0]
    assert image[0, 0] == 0
    assert image[14, 14] > 200


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path / "0" / "a.png")
    (tmp_path / "0" / "notes.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"0/notes.txt"):
        folder.read_folder(tmp_path)


def test_a_file_beside_the_classes_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "0" / "a.png")
    save(tmp_path / "stray.png")
    with pytest.raises(DataError, match=r"stray.png lies beside the classes"):
        folder.read_folder(tmp_path)


def test_a_folder_within_a_class_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "0" / "inner" / "a.png")
    with pytest.raises(DataError, match="inner is no file; a class folder must hold pictures only"):
        folder.read_folder(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty: it must hold one folder of pictures a class"):
        folder.read_folder(tmp_path)


def test_empty_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    with pytest.raises(DataError, match="is empty: it holds no picture"):
        folder.read_folder(tmp_path)


def test_more_classes_than_a_label_can_name_are_refused(tmp_path: Path) -> None:
    for index in range(257):
        (tmp_path / f"c{index}").mkdir()
    save(tmp_path / "c0" / "a.png")
    with pytest.raises(DataError, match="257 classes; there must be 1 to 256"):
        folder.read_folder(tmp_path)

"""corrections.py: training sees what reading saw; what is wrong is one line that says where."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepmnist import classification, cli, corrections, images, prediction, reader, transcription
from deepmnist.errors import DataError
from deepmnist.synthesis.corpus import CLASS_NAMES, NONE
from tests.writing import Grey, PlainHandPredictor, page


def saved_photo(path: Path, picture: Grey, longest: int) -> Path:
    """In colour, as a camera gives it: on grey alone all ways of decoding agree."""
    scale = longest / max(picture.shape)
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 6, (*large.shape, 3))
    colours = large[..., np.newaxis] * np.array([1.0, 0.9, 0.7]) + noise
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)).save(path, quality=85)
    return path


def saved(path: Path, picture: Grey) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def answers(path: Path, picture: Grey) -> list[dict[str, Any]]:
    """What `read --format json` prints of a picture."""
    found = reader.read(picture, PlainHandPredictor())
    return json.loads(json.dumps([transcription.plain(transcription.Answer(str(path), found))]))


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        corrections.read(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_pictures_by_class_are_seen_as_predict_sees_them(tmp_path: Path) -> None:
    two = saved(tmp_path / "2" / "a.png", page("2"))
    scribble = np.full((90, 120), 230, np.uint8)
    cv2.circle(scribble, (60, 45), 30, 20, 5)
    saved(tmp_path / "none" / "b.jpg", scribble)
    found = corrections.read(tmp_path)
    assert found.class_names == CLASS_NAMES
    assert found.labels.tolist() == [2, NONE]
    assert np.array_equal(found.images[0], images.prepare(np.asarray(Image.open(two))))


@pytest.mark.parametrize("degrees", [0, 9])
@pytest.mark.parametrize("gap", [18, -8])
def test_a_read_box_is_seen_in_training_as_it_was_in_reading(
    tmp_path: Path, degrees: int, gap: int
) -> None:
    """Also in a line that is turned, or whose digits touch and were cut."""
    picture = page("2050", "394", gap=gap)
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    picture = cv2.warpAffine(picture, turn, (width, height), borderValue=220)
    digits = [d for line in reader.read(picture, PlainHandPredictor()).lines for d in line.digits]
    seen = reader.seen(picture, [digit.box for digit in digits])
    assert len(digits) >= 5
    for image, digit in zip(seen, digits, strict=True):
        assert np.array_equal(image, digit.seen)


@pytest.mark.parametrize("longest", [900, 3_301, 4_032])
def test_the_digits_of_a_photo_are_seen_in_training_as_they_were_in_reading(
    tmp_path: Path, longest: int
) -> None:
    """A JPEG is decoded as greys, and reduced where it is large; its digits touch and were cut."""
    photo = saved_photo(tmp_path / "photo.jpg", page("2050", "394", gap=-8), longest)
    how = transcription.way([], None, None)
    answer = transcription.transcribe(photo.read_bytes(), str(photo), PlainHandPredictor(), how)
    assert answer.page is not None
    digits = [digit for line in answer.page.lines for digit in line.digits]
    assert len(digits) >= 5
    assert max(digit.box[2] for digit in digits) > 0.6 * longest
    (tmp_path / "form.json").write_text(json.dumps([transcription.plain(answer)]))
    found = corrections.read(tmp_path / "form.json")
    assert np.array_equal(found.images, np.stack([digit.seen for digit in digits]))


@pytest.mark.parametrize("longest", [300, 1_000])
def test_photos_by_class_are_seen_as_predict_sees_them(tmp_path: Path, longest: int) -> None:
    photo = saved_photo(tmp_path / "a" / "2" / "a.jpg", page("2"), longest)
    seen = classification._prepared((str(photo), None))
    for path in (tmp_path / "a", zipped(tmp_path / "a.zip", tmp_path / "a")):
        assert np.array_equal(corrections.read(path).images, [seen])


def test_a_box_drawn_by_hand_in_a_large_photo_shows_the_strokes_in_it(tmp_path: Path) -> None:
    photo = saved_photo(tmp_path / "photo.jpg", page("205"), 3_301)
    how = transcription.way([], None, None)
    answer = transcription.transcribe(photo.read_bytes(), str(photo), PlainHandPredictor(), how)
    assert answer.page is not None
    (line,) = answer.page.lines
    left, top, right, bottom = line.digits[1].box
    given = [transcription.plain(answer)]
    given[0]["lines"][0]["digits"][1]["box"] = [left - 40, top - 50, right + 45, bottom + 30]
    (tmp_path / "form.json").write_text(json.dumps(given))
    found = corrections.read(tmp_path / "form.json")
    assert np.array_equal(found.images, np.stack([digit.seen for digit in line.digits]))


def test_a_box_drawn_by_hand_shows_the_strokes_in_it(tmp_path: Path) -> None:
    picture = page("205")
    (line,) = reader.read(picture, PlainHandPredictor()).lines
    left, top, right, bottom = line.digits[1].box
    roughly = (left - 5, top - 7, right + 6, bottom + 4)
    (image,) = reader.seen(picture, [roughly])
    assert np.array_equal(image, line.digits[1].seen)
    assert not next(reader.seen(picture, [(0, 0, 20, 20)])).any()


def test_equal_boxes_are_looked_into_once_and_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(reader, "_within", lambda box, *_: asked.append(box))
    boxes = [[0, 0, 20, 20], [0, 0, 20, 20], [0, 0, 9, 9]]
    picture = saved(tmp_path / "page.png", page("5"))
    given = answers(picture, page("5"))
    given[0]["lines"][0]["digits"] += [{"box": box, "label": ""} for box in boxes]
    (tmp_path / "a.json").write_text(json.dumps(given))
    assert corrections.read(tmp_path / "a.json").labels.tolist() == [5]
    assert asked == [(0, 0, 20, 20), (0, 0, 9, 9)]
    next(reader.seen(page("5"), [(0, 0, 7, 7), (0, 0, 8, 8)]))
    assert asked[2:] == [(0, 0, 7, 7)]


def test_a_box_through_a_stroke_shows_the_part_inside() -> None:
    picture = page("1")
    ((digit,),) = (line.digits for line in reader.read(picture, PlainHandPredictor()).lines)
    left, top, right, bottom = digit.box
    (image,) = reader.seen(picture, [(left, top, right, top + (bottom - top) // 3)])
    assert image.any()
    assert not np.array_equal(image, digit.seen)


def test_what_read_prints_comes_back_with_its_labels_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = page("2050", "394")
    saved(tmp_path / "photos" / "page.png", picture)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prediction, "load", lambda path: PlainHandPredictor())
    monkeypatch.setattr("sys.argv", ["deepmnist", "read", "photos/page.png", "--format", "json"])
    with pytest.raises(SystemExit):
        cli.main()
    printed = json.loads(capsys.readouterr().out)
    printed[0]["lines"][0]["digits"][1]["label"] = "6"
    printed[0]["lines"][0]["digits"][2]["label"] = ""
    printed[0]["lines"][1]["digits"][0]["label"] = "none"
    (tmp_path / "corrected.json").write_text(json.dumps(printed))
    found = corrections.read(tmp_path / "corrected.json")
    assert found.labels.tolist() == [2, 6, NONE, 0, NONE, 9, 4]
    read = reader.read(picture, PlainHandPredictor())
    seen = [digit.seen for line in read.lines for digit in line.digits]
    assert np.array_equal(found.images, np.stack(seen))
    assert np.array_equal(corrections.read(tmp_path).images, found.images)  # a folder of JSON


def test_json_and_classes_may_lie_in_one_folder(tmp_path: Path) -> None:
    picture = saved(tmp_path / "photos" / "page.png", page("39"))
    (tmp_path / "a.json").write_text(json.dumps(answers(picture, page("39"))))
    saved(tmp_path / "7" / "seven.png", page("7"))
    assert corrections.read(tmp_path).labels.tolist() == [7, 3, 9]


def test_nothing_is_learnt_of_a_cell_that_is_rightly_empty(tmp_path: Path) -> None:
    picture = saved(tmp_path / "page.png", page("5"))
    given = answers(picture, page("5"))
    given[0]["lines"][0]["digits"].append({"box": [0, 0, 20, 20], "label": ""})
    given.append({"path": "gone.png", "error": "gone.png does not exist"})
    given.append({"path": "blank.png", "lines": []})
    (tmp_path / "a.json").write_text(json.dumps(given))
    assert corrections.read(tmp_path / "a.json").labels.tolist() == [5]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "x"}, "digit 2 has the label 'x'; it must be one of 0 to 9, or 'none'"),
        ({"label": 10}, "digit 2 has the label '10'; it must be"),
        ({"box": [5, 5, 5, 9]}, "line 1, digit 2 has the box [5, 5, 5, 9], which does not lie in"),
        ({"box": [0, 0, 9, 10**6]}, "which does not lie in its picture of 224 x 168 pixels"),
        ({"box": [0, 0, 9, 2**70]}, "is no JSON as `deepmnist read --format json` prints it"),
        ({"box": [0, 0, 9, -1]}, "`int` >= 0 - at `$[0].lines[0].digits[1].box[3]`"),
        ({"label": 10**4_000}, "is no JSON as `deepmnist read --format json` prints it"),
        ({"box": [1, 2, 3]}, "is no JSON as `deepmnist read --format json` prints it"),
        ({"label": ["x"]}, "is no JSON as `deepmnist read --format json` prints it"),
        ({"box": [0, 0, 9, 9], "label": "7"}, "digit 2 is said to be 7, but nothing is found th"),
    ],
)
def test_a_digit_that_cannot_be_is_told_with_its_place(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    given = answers(saved(tmp_path / "page.png", page("39")), page("39"))
    given[0]["lines"][0]["digits"][1].update(change)
    (tmp_path / "a.json").write_text(json.dumps(given))
    message = refusal(tmp_path / "a.json")
    assert told in message
    assert str(tmp_path / "a.json") in message


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("gone.png", "gone.png does not exist"),
        ("-", "picture 1 came from standard input; put the path of its file in 'path'"),
        ("a\0b", "cannot be read"),
        ("x" * 5_000, "cannot be read"),
        (".", "is a folder with"),
        ("/dev/zero", "/dev/zero is no file"),
        ("pipe", "pipe is no file"),
        ("a.json", "is no picture deepmnist can read"),
    ],
)
def test_a_picture_that_cannot_be_read_is_told_with_its_place(
    tmp_path: Path, path: str, told: str
) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    digits = [{"box": [0, 0, 9, 9], "label": "3"}]
    (tmp_path / "a.json").write_text(json.dumps([{"path": path, "lines": [{"digits": digits}]}]))
    message = refusal(tmp_path / "a.json")
    assert told in message
    assert f"{tmp_path / 'a.json'}: picture 1" in message


@pytest.mark.parametrize("text", ["", "{", "7", "[{}]", "\xff", '{"path": "a"}', "[" * 100_000])
def test_what_is_no_such_json_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    assert f"{tmp_path / 'a.json'} is no JSON as `deepmnist read" in refusal(tmp_path / "a.json")


def test_a_folder_that_holds_something_else_is_told(tmp_path: Path) -> None:
    assert "is empty: it must hold folders of pictures by class (0, 1" in refusal(tmp_path)
    saved(tmp_path / "seven" / "a.png", page("7"))
    assert "holds 'seven', which is no class; it must hold folders of pictures" in refusal(tmp_path)
    (tmp_path / "seven").rename(tmp_path / "7")
    (tmp_path / "7" / "b.png").write_bytes(b"no picture")
    assert f"{tmp_path / '7' / 'b.png'} is no picture deepmnist can read" in refusal(tmp_path)
    saved(tmp_path / "7" / "b.png", np.full((50, 50), 200, np.uint8))
    assert f"{tmp_path / '7' / 'b.png'} is said to be 7, but nothing is fou" in refusal(tmp_path)


def test_what_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    assert re.search("cannot read .*gone: No such file", refusal(tmp_path / "gone"))
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is no file" in refusal(tmp_path / "pipe")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        saved(tmp_path / "7" / f"{number}.png", page("7"))
    monkeypatch.setattr(corrections, "MAX_CORRECTIONS", 3)
    assert len(corrections.read(tmp_path)) == 3
    monkeypatch.setattr(corrections, "MAX_CORRECTIONS", 2)
    assert "holds more than 2 corrections" in refusal(tmp_path)
    whole = {"digits": [{"box": [0, 0, 1, 1], "label": ""}] * 3}
    (tmp_path / "a.json").write_text(json.dumps([{"path": "gone.png", "lines": [whole]}]))
    assert "a.json holds more than 2 corrections" in refusal(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(" " * 50)
    monkeypatch.setattr(corrections, "MAX_JSON_BYTES", 49)
    assert "is larger than 49 bytes" in refusal(tmp_path / "a.json")


def test_corrections_of_nothing_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    assert "a.json holds no correction" in refusal(tmp_path / "a.json")


# ---- a ZIP --------------------------------------------------------------------------------------


def zipped(path: Path, folder: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_as_the_folder_in_it(tmp_path: Path, compression: int) -> None:
    saved(tmp_path / "a" / "2" / "a.png", page("2"))
    saved(tmp_path / "a" / "none" / "b.png", page("7"))
    expected = corrections.read(tmp_path / "a")
    found = corrections.read(zipped(tmp_path / "a.zip", tmp_path / "a", compression))
    assert np.array_equal(found.images, expected.images)
    assert np.array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_python_unpacks_without_a_bound_is_refused(tmp_path: Path, method: int) -> None:
    saved(tmp_path / "a" / "2" / "a.png", page("2"))
    message = refusal(zipped(tmp_path / "a.zip", tmp_path / "a", method))
    assert f"2/a.png is compressed by method {method}; store or deflate it" in message


@pytest.mark.parametrize("name", ["../2/a.png", "/2/a.png", "2/x/a.png", "12/a.png", "a.png"])
def test_a_zip_with_any_other_name_in_it_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"")
    assert f"holds {name!r}; a ZIP must hold pictures in folders by" in refusal(tmp_path / "a.zip")


def test_a_zip_with_a_file_of_no_name_is_refused(tmp_path: Path) -> None:
    """Python 3.11's own question whether that is a folder would be an IndexError."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("2/a.png", b"")
    path.write_bytes(path.read_bytes().replace(b"2/a.png", b"\0/a.png"))  # a name ends at a zero
    assert "holds ''; a ZIP must hold pictures in folders by" in refusal(path)


def test_what_a_zip_unpacks_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2/a.png", b"0" * 100_000)
    monkeypatch.setattr(corrections, "MAX_UNPACKED_BYTES", 99_999)
    assert "unpacks to more than 99,999 bytes" in refusal(tmp_path / "a.zip")
    monkeypatch.setattr(corrections, "MAX_ZIP_BYTES", 99)
    assert "is no file of at most 99 bytes" in refusal(tmp_path / "a.zip")


def test_what_is_wrong_in_a_zip_is_told_with_its_place(tmp_path: Path) -> None:
    saved(tmp_path / "a" / "3" / "a.png", np.full((50, 50), 200, np.uint8))
    message = refusal(zipped(tmp_path / "a.zip", tmp_path / "a"))
    assert "a.zip: 3/a.png is said to be 3, but nothing is found" in message
    (tmp_path / "b.zip").write_bytes(b"PK")
    assert "b.zip is no ZIP of pictures by class" in refusal(tmp_path / "b.zip")


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_damage_to_a_zip_is_more_than_an_error_of_a_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    saved(folder / "a" / "2" / "a.png", page("2"))
    path = zipped(folder / "a.zip", folder / "a", zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        corrections.read(path)
    except DataError as error:
        assert len(str(error).splitlines()) == 1

"""Pictures are drawn by code, saved in memory and decoded; what is bad gets one clear line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from deepmnist import pictures
from deepmnist.errors import PictureError

ORIENTATION = 0x0112


def drawn(mode: str = "L", paper: object = 255, ink: object = 0) -> Image.Image:
    """A picture that looks different in each of its eight orientations: 40 wide, 60 high."""
    picture = Image.new(mode, (40, 60), paper)
    draw = ImageDraw.Draw(picture)
    draw.line([(8, 6), (8, 50), (30, 50)], fill=ink, width=5)
    draw.line([(20, 6), (32, 6)], fill=ink, width=3)
    return picture


GREY = np.asarray(drawn())


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and that holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


# ---- formats and modes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_grey_comes_back_exactly_in_every_lossless_format(kind: str, options: dict) -> None:
    grey = pictures.decode(saved(drawn(), kind, **options), "x")
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(grey, GREY)


def test_grey_comes_back_nearly_from_jpeg() -> None:
    grey = pictures.decode(saved(drawn(), "JPEG", quality=95), "x")
    assert np.abs(grey.astype(int) - GREY).max() < 40


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_every_mode_of_png_gives_the_same_grey(mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(GREY.astype(np.uint16) * 257)
    else:
        picture = drawn().convert(mode)
    np.testing.assert_array_equal(pictures.decode(saved(picture), "x"), GREY)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "RGBA", "LA"])
def test_every_further_mode_of_tiff_gives_the_same_grey(mode: str) -> None:
    picture = drawn().convert("RGB").convert(mode)
    np.testing.assert_allclose(pictures.decode(saved(picture, "TIFF"), "x"), GREY, atol=2)


def test_cmyk_jpeg_is_not_inverted() -> None:
    grey = pictures.decode(saved(drawn("RGB", "white", "black").convert("CMYK"), "JPEG"), "x")
    assert grey[0, 0] > 240
    assert grey[30, 8] < 40


@pytest.mark.parametrize("byte_order", ["<u2", ">u2"])
def test_16_bit_equals_8_bit_in_either_byte_order(byte_order: str) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = Image.fromarray((ramp.astype(np.uint16) * 257).astype(byte_order))
    np.testing.assert_array_equal(pictures.decode(saved(deep, "TIFF"), "x"), ramp)


@pytest.mark.parametrize(
    ("dtype", "white"), [("i4", 255), ("i4", 65_535), ("f4", 1), ("f4", 255), ("f4", 65_535)]
)
def test_numbers_are_scaled_by_the_least_usual_white_that_holds_them(dtype, white) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    numbers = Image.fromarray((ramp.astype(np.float64) * (white / 255)).astype(dtype))
    np.testing.assert_array_equal(pictures.decode(saved(numbers, "TIFF"), "x"), ramp)


@pytest.mark.parametrize("numbers", [[-5.0, 0.0, 5.0], [0.0, 5e5, 1e6], [-3e38, 0, 3e38]])
def test_numbers_beyond_every_usual_white_are_stretched(numbers: list[float]) -> None:
    row = Image.fromarray(np.array([numbers], np.float32))
    assert pictures.decode(saved(row, "TIFF"), "x").tolist() in ([[0, 128, 255]], [[0, 127, 255]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    row = Image.fromarray(np.array([[0, bad]], np.float32))
    with pytest.raises(PictureError, match=r"^x is damaged .*no finite number"):
        pictures.decode(saved(row, "TIFF"), "x")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_is_taken_of_a_moving_picture(kind: str) -> None:
    more = [Image.new("L", (40, 60), level) for level in (0, 100)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(drawn(), kind, save_all=True, append_images=more, **options)
    np.testing.assert_array_equal(pictures.decode(data, "x"), GREY)


# ---- transparency -------------------------------------------------------------------------------


def test_dark_ink_on_nothing_comes_on_white_paper() -> None:
    picture = drawn("RGBA", (0, 0, 0, 0), (0, 0, 0, 255))
    np.testing.assert_array_equal(pictures.decode(saved(picture), "x"), GREY)


def test_white_ink_on_nothing_comes_on_black_paper() -> None:
    picture = drawn("RGBA", (255, 255, 255, 0), (255, 255, 255, 255))
    np.testing.assert_array_equal(pictures.decode(saved(picture), "x"), 255 - GREY)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255)])
def test_transparent_corners_take_the_colour_of_the_opaque_paper(paper: int, ink: int) -> None:
    picture = drawn("LA", (paper, 255), (ink, 255))
    picture.paste((128, 0), (0, 0, 4, 4))
    grey = pictures.decode(saved(picture), "x")
    assert grey[0, 0] == paper
    assert grey[30, 8] == ink


def test_half_transparent_edges_are_blended_with_the_paper() -> None:
    picture = drawn("LA", (0, 0), (0, 128))
    assert pictures.decode(saved(picture), "x")[30, 8] == 127


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_a_transparent_colour_of_a_palette_is_paper(kind: str) -> None:
    picture = drawn("P", 0, 1)
    picture.putpalette([0, 0, 0, 10, 10, 10])
    picture.info["transparency"] = 0
    if kind == "WEBP":
        picture = picture.convert("RGBA")
    grey = pictures.decode(saved(picture, kind, **picture.info, lossless=True), "x")
    assert grey[0, 0] == 255
    assert grey[30, 8] == 10


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_colour_without_a_palette_is_paper(mode: str) -> None:
    picture = drawn().point(lambda level: 7 if level else 0).convert(mode)
    data = saved(picture, transparency=7 if mode == "L" else (7, 7, 7))
    np.testing.assert_array_equal(pictures.decode(data, "x"), GREY)


def test_an_all_transparent_picture_is_blank() -> None:
    assert np.ptp(pictures.decode(saved(Image.new("RGBA", (5, 5))), "x")) == 0


# ---- reduced ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enough", "shape"),
    [(2, (8, 5)), (7, (8, 5)), (8, (15, 10)), (15, (15, 10)), (16, (30, 20)), (30, (30, 20)),
     (31, (60, 40)), (60, (60, 40)), (999, (60, 40))],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_comes_as_small_as_is_enough(mode: str, enough: int, shape: tuple[int, int]) -> None:
    data = saved(drawn().convert(mode), "JPEG", quality=95)
    found = pictures.decode_reduced(data, "x", enough)
    assert (found.grey.shape, found.shape) == (shape, GREY.shape)
    whole = pictures.decode(data, "x")
    wanted = np.asarray(Image.fromarray(whole).resize(shape[::-1], Image.Resampling.BOX))
    assert np.abs(found.grey.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_other_formats_come_whole(kind: str) -> None:
    data = saved(drawn(), kind)
    found = pictures.decode_reduced(data, "x", 8)
    np.testing.assert_array_equal(found.grey, pictures.decode(data, "x"))
    assert found.shape == GREY.shape


def test_a_jpeg_of_four_inks_comes_whole_and_is_not_inverted() -> None:
    data = saved(drawn().convert("CMYK"), "JPEG")
    found = pictures.decode_reduced(data, "x", 8)
    np.testing.assert_array_equal(found.grey, pictures.decode(data, "x"))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_picture_is_upright_and_so_is_the_shape_it_had(
    kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](GREY)))
    found = pictures.decode_reduced(saved(stored, kind, exif=exif), "x", 30)
    assert found.shape == GREY.shape
    assert found.grey.shape == ((30, 20) if kind == "JPEG" else GREY.shape)
    assert found.grey[:2].mean() > 200


def test_a_picture_too_large_is_refused_though_it_could_be_reduced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURE_PIXELS", GREY.size - 1)
    with pytest.raises(PictureError, match="is too large"):
        pictures.decode_reduced(saved(drawn(), "JPEG"), "x", 8)


# ---- orientation --------------------------------------------------------------------------------

# How a camera stored the upright picture, by EXIF 2.32: row 0 and column 0 as seen.
STORED: dict[int, object] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, 1),  # left side up: turned a quarter to the right to be seen
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_under_every_exif_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](GREY)))
    options = {"lossless": True} if kind == "WEBP" else {}
    grey = pictures.decode(saved(stored, kind, exif=exif, **options), "x")
    np.testing.assert_allclose(grey.astype(int), GREY, atol=90 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
)
def test_damaged_metadata_do_not_keep_the_pixels_from_being_read(exif: bytes) -> None:
    np.testing.assert_array_equal(pictures.decode(saved(drawn(), exif=exif), "x"), GREY)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"^x is empty"),
        (b"hello", r"^x is no picture .* PNG, JPEG, BMP, TIFF, WEBP, GIF$"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"^x is no picture"),
        (saved(drawn())[:-60], r"^x is damaged or incomplete \(.*\); save or copy it again$"),
        (saved(drawn(), "JPEG")[:-200], r"^x is damaged or incomplete"),
        (png_header(9_000, 9_000), r"^x of 9000 x 9000 pixels is too large: at most 64,000,000"),
        (png_header(10_000, 9_500), r"^x of 10000 x 9500 pixels is too large"),
        (png_header(20_000, 20_000), r"^x is too large: at most 64,000,000 pixels"),
        (png_header(2**31 - 1, 2**31 - 1), r"^x is too large"),
        (png_header(0, 20), r"^x is no picture"),
        (
            b"GIF89a" + b"\0" * 7 + b",\0\0\0\0\0\0\0\0\0\x02\0;",
            r"^x is no picture .* or has no pixels",
        ),
    ],
)
def test_bad_data_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        pictures.decode(data, "x")


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "JPEG2000"])
def test_other_formats_of_pillow_are_not_opened(kind: str) -> None:
    with pytest.raises(PictureError, match="no picture deepmnist can read"):
        pictures.decode(saved(drawn("RGB"), kind), "x")


def test_a_tile_larger_than_the_limit_is_refused_though_its_picture_is_small() -> None:
    """Such a tile would be decoded whole: 1 GB for 28 x 28 pixels."""
    tags = {
        256: 28,
        257: 28,
        258: 8,
        259: 8,
        262: 1,
        277: 1,
        322: 2**15,
        323: 2**15,
        324: 0,
        325: 4,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(8)
    with pytest.raises(PictureError, match=r"^x with a tile of 32768 x 32768 pixels is too large"):
        pictures.decode(data, "x")


def tiff(more: dict[int, tuple[int, int, int]], size: int = 28) -> bytes:
    """A square TIFF of plain bytes: tags with their types, counts and values, 100 kB behind them.

    A value of -1 stands for the place of those bytes.
    """
    usual = {256: size, 257: size, 258: 8, 259: 1, 262: 1, 277: 1}
    every = {tag: (4, 1, value) for tag, value in usual.items()} | more
    behind = 8 + 2 + 12 * len(every) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, count, behind if value < 0 else value)
        for tag, (kind, count, value) in sorted(every.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(every)) + entries + bytes(4) + bytes(100_002)


ROWS_A_STRIP, STRIPS, RESOLUTION = 278, 273, 282
BYTES, RATIONALS = 1, 5


@pytest.mark.parametrize(
    "tag",
    [{ROWS_A_STRIP: (4, 1, 1), STRIPS: (BYTES, 100_001, -1)}, {RESOLUTION: (RATIONALS, 7_001, -1)}],
)
def test_a_tiff_of_too_many_strips_or_numbers_is_refused_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, tag: dict[int, tuple[int, int, int]]
) -> None:
    """Pillow would make an object of each, of hundreds of bytes."""
    monkeypatch.setattr(pictures, "MAX_NUMBERS", 7_000)
    monkeypatch.setattr(pictures, "_opened", None)
    with pytest.raises(PictureError, match=r"^x is a TIFF of more than 7,000 strips, tiles or"):
        pictures.decode(tiff({STRIPS: (4, 1, 0)} | tag), "x")


def test_a_tiff_whose_strips_cover_it_again_and_again_is_refused_before_decoding() -> None:
    once = {ROWS_A_STRIP: (4, 1, 14), STRIPS: (BYTES, 2, 0)}
    assert pictures.decode(tiff(once), "x").shape == (28, 28)
    again = {ROWS_A_STRIP: (4, 1, 14), STRIPS: (BYTES, 13, -1)}
    with pytest.raises(PictureError, match=r"^x is a TIFF with far more strips than it needs"):
        pictures.decode(tiff(again), "x")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("strip", [1, 7, 1_000_000])
def test_a_tiff_is_read_whatever_its_strips(mode: str, strip: int) -> None:
    picture = drawn().convert(mode) if mode != "I;16" else Image.fromarray(GREY.astype("u2") * 257)
    grey = pictures.decode(saved(picture, "TIFF", strip_size=strip), "x")
    np.testing.assert_allclose(grey, GREY, atol=2)


@pytest.mark.parametrize("several", [True, False])
def test_a_jpeg_of_too_many_scans_is_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    """Also where another follows it, which Pillow takes for another format."""
    more = {"save_all": True, "append_images": [drawn("RGB")]} if several else {}
    data = saved(drawn("RGB"), "MPO" if several else "JPEG", progressive=True, **more)
    assert pictures.decode(data, "x").shape == GREY.shape
    monkeypatch.setattr(pictures, "MAX_SCANS", 9)
    with pytest.raises(PictureError, match=r"^x is a JPEG of more than 9 scans, .*save it again$"):
        pictures.decode(data, "x")


def test_a_jpeg_of_very_many_segments_of_exif_is_refused_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = saved(drawn("RGB"), "JPEG")
    segment = b"\xff\xe1\x00\x12Exif\0\0" + bytes(10)
    some, many = (data[:2] + count * segment + data[2:] for count in (10, 11))
    assert pictures.decode(some, "x").shape == GREY.shape
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(PictureError, match=r"^x is a JPEG of more than 10 segments of EXIF, .*"):
        pictures.decode(many, "x")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_tag_of_very_many_numbers_is_not_read_beside_sound_pixels(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = struct.pack("<LHHHLL", 8, 1, ORIENTATION, 6, 2_000, 26)
    data = saved(drawn("RGB"), kind, exif=b"Exif\0\0II*\0" + tag + bytes(2_000))
    loaded, load = [], Image.Exif.load
    monkeypatch.setattr(Image.Exif, "load", lambda *given: loaded.append(1) or load(*given))
    for most, times in ((2_000, 0), (2_001, 1)):  # the tag itself counts
        monkeypatch.setattr(pictures, "MAX_NUMBERS", most)
        assert pictures.decode(data, "x").shape == GREY.shape
        assert len(loaded) == times


def test_too_many_bytes_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 2 * 1024**2)
    with pytest.raises(PictureError, match=r"^x is larger than 2 MiB"):
        pictures.decode(saved(drawn()) + bytes(2 * 1024**2), "x")


def test_no_more_than_the_limit_is_read_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 1024**2)
    with pytest.raises(PictureError, match=r"^/dev/zero is larger than 1 MiB"):
        pictures.read(Path("/dev/zero"))


def test_stdin_and_odd_names_are_shown_in_one_line() -> None:
    with pytest.raises(PictureError, match=r"^the picture on standard input is empty"):
        pictures.decode(b"", "-")
    with pytest.raises(PictureError, match=r"^'a\\nb' is empty"):
        pictures.decode(b"", "a\nb")


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(saved(drawn()))
    np.testing.assert_array_equal(pictures.read(tmp_path / "seven.png"), GREY)


def test_a_missing_file_brings_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "seven.png").touch()
    with pytest.raises(
        PictureError, match=r"sevn\.png does not exist; did you mean .*seven\.png\?$"
    ):
        pictures.read(tmp_path / "sevn.png")
    with pytest.raises(PictureError, match=r"qqq does not exist$"):
        pictures.read(tmp_path / "qqq")
    with pytest.raises(PictureError, match=r"a does not exist: there is no folder .*none$"):
        pictures.read(tmp_path / "none" / "a")


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(PictureError, match=r"is a folder with 1 pictures directly in it, not a"):
        pictures.read(tmp_path)


def test_a_file_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match=r"a\.png cannot be read: Permission denied$"):
        pictures.read(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a\0b", "a" * 5_000])
def test_a_name_no_system_takes_is_refused(name: str) -> None:
    with pytest.raises(PictureError, match="cannot be read"):
        pictures.read(Path(name))


SAMPLES = {
    kind: saved(drawn("RGB", "white", "blue"), kind)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP")
} | {"TIFF": saved(drawn("RGB"), "TIFF", compression="tiff_lzw")}


def decoded_or_refused(data: bytes) -> NDArray[np.uint8] | None:
    try:
        return pictures.decode(data, "x")
    except PictureError as error:
        assert "\n" not in str(error)
        return None


@given(st.binary(max_size=200), st.sampled_from([b"", *(data[:16] for data in SAMPLES.values())]))
def test_random_bytes_give_a_picture_error_only(tail: bytes, head: bytes) -> None:
    grey = decoded_or_refused(head + tail)
    assert grey is None or grey.dtype == np.uint8


@given(st.data(), st.sampled_from(sorted(SAMPLES)))
def test_a_file_cut_anywhere_gives_a_picture_or_a_picture_error(data, kind: str) -> None:
    whole = SAMPLES[kind]
    grey = decoded_or_refused(whole[: data.draw(st.integers(0, len(whole)))])
    assert grey is None or grey.shape == GREY.shape


@given(st.data(), st.sampled_from(sorted(SAMPLES)))
def test_altered_bytes_give_a_picture_or_a_picture_error(data, kind: str) -> None:
    altered = bytearray(SAMPLES[kind])
    places = st.integers(0, len(altered) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        altered[place] = byte
    grey = decoded_or_refused(bytes(altered))
    assert grey is None or grey.ndim == 2


# ---- which files --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pictures 1, 2 and 10, a hidden one, a text and a sub-folder."""
    for name in ("10.png", "2.PNG", "1.jpeg", "._1.png", "notes.txt", "sub.png/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["."], ["1.jpeg", "2.PNG", "10.png"]),
        (["*.png"], ["10.png"]),
        (["[12]*"], ["1.jpeg", "2.PNG", "10.png"]),
        (["**/*.png"], ["10.png", "sub.png/3.png"]),
        (["10.png", "-", "1.jpeg", "10.png"], ["10.png", "-", "1.jpeg", "10.png"]),
        (["notes.txt", "sub.png"], ["notes.txt", "sub.png/3.png"]),
        (["missing.png", "no*.png", "a\0/*"], ["missing.png", "no*.png", "a\0/*"]),
        ([], []),
    ],
)
def test_arguments_become_files_in_order(
    folder: Path, arguments: list[str], found: list[str]
) -> None:
    assert [str(path) for path in pictures.find(arguments)] == found


def test_a_file_whose_name_looks_like_a_pattern_is_itself(folder: Path) -> None:
    Path("[1].png").touch()
    Path("1.png").touch()
    assert pictures.find(["[1].png"]) == [Path("[1].png")]


@pytest.mark.parametrize("argument", ["./-", "-*", "[-]"])
def test_a_file_named_as_standard_input_is_found_as_a_file(folder: Path, argument: str) -> None:
    Path("-").touch()
    assert pictures.find([argument, "-"]) == [folder / "-", Path("-")]


def test_an_empty_folder_is_kept_for_read_to_refuse(folder: Path) -> None:
    Path("empty").mkdir()
    assert pictures.find(["empty"]) == [Path("empty")]
    with pytest.raises(PictureError, match="a folder with 0 pictures"):
        pictures.read(Path("empty"))


def test_a_folder_that_cannot_be_listed_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert pictures.find(["sub.png"]) == [Path("sub.png")]


def test_names_are_sorted_by_their_numbers(folder: Path) -> None:
    names = ["a2b10.png", "a2b9.png", "a002b1.png", "a10.png", "b1.png", "B0.png"]
    Path("many").mkdir()
    for name in names:
        (Path("many") / name).touch()
    expected = ["a002b1.png", "a2b9.png", "a2b10.png", "a10.png", "B0.png", "b1.png"]
    assert [path.name for path in pictures.find(["many"])] == expected

"""Printed glyphs: digits and letters from fonts, as they are or bent as if a hand had drawn them.

The fonts are Pillow's own and those Matplotlib brings (DejaVu, STIX, Computer Modern): sans, serif,
monospaced, bold and oblique, and alphabets from Latin to Georgian. Letters that a digit may look
like are left out: an l is no proof against a 1.
"""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deepmnist.synthesis.pens import SIDE, Draw, Levels, bent

SERIFS = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "DejaVuSerif")
SANS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "cmss10", "DejaVuSansMono")
PILLOWS = ""  # the font that comes with Pillow
DIGIT_FONTS = (*SERIFS, *SANS, "cmtt10", "DejaVuSerif-Bold", *[PILLOWS] * 6)
LETTER_FONTS = ("DejaVuSans", "DejaVuSerif")  # those that know many alphabets
HERSHEY = tuple(getattr(cv2, f"FONT_HERSHEY_{name}") for name in ("SIMPLEX", "DUPLEX", "TRIPLEX"))

_LOOK_LIKE_DIGITS = set("OolIiSsZzbqgBDJjTtYyG|ΟοΙιΖσςВОобЗзЧчІіЅѕЈјЬьЪъЫыГгТтУуүЭэΤτγʒՕօՏՑՅյՁძՀ")
_RANGES = ((0x391, 0x3CA), (0x410, 0x450), (0x531, 0x557), (0x561, 0x587), (0x10D0, 0x10F1))
_SIGNS = "&@#?%+={}<>*~^!$£€§¶±÷∞∑√∂∫≈≠←→↑↓☺♥♦★△"
_EVERY = string.ascii_letters + "".join(chr(c) for low, high in _RANGES for c in range(low, high))
LETTERS = tuple(c for c in dict.fromkeys(_EVERY + _SIGNS) if c not in _LOOK_LIKE_DIGITS)
LATIN = tuple(c for c in string.ascii_letters if c not in _LOOK_LIKE_DIGITS)


def digit(label: int, draw: Draw) -> Levels:
    """Ink (SIDE, SIDE) of a printed digit 0..9."""
    if draw.random() < 0.15:
        return _hershey(str(label), draw)
    ink = _placed(_glyph(str(label), str(draw.choice(DIGIT_FONTS))), draw)
    return _bolder(ink, draw) if draw.random() < 0.4 else ink


def _bolder(ink: Levels, draw: Draw) -> Levels:
    """Type as heavy as headlines have it."""
    width = int(draw.integers(2, 9))
    return np.asarray(cv2.dilate(ink, np.ones((width, width), np.uint8)), np.float32)


def letter(draw: Draw) -> Levels:
    """Ink (SIDE, SIDE) of a letter or sign, printed or drawn over with a pen by a shaking hand."""
    letter = str(draw.choice(LATIN if draw.random() < 0.5 else LETTERS))
    if letter in LATIN and draw.random() < 0.2:
        return _hershey(letter, draw)
    glyph = _glyph(letter, str(draw.choice(LETTER_FONTS)))
    if draw.random() < 0.15:
        return _placed(glyph, draw)
    return by_hand(_placed(_skeleton(glyph), draw), draw)


def by_hand(ink: Levels, draw: Draw) -> Levels:
    """Thin ink (SIDE, SIDE) bent as a hand would, and drawn with a pen of a drawn width."""
    width = max(1, round(draw.uniform(0.03, 0.14) * SIDE * 0.7))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.GaussianBlur(cv2.dilate(bent(ink, draw), pen), (3, 3), 0).astype(np.float32)


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    if name == PILLOWS:
        return cast(ImageFont.FreeTypeFont, ImageFont.load_default(SIDE))
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf"), SIDE)


@cache
def _glyph(text: str, font: str) -> Levels:
    """Ink (high, wide) of a character, cut to its box."""
    picture = Image.new("L", (2 * SIDE, 2 * SIDE))
    ImageDraw.Draw(picture).text((SIDE // 2, SIDE // 4), text, fill=255, font=_font(font))
    return _cut(np.asarray(picture))


def _hershey(text: str, draw: Draw) -> Levels:
    """Ink (SIDE, SIDE) in one of OpenCV's pen fonts, some of them in italics."""
    font = int(draw.choice(HERSHEY)) | (cv2.FONT_ITALIC if draw.random() < 0.3 else 0)
    picture = np.zeros((2 * SIDE, 2 * SIDE), np.uint8)
    cv2.putText(picture, text, (20, 130), font, 3.5, 255, int(draw.integers(2, 12)), cv2.LINE_AA)
    return _placed(_cut(picture), draw)


def _cut(picture: Levels | np.ndarray) -> Levels:
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (cut / np.float32(255)).astype(np.float32)


@cache
def _skeleton_of(content: bytes, shape: tuple[int, int]) -> Levels:
    """What is left of strokes when they are worn away from both sides (Lantuejoul's formula)."""
    left = (np.frombuffer(content, np.float32).reshape(shape) > 0.5).astype(np.uint8)
    left = np.pad(left, 2)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    found = np.zeros_like(left)
    while left.any():
        found |= left & ~cv2.morphologyEx(left, cv2.MORPH_OPEN, cross)
        left = cv2.erode(left, cross)
    return cv2.dilate(found, np.ones((3, 3), np.uint8)).astype(np.float32)


def _skeleton(glyph: Levels) -> Levels:
    return _skeleton_of(glyph.tobytes(), glyph.shape)


def _placed(glyph: Levels, draw: Draw) -> Levels:
    """A glyph in the middle of a canvas, its proportions changed and turned a little."""
    high = SIDE * draw.uniform(0.5, 0.8)
    scale = high / max(glyph.shape)
    aspect, shear, turn = draw.uniform(0.8, 1.25), draw.normal(0, 0.08), draw.normal(0, 0.06)
    matrix = scale * np.array([[aspect, -shear], [turn, 1.0]])
    middle = np.array([glyph.shape[1], glyph.shape[0]]) / 2
    offset = np.full(2, SIDE / 2) - matrix @ middle
    whole = np.column_stack([matrix, offset])
    soft = cv2.GaussianBlur(glyph, (0, 0), max(0.4 / scale, 0.3))
    return np.asarray(cv2.warpAffine(soft, whole, (SIDE, SIDE), flags=cv2.INTER_LINEAR))

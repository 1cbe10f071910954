"""How fast ours reads, on pictures drawn here: images, crops of one digit, a photo of a line.

    python -m benchmarks.pace [--model BUNDLE]

measures what one core does, as a worker of `deepmnist score` has it: in a process held to one, with
a predictor of one. That is what docs/scale.md counts with. benchmarks/reader.py writes the same
figures of all cores beside the accuracies. Everything is from the file's bytes to the answer,
decoding included, but `images`, which starts at 28 x 28 pixels. Medians of turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import apart, results, terminal
from deepmnist import bundle, classification, images, pictures, prediction, reader, sheet
from deepmnist.cluster.scoring import model_of
from deepmnist.prediction import Predictor

TURNS = 7
IMAGES = 10_000  # of 28 x 28 pixels, at once
CROPS = 500
CROP_SIDE = 300  # pixels
PHOTO = (3_000, 4_000)  # pixels, height and width: 12 megapixels
NUMBER = "4071962"
PAPER = cv2.COLORMAP_BONE  # a bluish white: phones save colours, which are decoded, too
FIRST = 1_000  # pictures after which memory is looked at first

Grey = NDArray[np.uint8]


def main(
    model: Annotated[Path, typer.Option(help="Bundle that is read with.")] = bundle.SHIPPED,
) -> None:
    """Measure one core, print, write benchmarks/results/pace.json."""
    figures = {"cores": 1, **apart.on_one_core(of_one_core, model)}
    print(figures)
    print(results.write("pace", figures))


def of_one_core(model: Path) -> dict[str, Any]:
    """`measure`, with what a worker of one core has. See apart.on_one_core."""
    cv2.setNumThreads(1)
    return measure(model_of(bundle.load(model)).predictor(cores=1))


def measure(predictor: Predictor) -> dict[str, Any]:
    """Rates and times, on the cores that this process and the predictor may use."""
    crops = [("crop", jpeg(crop(number))) for number in range(CROPS)]
    return {
        "images_per_second": _images_per_second(predictor),
        "crop_pixels": CROP_SIDE,
        "crops_per_second": CROPS / median_s(lambda: [*classification.classify(predictor, crops)]),
        "photo": _photo(predictor),
    }


def median_s(work: Callable[[], Any]) -> float:
    """Seconds, the median of TURNS after one that does not count."""
    work()
    seconds = []
    for _ in range(TURNS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _images_per_second(predictor: Predictor) -> dict[str, float]:
    """Of the net alone, and with each image checked and passed through by the preparation."""
    known = [images.prepare(crop(number)) for number in range(10)]
    given = np.stack([known[number % 10] for number in range(IMAGES)])

    def prepared() -> None:
        predictor.predict_proba(np.stack([images.prepare(image) for image in given]))

    return {
        "net": IMAGES / median_s(lambda: predictor.predict_proba(given)),
        "prepared": IMAGES / median_s(prepared),
    }


def _photo(predictor: Predictor) -> dict[str, Any]:
    content = jpeg(cv2.applyColorMap(photo(), PAPER))
    decoded = median_s(lambda: decode(content))
    text = ""

    def whole() -> None:
        nonlocal text
        text = "|".join(line.text for line in reader.read(decode(content), predictor).lines)

    milliseconds = 1e3 * median_s(whole)
    return {
        "pixels": list(PHOTO),
        "milliseconds": milliseconds,
        "milliseconds_decoding": 1e3 * decoded,
        "right": text == NUMBER,
    }


def decode(content: bytes) -> Grey:
    """As `deepmnist read` decodes a file."""
    return pictures.decode_reduced(content, "photo", sheet.WORK_SIDE).grey


def memory(model: Path, count: int) -> dict[str, int]:
    """Bytes that this process, which did nothing else, holds after the first crops and after all.

    What it holds then, not the most that it ever held: a peak of before would hide what grows.
    """
    predictor = prediction.load(model)
    contents = [jpeg(crop(number)) for number in range(10)]
    answers = classification.classify(
        predictor, (("crop", contents[number % 10]) for number in range(count))
    )
    first = 0
    for number, _ in enumerate(answers, start=1):
        if number == min(FIRST, count):
            first = apart.held("VmRSS")
    return {"pictures": count, "held_after_first": first, "held": apart.held("VmRSS")}


# ---- pictures -----------------------------------------------------------------------------------


def crop(number: int) -> Grey:
    """A photo of one digit, the number's last, uint8 (CROP_SIDE, CROP_SIDE)."""
    draw = np.random.default_rng(number)
    return _photographed(_written(str(number % 10), 150, 12), (CROP_SIDE, CROP_SIDE), draw)


def photo() -> Grey:
    """A phone's photo of one line, uint8 PHOTO, in light that falls off to one side."""
    return _photographed(_written(NUMBER, 400, 24), PHOTO, np.random.default_rng(0))


def _written(text: str, height: int, pen: int) -> NDArray[np.float32]:
    """Ink 0..1 of digits of a plain hand, `height` pixels high."""
    scale = height / cv2.getTextSize("0", cv2.FONT_HERSHEY_SIMPLEX, 1, 1)[0][1]
    (width, tall), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, pen)
    ink = np.zeros((tall + below + pen, width + 2 * pen), np.uint8)
    cv2.putText(ink, text, (pen, tall + pen), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, pen)
    return ink / np.float32(255)


def _photographed(
    ink: NDArray[np.float32], shape: tuple[int, int], draw: np.random.Generator
) -> Grey:
    page = np.zeros(shape, np.float32)
    top, left = (np.array(shape) - ink.shape) // 2
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    page = cv2.GaussianBlur(page, (0, 0), 1)
    light = np.linspace(215, 170, shape[1], dtype=np.float32)
    grain = draw.standard_normal(shape, np.float32) * 3
    return np.clip(light * (1 - 0.7 * page) + grain, 0, 255).astype(np.uint8)


def jpeg(picture: Grey) -> bytes:
    """The picture as a phone would save it."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


if __name__ == "__main__":
    terminal.run(main)

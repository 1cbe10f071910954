"""Images out of requests and answers into responses: JSON numbers, raw bytes, base64 pictures.

The input is `image`, float32 in 0..1 or bytes, (n, 28, 28), as docs/input-contract.md has it. Sizes
are checked before numbers are decoded, and nothing here raises anything but a Refusal.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from deepmnist import images as contract
from deepmnist import pictures
from deepmnist.contract import SIDE
from deepmnist.errors import DataError, one_line
from deepmnist.prediction import check_images
from deepmnist.rejection import Scores
from deepmnist.service.failures import Refusal
from deepmnist.service.limits import Limits
from deepmnist.service.schemas import OUTPUTS, TensorMetadata

INPUT = "image"
OUT_OF_BYTES = f"{INPUT} of UINT8 must lie in 0..255"
SPARE = 1_000  # commas of a request that stand between no numbers
DTYPES: dict[str, Any] = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}

Images = NDArray[np.uint8 | np.floating]
T = TypeVar("T")

_FLAT: dict[str, msgspec.json.Decoder[Any]] = {
    "FP32": msgspec.json.Decoder(list[float]),
    "UINT8": msgspec.json.Decoder(list[int]),
}
_NESTED: dict[str, msgspec.json.Decoder[Any]] = {
    "FP32": msgspec.json.Decoder(list[list[list[float]]]),
    "UINT8": msgspec.json.Decoder(list[list[list[int]]]),
}
INVALID = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # of what is no such JSON


def decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """JSON that others wrote; 400 with the reason where it is none, or none of this form."""
    try:
        return decode(body)
    except INVALID as error:
        raise Refusal(400, f"the body is no request of this form: {one_line(error)}") from None


def requested(decode: Callable[[bytes], T], body: bytes, limits: Limits) -> T:
    """A request's JSON; 422 where it has more numbers than all its images may.

    N numbers, however they are nested, have N - 1 commas, which are soon counted.
    """
    if body.count(b",") > limits.images * SIDE * SIDE + SPARE:
        raise Refusal(
            422, f"more numbers in a request than {limits.images:,} images have, the most taken"
        )
    return decoded(decode, body)


def inputs() -> list[TensorMetadata]:
    """What every model takes."""
    return [TensorMetadata(INPUT, "FP32", [-1, SIDE, SIDE])]


def outputs(classes: int) -> list[TensorMetadata]:
    """What a model with so many classes gives."""
    return [
        TensorMetadata(name, datatype, [-1, classes] if name == "probabilities" else [-1])
        for name, datatype in OUTPUTS.items()
    ]


# ---- images in ----------------------------------------------------------------------------------


def check_count(count: int, limits: Limits) -> None:
    """422 for more images than a request may have, 400 for none."""
    if count > limits.images:
        raise Refusal(422, f"{count:,} images in a request; at most {limits.images:,} are taken")
    if count < 1:
        raise Refusal(400, "no image in the request; give at least one")


def check_shape(shape: Sequence[int], limits: Limits) -> None:
    """400 unless a shape is (n, 28, 28), and check_count."""
    if len(shape) != 3 or tuple(shape[1:]) != (SIDE, SIDE):
        raise Refusal(400, f"{INPUT} has shape {list(shape)[:8]}; it must be [n, {SIDE}, {SIDE}]")
    check_count(shape[0], limits)


def of_bytes(content: bytes, datatype: str, count: int) -> Images:
    """`count` images out of little-endian bytes; 400 where they are too few, too many or wrong."""
    dtype = DTYPES[datatype]
    needed = count * SIDE * SIDE * dtype.itemsize
    if len(content) != needed:
        raise Refusal(
            400,
            f"{INPUT} has {len(content):,} bytes; {count} images of {datatype} have {needed:,}",
        )
    return checked(np.frombuffer(content, dtype).reshape(count, SIDE, SIDE))


def of_json(raw: bytes, datatype: str, count: int) -> Images:
    """`count` images out of a JSON array, flat or [n, 28, 28]; 400 where they are none."""
    try:
        found = _flat_array(_FLAT[datatype].decode(raw), datatype)
    except INVALID:
        found = _array(decoded(_NESTED[datatype].decode, raw), datatype)
        if found.shape[1:] != (SIDE, SIDE):
            raise Refusal(
                400, f"{INPUT} is nested as {list(found.shape)}; nest it [n, {SIDE}, {SIDE}]"
            ) from None
    if found.size != count * SIDE * SIDE:
        raise Refusal(
            400, f"{INPUT} has {found.size:,} numbers; {count} images have {count * SIDE * SIDE:,}"
        )
    return checked(found.reshape(count, SIDE, SIDE))


def _flat_array(numbers: list[Any], datatype: str) -> NDArray[Any]:
    """Of a plain list: by Python's own arrays, which take half as long as NumPy over it."""
    if datatype == "FP32":
        return np.frombuffer(array("f", numbers), np.float32)
    try:
        return np.frombuffer(bytes(numbers), np.uint8)
    except (OverflowError, ValueError):
        raise Refusal(400, OUT_OF_BYTES) from None


def _array(numbers: Any, datatype: str) -> NDArray[Any]:
    try:
        with np.errstate(all="ignore"):  # too large becomes infinite, and is refused as such
            return np.array(numbers, DTYPES[datatype])
    except OverflowError:
        raise Refusal(400, OUT_OF_BYTES) from None
    except ValueError:
        raise Refusal(400, f"{INPUT} has rows of different lengths") from None


def checked(found: Images) -> Images:
    """Images in their range; 400 where they are not."""
    try:
        check_images(found)
    except DataError as error:
        raise Refusal(400, str(error)) from None
    return found


def of_picture(text: str, limits: Limits) -> NDArray[np.uint8]:
    """The image, uint8 (28, 28), of a base64 picture of one digit. For worker threads.

    400 where it is no base64, PictureError where it is no picture.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "b64 holds what is no base64") from None
    picture = pictures.decode_reduced(content, "the picture", contract.WORK_SIDE, limits.pixels)
    return contract.prepare(picture.grey)


def of_rows(rows: list[list[float]]) -> NDArray[np.float32]:
    """One image, float32 (28, 28), of nested JSON numbers; 400 where it is none."""
    found = _array(rows, "FP32")
    if found.shape != (SIDE, SIDE):
        raise Refusal(400, f"an {INPUT} has shape {list(found.shape)}; give [{SIDE}, {SIDE}]")
    return found


def unknown_output(name: str) -> NoReturn:
    """400: no such output."""
    raise Refusal(400, f"no output is called {name[:80]!r}; known: {', '.join(OUTPUTS)}")


# ---- answers out --------------------------------------------------------------------------------


def output(
    name: str, scores: Scores, class_names: Sequence[str], threshold: float
) -> NDArray[Any] | list[str]:
    """One of OUTPUTS: an array of n rows, or n labels."""
    if name == "label":
        return [class_names[best] for best in scores.probabilities.argmax(axis=1)]
    if name == "accepted":
        return np.asarray(scores.confidence >= threshold)
    return np.asarray(getattr(scores, name))


def plain(value: NDArray[Any] | list[str]) -> list[Any]:
    """An output as JSON has it, nested as its shape is."""
    return value if isinstance(value, list) else list(value.tolist())


def flat(value: NDArray[Any] | list[str]) -> list[Any]:
    """An output as JSON has it, in row-major order."""
    return value if isinstance(value, list) else list(value.ravel().tolist())


def packed(value: NDArray[Any] | list[str]) -> bytes:
    """An output as little-endian bytes; each label after its length in four bytes."""
    if isinstance(value, list):
        texts = [text.encode() for text in value]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return value.astype("<f4" if value.dtype.kind == "f" else "?", copy=False).tobytes()

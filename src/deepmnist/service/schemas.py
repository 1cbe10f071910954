"""What goes over the wire in JSON: the records that requests are decoded into, and their schemas.

One definition is both the parser (msgspec: compiled, strict, no NaN) and the OpenAPI description.
Numbers of images stay raw here: how many may come is checked before they are decoded (tensors.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from deepmnist.contract import SIDE

Label = str

IMAGE_ROWS: dict[str, Any] = {
    "type": "array",
    "minItems": SIDE,
    "maxItems": SIDE,
    "items": {
        "type": "array",
        "minItems": SIDE,
        "maxItems": SIDE,
        "items": {"type": "number", "minimum": 0, "maximum": 1},
    },
}
PICTURE: dict[str, Any] = {
    "type": "object",
    "required": ["b64"],
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "additionalProperties": False,
}
IMAGE: dict[str, Any] = {"anyOf": [IMAGE_ROWS, PICTURE]}
NAMED: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {"image": IMAGE},
    "additionalProperties": False,
}
IMAGES: dict[str, Any] = {"type": "array", "minItems": 1, "items": IMAGE}


INSTANCES: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"anyOf": [IMAGE_ROWS, PICTURE, NAMED]},
}
COLUMN: dict[str, Any] = {**NAMED, "properties": {"image": IMAGES}}
OUTPUTS = {  # name: datatype
    "probabilities": "FP32",
    "single": "FP32",
    "confidence": "FP32",
    "label": "BYTES",
    "accepted": "BOOL",
}
SHAPE: dict[str, Any] = {
    "minItems": 3,
    "maxItems": 3,
    "prefixItems": [{"type": "integer", "minimum": 1}, {"const": SIDE}, {"const": SIDE}],
    "examples": [[1, SIDE, SIDE]],
}
Refused = Annotated[msgspec.Raw, Meta(extra_json_schema={"not": {}})]
NUMBERS: dict[str, Any] = {
    "type": "array",
    "description": "The tensor, flat in row-major order or nested; not with `binary_data_size`.",
}

# ---- Open Inference Protocol v2 -----------------------------------------------------------------
# Parameters that are not named here are skipped, whatever they hold.


class Extensions(Struct, omit_defaults=True):
    """Parameters of extensions that are not supported: who gives one is refused."""

    classification: Refused = msgspec.field(default_factory=msgspec.Raw)
    shared_memory_region: Refused = msgspec.field(default_factory=msgspec.Raw)


class InputParameters(Extensions, omit_defaults=True):
    """Parameters of an input."""

    binary_data_size: int | None = None


class OutputParameters(Extensions, omit_defaults=True):
    """Parameters of an output."""

    binary_data: bool | None = None


class RequestParameters(Struct, omit_defaults=True):
    """Parameters of a request."""

    binary_data_output: bool = False


class InferInput(Struct, omit_defaults=True):
    """One input tensor."""

    name: Annotated[str, Meta(description="`image`", extra_json_schema={"enum": ["image"]})]
    shape: Annotated[list[int], Meta(description=f"[n, {SIDE}, {SIDE}]", extra_json_schema=SHAPE)]
    datatype: Annotated[
        str,
        Meta(
            description="`FP32` (0 paper .. 1 ink) or `UINT8` (0 paper .. 255 ink)",
            extra_json_schema={"enum": ["FP32", "UINT8"]},
        ),
    ]
    parameters: Annotated[
        InputParameters, Meta(description="`binary_data_size`: bytes of it after the JSON")
    ] = msgspec.field(default_factory=InputParameters)
    data: Annotated[msgspec.Raw, Meta(extra_json_schema=NUMBERS)] = msgspec.field(
        default_factory=msgspec.Raw
    )


class InferOutput(Struct, omit_defaults=True):
    """One output that is asked for."""

    name: Annotated[
        str,
        Meta(
            description="`probabilities`, `single`, `confidence`, `label` or `accepted`",
            extra_json_schema={"enum": list(OUTPUTS)},
        ),
    ]
    parameters: Annotated[
        OutputParameters, Meta(description="`binary_data`: whether it comes after the JSON")
    ] = msgspec.field(default_factory=OutputParameters)


class InferRequest(Struct, omit_defaults=True):
    """A request to infer."""

    inputs: Annotated[list[InferInput], Meta(min_length=1, max_length=1)]
    id: str = ""
    parameters: Annotated[
        RequestParameters,
        Meta(description="`binary_data_output`: whether outputs come after the JSON"),
    ] = msgspec.field(default_factory=RequestParameters)
    outputs: Annotated[list[InferOutput], Meta(max_length=16)] = []


class TensorMetadata(Struct):
    """A tensor's name, type and shape; -1 is a size that varies."""

    name: str
    datatype: str
    shape: list[int]


class InferredOutput(Struct, omit_defaults=True):
    """One output tensor, flat in row-major order."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Annotated[
        dict[str, int], Meta(description="`binary_data_size`: bytes of it after the JSON")
    ] = {}
    data: list[float | str | bool] | None = None


class InferResponse(Struct, omit_defaults=True):
    """The answer to a request to infer."""

    model_name: str
    model_version: str
    outputs: list[Any]
    id: str = ""


class ServerMetadata(Struct):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class ModelMetadata(Struct):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Live(Struct):
    """Whether the server lives."""

    live: bool


class Ready(Struct):
    """Whether the server is ready."""

    ready: bool


class ModelReady(Struct):
    """Whether a model is ready."""

    name: str
    ready: bool


# ---- TensorFlow Serving -------------------------------------------------------------------------


class PredictRequest(Struct):
    """A request to predict: `instances` (rows) or `inputs` (columns)."""

    instances: Annotated[msgspec.Raw, Meta(extra_json_schema=INSTANCES)] = msgspec.field(
        default_factory=msgspec.Raw
    )
    inputs: Annotated[msgspec.Raw, Meta(extra_json_schema={"anyOf": [IMAGES, COLUMN]})] = (
        msgspec.field(default_factory=msgspec.Raw)
    )
    signature_name: str = "serving_default"


class Row(Struct):
    """The answer to one instance."""

    probabilities: list[float]
    single: float
    confidence: float
    label: str
    accepted: bool


class Columns(Struct):
    """The answers, column by column."""

    probabilities: list[list[float]]
    single: list[float]
    confidence: list[float]
    label: list[str]
    accepted: list[bool]


class Predictions(Struct):
    """The answer to `instances`."""

    predictions: list[Row]


class Outputs(Struct):
    """The answer to `inputs`."""

    outputs: Columns


class VersionError(Struct):
    """OK, always: what is not well is not served."""

    error_code: str = "OK"
    error_message: str = ""


class VersionStatus(Struct):
    """One version of a model."""

    version: str
    state: Literal["AVAILABLE"] = "AVAILABLE"
    status: VersionError = msgspec.field(default_factory=VersionError)


class ModelStatus(Struct):
    """The versions of a model."""

    model_version_status: list[VersionStatus]


# ---- reading ------------------------------------------------------------------------------------


class ReadDigit(Struct):
    """One digit: its box (left, top, right, bottom, in pixels) and what it is."""

    box: Annotated[list[int], Meta(min_length=4, max_length=4)]
    label: str
    probability: float
    confidence: float
    accepted: bool
    reason: str | None


class ReadLine(Struct):
    """A line of digits, left to right."""

    text: str
    probability: float
    digits: list[ReadDigit]


class ReadPicture(Struct):
    """What was read in a picture; `path` is the file name it was sent under."""

    path: str | None
    lines: list[ReadLine]


class Error(Struct):
    """What went wrong, in one line."""

    error: str


SCHEMAS = (
    *(InferRequest, InferResponse, InferredOutput, ServerMetadata, ModelMetadata),
    *(Live, Ready, ModelReady, PredictRequest, Predictions, Outputs, ModelStatus),
    *(ReadPicture, Error),
)


def components() -> dict[str, Any]:
    """Every schema by name, as OpenAPI 3.1 has them."""
    _, found = msgspec.json.schema_components(SCHEMAS, ref_template=REFERENCE)
    return found


REFERENCE = "#/components/schemas/{name}"


def reference(schema: type[Struct]) -> dict[str, str]:
    """A reference to a schema among the components."""
    return {"$ref": REFERENCE.format(name=schema.__name__)}

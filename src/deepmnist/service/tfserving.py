"""TensorFlow Serving's REST API: model status, metadata, predict by rows or by columns.

https://www.tensorflow.org/tfx/serving/api_rest. The one signature is `serving_default`, its input
`image` a float in 0..1. Where a picture file stands ({"b64": ...}) in place of numbers, it is
decoded and prepared as docs/input-contract.md says.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from deepmnist.service import examples, tensors
from deepmnist.service.failures import Refusal
from deepmnist.service.limits import Limits
from deepmnist.service.readings import Readings
from deepmnist.service.registry import Registry, Served
from deepmnist.service.routes import (
    BINARY,
    FORM,
    JSON,
    Bare,
    answer,
    asked_model,
    bare,
    check_content_type,
    errors,
    responded,
)
from deepmnist.service.schemas import (
    OUTPUTS,
    ModelStatus,
    Outputs,
    Predictions,
    PredictRequest,
    VersionStatus,
    reference,
)

SIGNATURE = "serving_default"
TAG = "TensorFlow Serving"
DT = {"FP32": "DT_FLOAT", "BYTES": "DT_STRING", "BOOL": "DT_BOOL"}

_decode = msgspec.json.Decoder(PredictRequest).decode
_all_numbers = msgspec.json.Decoder(list[list[list[float]]]).decode
_some = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Picture(msgspec.Struct, forbid_unknown_fields=True):
    b64: str


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    image: msgspec.Raw


_Value: TypeAlias = NDArray[np.float32] | _Picture  # an image (28, 28), or what becomes one

_one = msgspec.json.Decoder(list[list[float]] | _Picture).decode
_named = msgspec.json.Decoder(_Named).decode


class TensorFlowServing:
    """The API's routes, for the models of a registry."""

    def __init__(self, models: Registry, limits: Limits, readings: Readings) -> None:
        self.models = models
        self.limits = limits
        self.readings = readings

    def routes(self) -> list[Bare]:
        """The routes, those first that are asked most."""
        model, version = "/v1/models/{model}", "/v1/models/{model}/versions/{version}"
        return [
            self._predict(f"{model}:predict"),
            self._predict(f"{version}:predict"),
            *self._about(model),
            *self._about(version),
        ]

    def _predict(self, path: str) -> Bare:
        schema = {"anyOf": [reference(Predictions), reference(Outputs)]}
        refusals = errors(400, 404, 408, 413, 415, 422, 503)
        responses = answer(schema, examples.PREDICTIONS) | refusals
        return bare(path, self.predict, TAG, responses, examples.predict())

    def _about(self, path: str) -> list[Bare]:
        status = answer(reference(ModelStatus), examples.STATUS)
        metadata = answer({"type": "object"}, _metadata("digits", 1, 10))
        return [
            bare(path, self.status, TAG, status | errors(404)),
            bare(f"{path}/metadata", self.metadata, TAG, metadata | errors(404)),
        ]

    # ---- what answers ---------------------------------------------------------------------------

    async def status(self, request: Request) -> Response:
        """The versions of a model and their state."""
        found = asked_model(request, self.models)
        one = "version" in request.path_params
        versions = [found.version] if one else self.models.versions(found.name)[::-1]
        return responded(ModelStatus([VersionStatus(str(each)) for each in versions]))

    async def metadata(self, request: Request) -> Response:
        """The signature of a model, as TensorFlow describes it."""
        found = asked_model(request, self.models)
        return responded(_metadata(found.name, found.version, len(found.batcher.class_names)))

    async def predict(self, request: Request) -> Response:
        """Answers for images or pictures, in rows (instances) or in columns (inputs)."""
        found = asked_model(request, self.models)
        check_content_type(request, JSON, FORM, BINARY)
        asked = tensors.requested(_decode, await request.body(), self.limits)
        raw, by_rows = _given(asked)
        images = await self._images(raw, by_rows, request.receive)
        return _response(found, await found.batcher.answer(images), by_rows)

    async def _images(self, raw: bytes, by_rows: bool, receive: Receive) -> tensors.Images:
        """Float32 or uint8 (n, 28, 28) of the JSON in `instances` or `inputs`."""
        if not by_rows and raw.lstrip()[:1] == b"{":
            raw = bytes(tensors.decoded(_named, raw).image)
        values = tensors.decoded(_some, raw)
        tensors.check_count(len(values), self.limits)
        try:
            numbers = _all_numbers(raw)
        except tensors.INVALID:
            found = [_value(bytes(value), by_rows) for value in values]
            return await self._mixed(found, receive)
        return tensors.checked(np.stack([tensors.of_rows(rows) for rows in numbers]))

    async def _mixed(self, values: list[_Value], receive: Receive) -> tensors.Images:
        """Images of values of which some are pictures."""
        count = sum(isinstance(each, _Picture) for each in values)
        if count > self.limits.pictures:
            raise Refusal(
                422, f"{count} pictures in a request; at most {self.limits.pictures} are taken"
            )

        def prepared() -> tensors.Images:
            return np.stack([_prepared(each, self.limits) for each in values])

        return tensors.checked(await self.readings.run(prepared, receive))


def _given(asked: PredictRequest) -> tuple[bytes, bool]:
    """The JSON of the images, and whether they are rows."""
    if asked.signature_name not in ("", SIGNATURE):
        raise Refusal(
            400, f"no signature is called {asked.signature_name[:80]!r}; the one is {SIGNATURE!r}"
        )
    rows, columns = bytes(asked.instances), bytes(asked.inputs)
    if bool(rows) == bool(columns):
        raise Refusal(400, "give either 'instances' or 'inputs'")
    return rows or columns, bool(rows)


def _value(raw: bytes, may_be_named: bool) -> _Value:
    """An instance: numbers, a picture, or either under the input's name.

    Numbers become an image at once: as objects of Python they would wait in ten times the memory.
    """
    if may_be_named:
        with suppress(*tensors.INVALID):  # else it is the value itself
            raw = bytes(_named(raw).image)
    value = tensors.decoded(_one, raw)
    return value if isinstance(value, _Picture) else tensors.of_rows(value)


def _prepared(value: _Value, limits: Limits) -> NDArray[np.float32]:
    if isinstance(value, _Picture):
        return tensors.of_picture(value.b64, limits).astype(np.float32) / np.float32(255)
    return value


# ---- out ----------------------------------------------------------------------------------------


def _response(found: Served, scores: Any, by_rows: bool) -> Response:
    batcher = found.batcher
    columns = {
        name: tensors.plain(tensors.output(name, scores, batcher.class_names, batcher.threshold))
        for name in OUTPUTS
    }
    if not by_rows:
        return responded({"outputs": columns})
    rows = zip(*columns.values(), strict=True)
    return responded({"predictions": [dict(zip(columns, row, strict=True)) for row in rows]})


def _metadata(name: str, version: int, classes: int) -> dict[str, Any]:
    """The GetModelMetadataResponse of a model, in protobuf's JSON."""
    signature = {
        "inputs": {each.name: _tensor_info(each) for each in tensors.inputs()},
        "outputs": {each.name: _tensor_info(each) for each in tensors.outputs(classes)},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _tensor_info(tensor: Any) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in tensor.shape]
    return {
        "dtype": DT[tensor.datatype],
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "name": f"{SIGNATURE}_{tensor.name}:0",
    }

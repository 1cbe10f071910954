"""The Open Inference Protocol, version 2, over HTTP, with the binary tensor data extension.

https://github.com/kserve/open-inference-protocol; the extension is the one that Triton and KServe
describe: tensors after the JSON, whose length Inference-Header-Content-Length gives. Parameters
that would change what is sent or answered and are not known here are refused, others ignored.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

import deepmnist
from deepmnist.rejection import Scores
from deepmnist.service import examples, tensors
from deepmnist.service.failures import Refusal
from deepmnist.service.limits import Limits
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
    Extensions,
    InferInput,
    InferredOutput,
    InferRequest,
    InferResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
    reference,
)

HEADER_LENGTH = "inference-header-content-length"
PLATFORM = "deepmnist_litert"
EXTENSIONS = ["binary_tensor_data"]
TAG = "Open Inference Protocol v2"

_decode = msgspec.json.Decoder(InferRequest).decode


class OpenInference:
    """The protocol's routes, for the models of a registry."""

    def __init__(self, models: Registry, limits: Limits) -> None:
        self.models = models
        self.limits = limits

    def routes(self) -> list[Bare]:
        """The routes, those first that are asked most."""
        model, version = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
        return [
            self._infer(f"{model}/infer"),
            self._infer(f"{version}/infer"),
            *self._about(model),
            *self._about(version),
            bare("/v2", self.server, TAG, answer(reference(ServerMetadata), examples.SERVER)),
            bare("/v2/health/live", self.live, TAG, answer(reference(Live), {"live": True})),
            bare("/v2/health/ready", self.ready, TAG, answer(reference(Ready), {"ready": True})),
        ]

    def _infer(self, path: str) -> Bare:
        responses = answer(reference(InferResponse), examples.INFERRED, binary=True)
        refusals = errors(400, 404, 408, 413, 415, 422, 503)
        return bare(path, self.infer, TAG, responses | refusals, examples.infer(), [LENGTH])

    def _about(self, path: str) -> list[Bare]:
        about = answer(reference(ModelMetadata), examples.MODEL)
        ready = answer(reference(ModelReady), {"name": "digits", "ready": True})
        return [
            bare(path, self.model, TAG, about | errors(404)),
            bare(f"{path}/ready", self.model_ready, TAG, ready | errors(404)),
        ]

    # ---- what answers ---------------------------------------------------------------------------

    async def server(self, request: Request) -> Response:
        """What this server is and can."""
        return responded(ServerMetadata("deepmnist", deepmnist.__version__, EXTENSIONS))

    async def live(self, request: Request) -> Response:
        """Whether the server answers at all. Needs no API key."""
        return responded(Live(True))

    async def ready(self, request: Request) -> Response:
        """Whether models are loaded. Needs no API key."""
        return responded(Ready(True))

    async def model(self, request: Request) -> Response:
        """What a model takes and gives."""
        found = asked_model(request, self.models)
        versions = [str(each) for each in self.models.versions(found.name)]
        outputs = tensors.outputs(len(found.batcher.class_names))
        return responded(ModelMetadata(found.name, versions, PLATFORM, tensors.inputs(), outputs))

    async def model_ready(self, request: Request) -> Response:
        """Whether a model is ready; one that is served is."""
        return responded(ModelReady(asked_model(request, self.models).name, True))

    async def infer(self, request: Request) -> Response:
        """Answers for images; those of requests that arrive together run as one batch."""
        found = asked_model(request, self.models)
        check_content_type(request, JSON, BINARY, FORM)
        body = await request.body()
        length = _header_length(request, len(body))
        asked = tensors.requested(_decode, body if length is None else body[:length], self.limits)
        wanted = _wanted(asked)
        images = _images(asked.inputs[0], b"" if length is None else body[length:], self.limits)
        scores = await found.batcher.answer(images)
        return _response(asked.id, wanted, found, scores)


LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "required": False,
    "description": "Bytes of the JSON, where tensors come after it.",
    "schema": {"type": "integer", "minimum": 0},
}


# ---- in -----------------------------------------------------------------------------------------


def _header_length(request: Request, most: int) -> int | None:
    given = request.headers.getlist(HEADER_LENGTH)
    if not given:
        return None
    text = given[0]
    if len(given) > 1 or not (text.isascii() and text.isdigit()) or not 0 < len(text) < 12:
        raise Refusal(400, f"{HEADER_LENGTH} must be given once, as a whole number")
    if int(text) > most:
        raise Refusal(400, f"{HEADER_LENGTH} is {text}; the body has {most:,} bytes")
    return int(text)


def _wanted(asked: InferRequest) -> list[tuple[str, bool]]:
    """(name, whether as bytes) of each output that is asked for; all where none is named."""
    everywhere = asked.parameters.binary_data_output
    if not asked.outputs:
        return [(name, everywhere) for name in OUTPUTS]
    wanted = []
    for output in asked.outputs:
        if output.name not in OUTPUTS:
            tensors.unknown_output(output.name)
        _check_supported(output.parameters)
        binary = output.parameters.binary_data
        wanted.append((output.name, everywhere if binary is None else binary))
    if len({name for name, _ in wanted}) < len(wanted):
        raise Refusal(400, "an output is asked for twice; name each once")
    return wanted


def _check_supported(parameters: Extensions) -> None:
    for name in Extensions.__struct_fields__:
        if bytes(getattr(parameters, name)):
            raise Refusal(400, f"the parameter {name} is an extension that is not supported here")


def _images(tensor: InferInput, rest: bytes, limits: Limits) -> tensors.Images:
    """The images of the one input; `rest` is what comes after the JSON."""
    if tensor.name != tensors.INPUT:
        raise Refusal(
            400, f"no input is called {tensor.name[:80]!r}; give one, called {tensors.INPUT!r}"
        )
    if tensor.datatype not in tensors.DTYPES:
        raise Refusal(
            400, f"the datatype is {tensor.datatype[:80]!r}; give {' or '.join(tensors.DTYPES)}"
        )
    tensors.check_shape(tensor.shape, limits)
    _check_supported(tensor.parameters)
    size = tensor.parameters.binary_data_size
    if size is None:
        if rest:
            raise Refusal(400, f"{len(rest):,} bytes come after the JSON; no input claims them")
        return tensors.of_json(bytes(tensor.data), tensor.datatype, tensor.shape[0])
    if size != len(rest) or bytes(tensor.data):
        raise Refusal(
            400,
            f"{len(rest):,} bytes come after the JSON; binary_data_size must say so, "
            "and data must be left out",
        )
    return tensors.of_bytes(rest, tensor.datatype, tensor.shape[0])


# ---- out ----------------------------------------------------------------------------------------


def _response(
    identifier: str, wanted: list[tuple[str, bool]], found: Served, scores: Scores
) -> Response:
    outputs, after = [], []
    batcher = found.batcher
    for name, binary in wanted:
        value = tensors.output(name, scores, batcher.class_names, batcher.threshold)
        shape = [len(value)] if isinstance(value, list) else list(value.shape)
        told = InferredOutput(name, OUTPUTS[name], shape)
        if binary:
            after.append(tensors.packed(value))
            told.parameters = {"binary_data_size": len(after[-1])}
        else:
            told.data = tensors.flat(value)
        outputs.append(told)
    head = msgspec.json.encode(InferResponse(found.name, str(found.version), outputs, identifier))
    if not after:
        return Response(head, media_type=JSON)
    return Response(
        head + b"".join(after), headers={HEADER_LENGTH: str(len(head))}, media_type=BINARY
    )

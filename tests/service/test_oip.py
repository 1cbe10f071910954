"""oip.py: the Open Inference Protocol v2, its binary extension, and every way to get it wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import deepmnist
from deepmnist import prediction
from deepmnist.service.registry import Registry
from tests.conftest import FakePredictor
from tests.service.conftest import Images, infer_body, refusal, running

PATH = "/v2/models/digits/infer"


def infer(client: TestClient, body: Any, path: str = PATH) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def outputs(answer: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in answer["outputs"]}


def binary(images: Any, **more: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request with its tensor after the JSON."""
    asked = infer_body(images, **more)
    asked["inputs"][0].pop("data")
    asked["inputs"][0]["parameters"] = {"binary_data_size": images.nbytes}
    head = json.dumps(asked).encode()
    headers = {
        "inference-header-content-length": str(len(head)),
        "content-type": "application/octet-stream",
    }
    return head + images.tobytes(), headers


# ---- what it is ---------------------------------------------------------------------------------


def test_the_server_says_what_it_is(client: TestClient) -> None:
    assert client.get("/v2").json() == {
        "name": "deepmnist",
        "version": deepmnist.__version__,
        "extensions": ["binary_tensor_data"],
    }
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


@pytest.mark.parametrize("path", ["/v2/models/digits", "/v2/models/digits/versions/1"])
def test_a_model_says_what_it_takes_and_gives(client: TestClient, path: str) -> None:
    found = client.get(path).json()
    assert (found["name"], found["versions"]) == ("digits", ["1"])
    assert found["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 28, 28]}]
    shapes = {output["name"]: output["shape"] for output in found["outputs"]}
    assert shapes["probabilities"] == [-1, 10]
    assert client.get(f"{path}/ready").json() == {"name": "digits", "ready": True}


@pytest.mark.parametrize(
    "path", ["/v2/models/no", "/v2/models/digits/versions/2", "/v2/models/digits/versions/x"]
)
def test_what_is_not_served_is_404_and_what_is_is_named(client: TestClient, path: str) -> None:
    for each in (client.get(path), client.get(f"{path}/ready"), client.post(f"{path}/infer")):
        assert "is not served; served: digits (1)" in refusal(each, 404)


# ---- inference ----------------------------------------------------------------------------------


def test_every_output_is_what_the_predictor_says(client: TestClient, some_images: Images) -> None:
    answer = infer(client, infer_body(some_images))
    assert (answer["model_name"], answer["model_version"]) == ("digits", "1")
    assert "id" not in answer
    found, expected = outputs(answer), FakePredictor.answers(some_images)
    assert found["label"] == [str(label) for label in expected]
    assert np.argmax(np.reshape(found["probabilities"], (5, 10)), axis=1).tolist() == list(expected)
    assert found["single"] == [1] * 5
    assert found["confidence"] == pytest.approx([0.91] * 5)
    assert found["accepted"] == [True] * 5


def test_bytes_and_fractions_and_flat_and_nested_are_the_same(
    client: TestClient, some_images: Images
) -> None:
    fractions = (some_images / 255).astype(np.float32)
    nested = infer_body(some_images)
    nested["inputs"][0]["data"] = some_images.tolist()
    bodies = [infer_body(some_images), nested, infer_body(fractions)]
    answers = [outputs(infer(client, body)) for body in bodies]
    assert answers[0] == answers[1] == answers[2]


def test_an_empty_image_is_no_digit(client: TestClient) -> None:
    found = outputs(infer(client, infer_body(np.zeros((1, 28, 28), np.uint8))))
    assert (found["single"], found["accepted"]) == ([0], [False])


def test_only_the_outputs_asked_for_come_in_their_order_with_the_id(
    client: TestClient, some_images: Images
) -> None:
    asked = [{"name": "label"}, {"name": "probabilities"}]
    answer = infer(client, infer_body(some_images, outputs=asked, id="x1"))
    assert answer["id"] == "x1"
    assert [output["name"] for output in answer["outputs"]] == ["label", "probabilities"]


def test_tensors_come_and_go_as_bytes_after_the_json(
    client: TestClient, some_images: Images
) -> None:
    asked = [
        {"name": "probabilities"},
        {"name": "label"},
        {"name": "confidence", "parameters": {"binary_data": False}},
        {"name": "accepted"},
    ]
    fractions = (some_images / 255).astype("<f4")
    body, headers = binary(fractions, outputs=asked, parameters={"binary_data_output": True})
    response = client.post(PATH, content=body, headers=headers)
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers["inference-header-content-length"])
    head, rest = json.loads(response.content[:length]), response.content[length:]
    sizes = [out.get("parameters", {}).get("binary_data_size") for out in head["outputs"]]
    assert sizes == [200, 25, None, 5]
    expected = FakePredictor.answers(some_images)
    probabilities = np.frombuffer(rest[:200], "<f4").reshape(5, 10)
    assert probabilities.argmax(axis=1).tolist() == expected.tolist()
    assert rest[200:225] == b"".join(b"\1\0\0\0" + str(label).encode() for label in expected)
    assert rest[225:] == b"\1" * 5


def test_a_header_length_of_the_whole_body_is_plain_json(
    client: TestClient, some_images: Images
) -> None:
    body = json.dumps(infer_body(some_images)).encode()
    headers = {"inference-header-content-length": str(len(body))}
    response = client.post(PATH, content=body, headers=headers)
    assert response.status_code == 200


def test_a_type_that_curl_gives_by_default_is_taken(
    client: TestClient, some_images: Images
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = json.dumps(infer_body(some_images))
    assert client.post(PATH, content=body, headers=headers).status_code == 200


# ---- what is wrong ------------------------------------------------------------------------------


def changed(images: Images, **changes: Any) -> dict[str, Any]:
    body = infer_body(images)
    body["inputs"][0].update(changes)
    return body


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "x"}, "no input is called 'x'"),
        ({"datatype": "INT64"}, "the datatype is 'INT64'; give FP32 or UINT8"),
        ({"shape": [5, 784]}, r"image has shape \[5, 784\]; it must be \[n, 28, 28\]"),
        ({"shape": [0, 28, 28]}, "no image in the request"),
        ({"shape": [-5, 28, 28]}, "no image in the request"),
        ({"shape": [4, 28, 28]}, "image has 3,920 numbers; 4 images have 3,136"),
        ({"shape": "many"}, "no request of this form"),
        ({"data": [1, 2]}, "image has 2 numbers; 5 images have 3,920"),
        ({"data": [[[1, 2], [3]]]}, "rows of different lengths"),
        ({"data": np.zeros((28, 28, 5), int).tolist()}, r"is nested as \[28, 28, 5\]"),
        ({"data": [[[1]] * 784] * 5}, r"nested as \[5, 784, 1\]"),
        ({"data": []}, "image has 0 numbers"),
        ({"data": "text"}, "no request of this form"),
        ({"data": {"a": 1}}, "no request of this form"),
        ({"data": [256] * 3920}, r"must lie in 0\.\.255"),
        ({"data": [-1] * 3920}, r"must lie in 0\.\.255"),
        ({"data": [0.5] * 3920}, "no request of this form"),
        ({"data": [10**30] * 3920}, r"must lie in 0\.\.255"),
        ({"datatype": "FP32", "data": [1.5] * 3920}, r"they must lie in 0\.\.1"),
        ({"datatype": "FP32", "data": [1e39] * 3920}, r"they must lie in 0\.\.1"),
        ({"parameters": {"shared_memory_region": "x"}}, "shared_memory_region is an extension"),
        ({"parameters": {"binary_data_size": 9}}, "0 bytes come after the JSON"),
        ({"parameters": {"binary_data_size": "9"}}, r"Expected `int \| null`, got `str`"),
    ],
)
def test_a_tensor_that_is_wrong_is_400(
    client: TestClient, some_images: Images, changes: dict[str, Any], message: str
) -> None:
    told = refusal(client.post(PATH, json=changed(some_images, **changes)), 400)
    assert re.search(message, told), told


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"outputs": [{"name": "x"}]}, "no output is called 'x'; known: probabilities"),
        ({"outputs": [{"name": "label"}] * 2}, "asked for twice"),
        (
            {"outputs": [{"name": "label", "parameters": {"classification": 3}}]},
            "classification is an extension",
        ),
        ({"parameters": {"binary_data_output": "yes"}}, "Expected `bool`, got `str`"),
        ({"inputs": []}, "no request of this form"),
        ({"id": 5}, "no request of this form"),
    ],
)
def test_a_request_that_is_wrong_is_400(
    client: TestClient, some_images: Images, more: dict[str, Any], message: str
) -> None:
    assert message in refusal(client.post(PATH, json={**infer_body(some_images), **more}), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"inputs":' * 20_000,
        b'{"inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32","data":[NaN]}]}',
        b'{"inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32","data":[Infinity]}]}',
        b'{"inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32","data":[1e999]}]}',
        b'{"inputs":[{"name":"image","shape":[1e400,28,28],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32","data":'
        + b"[" * 50_000
        + b"]" * 50_000
        + b"}]}",
        b'{"inputs":[{"name":"\\ud800","shape":[1,28,28],"datatype":"FP32","data":[1]}]}',
    ],
)
def test_what_is_no_json_of_this_form_is_400(client: TestClient, body: bytes) -> None:
    refusal(client.post(PATH, content=body, headers={"content-type": "application/json"}), 400)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (["x"], "as a whole number"),
        (["-1"], "as a whole number"),
        (["9" * 20], "as a whole number"),
        (["5", "5"], "given once"),
        (["99999999"], "the body has"),
        (["0"], "no request of this form"),
        (["3"], "no request of this form"),
    ],
)
def test_a_header_length_that_is_wrong_is_400(
    client: TestClient, some_images: Images, length: list[str], message: str
) -> None:
    body, headers = binary(some_images)
    headers.pop("inference-header-content-length")
    given = [*headers.items(), *(("inference-header-content-length", each) for each in length)]
    assert message in refusal(client.post(PATH, content=body, headers=given), 400)


def test_bytes_too_few_or_unclaimed_or_beside_data_are_400(
    client: TestClient, some_images: Images
) -> None:
    body, headers = binary(some_images)
    told = refusal(client.post(PATH, content=body[:-1], headers=headers), 400)
    assert "3,919 bytes come after the JSON; binary_data_size must say so" in told
    plain = json.dumps(infer_body(some_images)).encode()
    headers["inference-header-content-length"] = str(len(plain))
    told = refusal(client.post(PATH, content=plain + b"xx", headers=headers), 400)
    assert "2 bytes come after the JSON; no input claims them" in told
    short = some_images[:, :, :27]
    body, headers = binary(short)
    body = body.replace(b"[5, 28, 27]", b"[5, 28, 28]")
    told = refusal(client.post(PATH, content=body, headers=headers), 400)
    assert "image has 3,780 bytes; 5 images of UINT8 have 3,920" in told


def test_bytes_that_are_no_numbers_are_400(client: TestClient) -> None:
    body, headers = binary(np.full((1, 28, 28), np.nan, "<f4"))
    told = refusal(client.post(PATH, content=body, headers=headers), 400)
    assert "they must lie in 0..1" in told


def test_more_images_than_are_taken_are_422_before_they_are_decoded(client: TestClient) -> None:
    asked = {"name": "image", "shape": [9, 28, 28], "datatype": "FP32", "data": ["not looked at"]}
    told = refusal(client.post(PATH, json={"inputs": [asked]}), 422)
    assert told == "9 images in a request; at most 8 are taken"
    asked["shape"] = [10**15, 28, 28]
    refusal(client.post(PATH, json={"inputs": [asked]}), 422)


def test_parameters_that_are_not_known_are_skipped(client: TestClient, some_images: Images) -> None:
    body = changed(some_images, parameters={"x": [[], {"y": None}]})
    more = {"parameters": {"x": 1}, "outputs": [{"name": "label", "parameters": {"x": "y"}}]}
    assert list(outputs(infer(client, {**body, **more}))) == ["label"]


@pytest.mark.parametrize("kind", ["text/xml", "image/png", "multipart/form-data; boundary=x"])
def test_another_content_type_is_415(client: TestClient, kind: str) -> None:
    told = refusal(client.post(PATH, content=b"{}", headers={"content-type": kind}), 415)
    assert f"the content type is {kind!r}" in told


def test_a_compressed_body_is_415(client: TestClient) -> None:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert "compressed" in refusal(client.post(PATH, content=b"x", headers=headers), 415)


def test_another_method_is_405_and_another_path_404(client: TestClient) -> None:
    assert client.get(PATH).headers["allow"] == "POST"
    refusal(client.get(PATH), 405)
    refusal(client.post("/v2/models/digits"), 405)
    refusal(client.get("/v2/nothing"), 404)


# ---- the real client ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def triton() -> Iterator[Any]:
    """tritonclient, on the model that comes along."""
    http = pytest.importorskip("tritonclient.http")
    with (
        running(Registry.of({"digits": prediction.load()})) as service,
        http.InferenceServerClient(f"127.0.0.1:{service.port}") as client,
    ):
        yield client


def test_tritonclient_finds_server_and_model(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("digits")
    assert triton.is_model_ready("digits", "1")
    assert not triton.is_model_ready("letters")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.get_model_metadata("digits")["inputs"][0]["name"] == "image"


@pytest.mark.parametrize("sent_as_bytes", [True, False])
@pytest.mark.parametrize("answered_as_bytes", [True, False])
def test_tritonclient_is_answered_exactly_as_python_is(
    triton: Any, some_images: Images, sent_as_bytes: bool, answered_as_bytes: bool
) -> None:
    http = pytest.importorskip("tritonclient.http")
    fractions = (some_images / np.float32(255)).astype(np.float32)
    tensor = http.InferInput("image", list(fractions.shape), "FP32")
    tensor.set_data_from_numpy(fractions, binary_data=sent_as_bytes)
    names = ("probabilities", "label", "accepted")
    asked = [http.InferRequestedOutput(name, binary_data=answered_as_bytes) for name in names]
    result = triton.infer("digits", [tensor], outputs=asked, request_id="7")
    assert result.get_response()["id"] == "7"
    expected = prediction.load().predict_proba(fractions)
    assert result.as_numpy("probabilities").tolist() == expected.tolist()
    labels = [bytes(label) if answered_as_bytes else label for label in result.as_numpy("label")]
    assert [int(label) for label in labels] == expected.argmax(axis=1).tolist()
    assert result.as_numpy("accepted").dtype == bool


def test_tritonclient_without_named_outputs_is_given_all_as_bytes(
    triton: Any, some_images: Images
) -> None:
    http = pytest.importorskip("tritonclient.http")
    tensor = http.InferInput("image", list(some_images.shape), "UINT8")
    tensor.set_data_from_numpy(some_images)
    result = triton.infer("digits", [tensor])
    assert result.as_numpy("probabilities").shape == (5, 10)
    assert result.as_numpy("confidence").shape == (5,)


def test_tritonclient_is_told_what_is_wrong(triton: Any, some_images: Images) -> None:
    http = pytest.importorskip("tritonclient.http")
    utils = pytest.importorskip("tritonclient.utils")
    tensor = http.InferInput("pixels", list(some_images.shape), "UINT8")
    tensor.set_data_from_numpy(some_images)
    with pytest.raises(utils.InferenceServerException, match="no input is called 'pixels'"):
        triton.infer("digits", [tensor])

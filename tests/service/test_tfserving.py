"""tfserving.py: TensorFlow Serving's REST API, rows and columns, numbers and pictures."""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from deepmnist import images as contract
from deepmnist.service import examples
from tests.conftest import FakePredictor
from tests.service.conftest import Images, refusal
from tests.writing import page

PATH = "/v1/models/digits:predict"
ROWS = np.zeros((28, 28)).tolist()


def b64(picture: Images) -> dict[str, str]:
    return {"b64": base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()}


def predict(client: TestClient, body: Any, path: str = PATH) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def labels(answer: dict[str, Any]) -> list[str]:
    return [row["label"] for row in answer["predictions"]]


def test_the_status_lists_versions_as_available(client: TestClient) -> None:
    for path in ("/v1/models/digits", "/v1/models/digits/versions/1"):
        assert client.get(path).json() == examples.STATUS


def test_the_metadata_is_the_signature(client: TestClient) -> None:
    found = client.get("/v1/models/digits/metadata").json()
    assert found["model_spec"] == {"name": "digits", "signature_name": "", "version": "1"}
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["image"]["dtype"] == "DT_FLOAT"
    sizes = [each["size"] for each in signature["inputs"]["image"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "28", "28"]
    assert signature["outputs"]["label"]["dtype"] == "DT_STRING"


@pytest.mark.parametrize("path", [PATH, "/v1/models/digits/versions/1:predict"])
def test_rows_give_a_prediction_each(client: TestClient, some_images: Images, path: str) -> None:
    answer = predict(client, {"instances": (some_images / 255).tolist()}, path)
    assert labels(answer) == [str(label) for label in FakePredictor.answers(some_images)]
    row = answer["predictions"][0]
    assert list(row) == ["probabilities", "single", "confidence", "label", "accepted"]
    assert row["confidence"] == pytest.approx(0.91)


def test_a_value_may_come_under_the_input_s_name(client: TestClient, some_images: Images) -> None:
    values = (some_images / 255).tolist()
    bare = predict(client, {"instances": values})
    assert predict(client, {"instances": [{"image": value} for value in values]}) == bare
    mixed = [values[0], *({"image": value} for value in values[1:])]
    assert predict(client, {"instances": mixed, "signature_name": "serving_default"}) == bare


def test_columns_give_columns(client: TestClient, some_images: Images) -> None:
    values = (some_images / 255).tolist()
    rows = predict(client, {"instances": values})["predictions"]
    for inputs in (values, {"image": values}):
        columns = predict(client, {"inputs": inputs})["outputs"]
        assert columns == {name: [row[name] for row in rows] for name in rows[0]}


def test_a_picture_is_prepared_as_predict_prepares_it(client: TestClient) -> None:
    picture = page("7")
    expected = [str(label) for label in FakePredictor.answers(contract.prepare(picture)[None])]
    for value in (b64(picture), {"image": b64(picture)}):
        assert labels(predict(client, {"instances": [value]})) == expected
    for inputs in ([b64(picture)], {"image": [b64(picture)]}):
        assert predict(client, {"inputs": inputs})["outputs"]["label"] == expected


def test_pictures_and_numbers_may_be_mixed_and_keep_their_places(
    client: TestClient, some_images: Images
) -> None:
    numbers = (some_images[0] / 255).tolist()
    one = labels(predict(client, {"instances": [numbers]}))
    other = labels(predict(client, {"instances": [b64(page("3"))]}))
    assert labels(predict(client, {"instances": [b64(page("3")), numbers]})) == [*other, *one]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "give either 'instances' or 'inputs'"),
        ({"instances": [ROWS], "inputs": [ROWS]}, "give either 'instances' or 'inputs'"),
        ({"instances": [ROWS], "signature_name": "x"}, "no signature is called 'x'"),
        ({"instances": []}, "no image in the request"),
        ({"instances": 5}, "no request of this form"),
        ({"instances": None}, "no request of this form"),
        ({"instances": [5]}, "no request of this form"),
        ({"instances": [[[[1.0]]]]}, "no request of this form"),
        ({"instances": [[[0.0] * 28] * 27]}, "an image has shape [27, 28]"),
        ({"instances": [[[0.0] * 28] * 27 + [[0.0]]]}, "rows of different lengths"),
        ({"instances": [[[2.0] * 28] * 28]}, "they must lie in 0..1"),
        ({"instances": [[[1e300] * 28] * 28]}, "they must lie in 0..1"),
        ({"instances": [{"pixels": ROWS}]}, "no request of this form"),
        ({"instances": [{"b64": 5}]}, "no request of this form"),
        ({"instances": [{"b64": "***"}]}, "b64 holds what is no base64"),
        ({"instances": [{"b64": "é"}]}, "b64 holds what is no base64"),
        ({"instances": [{"b64": "AAAA", "x": 1}]}, "no request of this form"),
        ({"inputs": {"pixels": [ROWS]}}, "no request of this form"),
        ({"inputs": {"image": 5}}, "no request of this form"),
        ({"inputs": [{"image": ROWS}]}, "no request of this form"),
    ],
)
def test_what_is_wrong_is_400_in_its_error_form(
    client: TestClient, body: dict[str, Any], message: str
) -> None:
    assert message in refusal(client.post(PATH, json=body), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"instances": [[[NaN]]]}',
        b'{"instances": [[[-Infinity]]]}',
        b'{"instances": [[[1e999]]]}',
        b'{"instances": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b'{"instances": [' + b'{"image":' * 15_000 + b"1" + b"}" * 15_000 + b"]}",
        b'{"instances": [{"b64": "\xff"}]}',
    ],
)
def test_what_is_no_json_of_this_form_is_400(client: TestClient, body: bytes) -> None:
    refusal(client.post(PATH, content=body, headers={"content-type": "application/json"}), 400)


def test_too_many_images_are_422_before_they_are_decoded(client: TestClient) -> None:
    told = refusal(client.post(PATH, json={"instances": ["x"] * 9}), 422)
    assert told == "9 images in a request; at most 8 are taken"


def test_too_many_pictures_are_422_before_they_are_decoded(client: TestClient) -> None:
    told = refusal(client.post(PATH, json={"instances": [{"b64": "AAAA"}] * 3}), 422)
    assert told == "3 pictures in a request; at most 2 are taken"


def test_what_is_no_picture_or_has_too_many_pixels_is_422(client: TestClient) -> None:
    told = refusal(client.post(PATH, json={"instances": [{"b64": "AAAA"}]}), 422)
    assert "no picture deepmnist can read" in told
    large = np.zeros((400, 400), np.uint8)
    told = refusal(client.post(PATH, json={"instances": [b64(large)]}), 422)
    assert "400 x 400 pixels is too large: at most 100,000 pixels" in told


def test_curl_s_own_content_type_is_taken_and_a_picture_s_is_not(client: TestClient) -> None:
    body = json.dumps({"instances": [ROWS]})
    kind = "application/x-www-form-urlencoded"
    assert client.post(PATH, content=body, headers={"content-type": kind}).status_code == 200
    refusal(client.post(PATH, content=body, headers={"content-type": "image/png"}), 415)


def test_what_is_not_served_is_404(client: TestClient) -> None:
    for path in ("/v1/models/no", "/v1/models/no/metadata", "/v1/models/digits/versions/9"):
        assert "is not served" in refusal(client.get(path), 404)
    refusal(client.post("/v1/models/no:predict", json={"instances": [ROWS]}), 404)

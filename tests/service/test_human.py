"""human.py: POST /read gives what `deepmnist read --format json` gives, and refuses in one line."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deepmnist import cli, prediction
from deepmnist.service.app import create_app
from deepmnist.service.limits import Limits
from deepmnist.service.registry import Registry
from tests.service.conftest import SMALL, Images, refusal
from tests.writing import PlainHandPredictor, page

PNG = {"content-type": "image/png"}


def encoded(picture: Images, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


@pytest.fixture(scope="module")
def reading() -> TestClient:
    models = Registry.of({"digits": PlainHandPredictor()})
    return TestClient(create_app(models, Limits(body_bytes=200_000, pixels=1_000_000)))


@pytest.fixture
def printed(monkeypatch, capsys) -> Callable[..., Any]:
    """What `deepmnist read --format json` prints, by the same model."""
    monkeypatch.setattr(prediction, "load", lambda path: PlainHandPredictor())

    def run(*arguments: object) -> Any:
        given = ["deepmnist", "read", *map(str, arguments), "--format", "json"]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit):
            cli.main()
        return json.loads(capsys.readouterr().out)

    return run


def sudoku() -> Images:
    """A grid of two by two cells, with a digit in two of them."""
    picture = np.full((400, 400), 230, np.uint8)
    for place in (40, 200, 360):
        cv2.line(picture, (40, place), (360, place), 40, 4)
        cv2.line(picture, (place, 40), (place, 360), 40, 4)
    for text, place in (("4", (95, 150)), ("7", (255, 310))):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 2.5, 40, 6, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize(
    ("picture", "options", "query"),
    [
        (page("2050", "394"), [], ""),
        (page("2050"), ["--expect", "4"], "?expect=4"),
        (page("2050"), ["--expect", "4", "--expect", r"20\d+"], "?expect=4&expect=20%5Cd%2B"),
        (page("2050"), ["--expect", "3"], "?expect=3"),
        (sudoku(), ["--grid", "2x2"], "?grid=2x2"),
        (np.full((90, 90), 255, np.uint8), [], ""),
    ],
)
def test_it_is_exactly_what_the_command_line_prints(
    reading: TestClient, printed, tmp_path: Path, picture, options: list[str], query: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture))
    (expected,) = printed(path, *options)
    response = reading.post(f"/read{query}", content=path.read_bytes(), headers=PNG)
    assert response.json() == [{**expected, "path": None}]
    sent = {"picture": (str(path), path.read_bytes())}
    assert reading.post(f"/read{query}", files=sent).json() == [expected]


def test_a_large_photo_s_boxes_are_in_its_own_pixels(
    reading: TestClient, printed, tmp_path
) -> None:
    path = tmp_path / "a.jpg"
    small = page("20")
    path.write_bytes(encoded(cv2.resize(small, None, fx=3, fy=3), ".jpg"))
    kind = {"content-type": "image/jpeg"}
    response = reading.post("/read", content=path.read_bytes(), headers=kind)
    (expected,) = printed(path)
    assert response.json() == [{**expected, "path": None}]


def test_any_field_s_name_and_other_fields_are_taken(reading: TestClient) -> None:
    files = {"anything": ("b.png", encoded(page("7")), "image/png")}
    (answer,) = reading.post("/read", files=files, data={"note": "x"}).json()
    assert answer["path"] == "b.png"
    assert answer["lines"][0]["text"] == "7"


def test_bytes_of_no_stated_type_are_taken(reading: TestClient) -> None:
    for headers in ({}, {"content-type": "application/octet-stream"}):
        response = reading.post("/read", content=encoded(page("7")), headers=headers)
        assert response.json()[0]["lines"][0]["text"] == "7"


def test_model_and_version_may_be_named(reading: TestClient) -> None:
    sent = {"content": encoded(page("7")), "headers": PNG}
    assert reading.post("/read?model=digits&version=1", **sent).status_code == 200
    assert "'x' is not served" in refusal(reading.post("/read?model=x", **sent), 404)


# ---- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("expect=@/etc/passwd", "expect takes no @FILE here"),
        ("expect=%20@/etc/passwd", "expect takes no @FILE here"),
        ("expect=nonsense", "nonsense"),
        ("expect=" + "1" * 300, "parameter 0: String should have at most 200"),
        ("&".join(["expect=4"] * 9), "parameter expect: List should have at most 8"),
        ("grid=9", "parameter grid: String should match"),
        ("grid=999x999", "give at least 1 x 1 and at most 500"),
        ("grid=0x5", "give at least 1 x 1 and at most 500"),
        ("grid=2x2", "no frame"),
        ("grid=2x2&expect=4", "do not go together"),
        ("coverage=0", "parameter coverage: Input should be greater than 0"),
        ("coverage=nan", "parameter coverage"),
        ("coverage=x", "parameter coverage"),
        ("coverage=0.5", "this model does not tell"),
    ],
)
def test_an_option_that_is_wrong_is_422(reading: TestClient, query: str, message: str) -> None:
    response = reading.post(f"/read?{query}", content=encoded(page("7")), headers=PNG)
    assert message in refusal(response, 422)


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(page("7"))[:60]])
def test_what_is_no_picture_is_422(reading: TestClient, content: bytes) -> None:
    told = refusal(reading.post("/read", content=content, headers=PNG), 422)
    assert told.startswith("the picture ")
    named = reading.post("/read", files={"picture": ("c.png", content)})
    assert refusal(named, 422).startswith("c.png ")


def test_a_picture_of_too_many_pixels_is_422(reading: TestClient) -> None:
    large = encoded(np.zeros((1100, 1000), np.uint8))
    told = refusal(reading.post("/read", content=large, headers=PNG), 422)
    assert "1000 x 1100 pixels is too large" in told


def test_what_curl_calls_a_form_is_taken_for_the_picture_it_is(reading: TestClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = reading.post("/read", content=encoded(page("7")), headers=form)
    assert [line["text"] for line in response.json()[0]["lines"]] == ["7"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "image/svg+xml"])
def test_another_content_type_is_415(reading: TestClient, kind: str) -> None:
    refusal(reading.post("/read", content=b"{}", headers={"content-type": kind}), 415)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n1\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n' * 2
            + b"--x--\r\n",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 20 + b"--x--\r\n",
        ),
    ],
)
def test_a_form_without_one_file_is_400(reading: TestClient, kind: str, body: bytes) -> None:
    refusal(reading.post("/read", content=body, headers={"content-type": kind}), 400)


def form_of(charset: str, name: str) -> dict[str, Any]:
    """A form whose one file is a picture of a 7, in a charset of its own."""
    head = f'--x\r\nContent-Disposition: form-data; name="a"; filename="{name}"\r\n\r\n'
    kind = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    return {"content": head.encode() + encoded(page("7")) + b"\r\n--x--\r\n", "headers": kind}


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-7", "rot13", "x", "a" * 99])
def test_a_form_in_a_charset_that_may_take_long_is_400(reading: TestClient, charset: str) -> None:
    told = refusal(reading.post("/read", **form_of(charset, "a.png")), 400)
    known = "use one of utf-8, us-ascii, iso-8859-1, or none"
    assert told == f"the form's charset is {charset[:40]!r}; {known}"


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "iso-8859-1", '"us-ascii"'])
def test_a_form_in_a_usual_charset_is_read(reading: TestClient, charset: str) -> None:
    (answer,) = reading.post("/read", **form_of(charset, "+2AA-.png")).json()
    assert answer["path"] == "+2AA-.png"


def test_more_pictures_than_may_wait_are_503(make: Callable[..., FastAPI]) -> None:
    client = TestClient(make(dataclasses.replace(SMALL, readings=0)))
    response = client.post("/read", content=encoded(page("7")), headers=PNG)
    refusal(response, 503)
    assert response.headers["retry-after"] == "1"

"""security.py: the key, browsers' rules, and what neither lets through."""

from __future__ import annotations

import hmac
import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deepmnist.errors import ConfigError
from deepmnist.service import security
from deepmnist.service.app import PLAIN_POLICY
from deepmnist.service.logs import Journal
from tests.service.conftest import Images, infer_body, refusal

KEY = "correct-horse-battery"


@pytest.fixture
def guarded(make: Callable[..., FastAPI]) -> TestClient:
    return TestClient(make(key=KEY))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"X-API-Key": KEY},
    ],
)
def test_the_key_opens(guarded: TestClient, headers: dict[str, str]) -> None:
    for path in ("/v2", "/v1/models/digits", "/metrics"):
        assert guarded.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer wrong-horse-battery-1")],
        [("Authorization", f"Basic {KEY}")],
        [("Authorization", KEY)],
        [("Authorization", "Bearer")],
        [("X-API-Key", "")],
        [("X-API-Key", KEY[:-1])],
        [("X-API-Key", KEY + "x")],
        [("X-API-Key", KEY), ("X-API-Key", "other")],
        [("X-API-Key", KEY), ("Authorization", "Basic x")],
    ],
)
def test_without_the_key_nothing_answers(
    guarded: TestClient, headers: list[tuple[str, str]]
) -> None:
    for path in ("/v2", "/v2/models/digits", "/v1/models/digits", "/metrics", "/v2x", "/read"):
        response = guarded.get(path, headers=headers)
        assert "an API key is needed" in refusal(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
    refusal(guarded.post("/read", content=b"x", headers=headers), 401)


def test_probes_and_the_description_need_no_key(guarded: TestClient) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_the_key_is_compared_in_constant_time(
    guarded: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        lengths.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(security.hmac, "compare_digest", watched)
    guarded.get("/v2", headers={"X-API-Key": "x"})
    guarded.get("/v2", headers={"X-API-Key": KEY})
    assert lengths == [(32, 32)] * 2


def test_the_key_is_written_nowhere(make: Callable[..., FastAPI]) -> None:
    written = io.StringIO()
    client = TestClient(make(key=KEY, journal=Journal(written)))
    client.get(f"/v2?key={KEY}", headers={"X-API-Key": KEY})
    client.get("/v2", headers={"Authorization": f"Bearer {KEY}x"})
    assert written.getvalue().count("\n") == 2
    assert KEY not in written.getvalue()
    assert KEY not in client.get("/metrics", headers={"X-API-Key": KEY}).text


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert security.api_key(None, {}) is None
    assert security.api_key(None, {security.ENVIRONMENT: KEY}) == KEY
    assert security.api_key(file, {security.ENVIRONMENT: "other-key-of-some-length"}) == KEY


@pytest.mark.parametrize("text", ["", "short", "has a space in its middle", "ümlaut-ümlaut-ümlaut"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    for given in (
        lambda: security.api_key(file, {}),
        lambda: security.api_key(None, {security.ENVIRONMENT: text}),
    ):
        with pytest.raises(ConfigError, match="give at least 16 printable") as caught:
            given()
        assert not text or text not in str(caught.value)


def test_a_key_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        security.api_key(tmp_path / "none", {})


# ---- browsers -----------------------------------------------------------------------------------


def test_every_answer_says_what_browsers_must_not_do(client: TestClient) -> None:
    for response in (client.get("/v2"), client.get("/nothing"), client.post("/read")):
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_a_page_says_more_of_them(make: Callable[..., FastAPI]) -> None:
    page = SimpleNamespace(content=b"<p>page", media_type="text/html")
    site = {"index.html": page}
    headers = TestClient(make(site=site)).get("/").headers
    assert headers["content-security-policy"] == PLAIN_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"


ORIGIN = {"origin": "https://there.example"}
PREFLIGHT = {
    **ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-api-key",
}


def test_other_origins_are_not_let_in_unless_told(client: TestClient) -> None:
    assert "access-control-allow-origin" not in client.get("/v2", headers=ORIGIN).headers
    response = client.options("/v2/models/digits/infer", headers=PREFLIGHT)
    assert response.status_code == 405
    assert "access-control-allow-origin" not in response.headers


def test_an_origin_that_is_told_is_let_in_and_no_other(make: Callable[..., FastAPI]) -> None:
    client = TestClient(make(origins=["https://there.example"], key=KEY))
    asked = client.options("/v2/models/digits/infer", headers=PREFLIGHT)
    assert asked.status_code == 200  # a preflight carries no key
    assert asked.headers["access-control-allow-origin"] == "https://there.example"
    answer = client.get("/v2", headers={**ORIGIN, "x-api-key": KEY})
    assert answer.headers["access-control-allow-origin"] == "https://there.example"
    refused = client.get("/v2", headers=ORIGIN)
    refusal(refused, 401)
    other = {"origin": "https://elsewhere.example", "x-api-key": KEY}
    assert "access-control-allow-origin" not in client.get("/v2", headers=other).headers


INFER = "/v2/models/digits/infer"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("origin", ["https://there.example", "null"])
def test_what_a_page_of_another_origin_sends_is_not_answered_unless_told(
    make: Callable[..., FastAPI], some_images: Images, site: str, origin: str
) -> None:
    headers = {"origin": origin, "sec-fetch-site": site}
    body = infer_body(some_images)
    refused = TestClient(make()).post(INFER, json=body, headers=headers)
    assert "name its origin with --allow-origin" in refusal(refused, 403)
    for origins in (["*"], ["https://other.example", origin]):
        client = TestClient(make(origins=origins))
        assert client.post(INFER, json=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "https://digits.example.org"},  # by a proxy
        {"sec-fetch-site": "none"},
        {"origin": "http://lan:8000"},  # a browser that asks no address it trusts says no more
    ],
)
def test_the_own_page_and_clients_that_are_no_browsers_are_answered(
    client: TestClient, some_images: Images, headers: dict[str, str]
) -> None:
    assert client.post(INFER, json=infer_body(some_images), headers=headers).status_code == 200


HERE = security.own_hosts("digits.home.arpa", "127.0.0.1", ["https://digits.example.org"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000")),
        *((host, 200) for host in ("digits:80", "a.localhost", "192.168.0.7", "DIGITS.home.arpa")),
        *((host, 200) for host in ("digits.example.org", "")),
        *((host, 421) for host in ("there.example", "there.example:8000", "there.example.")),
        *((host, 421) for host in ("127.0.0.1.there.example", "localhost.there.example", "a.b]")),
    ],
)
def test_on_loopback_it_is_not_asked_by_a_stranger_s_name(
    make: Callable[..., FastAPI], host: str, status: int
) -> None:
    client = TestClient(make(hosts=HERE))
    for path in ("/metrics", "/v2"):
        assert client.get(path, headers={"host": host}).status_code == status
        assert TestClient(make()).get(path, headers={"host": host}).status_code == 200
    if status == 421:
        assert "a name that is not its own" in refusal(
            client.get("/v2", headers={"host": host}), 421
        )


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.0.7", "::"])
def test_elsewhere_than_on_loopback_it_may_be_called_anything(address: str) -> None:
    assert security.own_hosts("digits", address, []) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_all_origins_bring_all_names(address: str) -> None:
    assert security.own_hosts("digits", address, []) == {"digits"}
    assert security.own_hosts("digits", address, ["*"]) is None


@pytest.mark.parametrize("origin", ["https://[there", "digits.example.org"])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_an_origin_that_is_none_is_told_in_a_line(origin: str, address: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{origin!r} is none: give one such as")):
        security.own_hosts("digits", address, [origin])

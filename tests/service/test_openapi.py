"""The OpenAPI description: it is true, its examples work, and docs/http.md is made of it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from benchmarks import fuzz
from deepmnist import prediction
from deepmnist.service import examples
from deepmnist.service.app import create_app
from deepmnist.service.registry import Registry

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def client() -> TestClient:
    """The service of the model that comes along."""
    return TestClient(create_app(Registry.of({"digits": prediction.load()})))


@pytest.fixture(scope="module")
def described(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
    ]


def filled(path: str) -> str:
    return path.replace("{model}", "digits").replace("{version}", "1")


def test_every_route_but_the_description_and_the_page_is_described(client, described) -> None:
    routes = {
        (method, route.path)
        for route in client.app.routes
        for method in route.methods - {"HEAD"}
        if route.path != "/openapi.json"
    }
    assert {(method, path) for method, path, _ in operations(described)} == routes


def test_every_operation_says_what_it_does_and_has_an_example(described) -> None:
    for _, path, operation in operations(described):
        assert operation["description"]
        assert operation["tags"]
        answer = operation["responses"]["200"]["content"]
        assert path == "/metrics" or "example" in answer["application/json"], path
        for status, response in operation["responses"].items():
            assert response["description"], (path, status)


def test_the_examples_of_requests_are_answered_in_the_shape_of_the_examples(
    client, described
) -> None:
    def alike(answer: Any, example: Any) -> bool:
        """The same keys, and values of the same types; what is null could have been any."""
        if isinstance(answer, dict) and isinstance(example, dict):
            same = answer.keys() == example.keys()
            return same and all(alike(each, example[key]) for key, each in answer.items())
        if isinstance(answer, list) and isinstance(example, list):
            return not answer or alike(answer[0], example[0])
        return answer is None or type(answer) is type(example)

    for method, path, operation in operations(described):
        if path == "/metrics":
            continue
        bodies = [None]
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            given = content.get("examples", {"": {"value": content.get("example")}})
            bodies = [each["value"] for each in given.values()]
        if path == "/read":
            response = client.post(path, files={"picture": ("photo.png", examples.picture())})
        else:
            response = client.request(method, filled(path), json=bodies[0])
        assert response.status_code == 200, (path, response.text)
        example = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert alike(response.json(), example), path
        for body in bodies[1:]:
            assert client.request(method, filled(path), json=body).status_code == 200


def test_the_page_about_http_is_made_from_the_description() -> None:
    spec = importlib.util.spec_from_file_location("generate_http", DOCS / "generate_http.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "http.md").read_text() == module.render(), "run: python docs/generate_http.py"


# ---- against whatever fits the description, and whatever does not -------------------------------


def test_schemathesis_finds_nothing() -> None:
    """A short run; benchmarks/fuzz.py is the long one."""
    with fuzz.served() as address:
        done = fuzz.run(address, examples=8, phases="examples,fuzzing")
    assert done.returncode == 0, done.stdout
    assert fuzz.requests(done.stdout) > 50


def test_the_description_is_plain_json(client) -> None:
    json.loads(client.get("/openapi.json").text, parse_constant=pytest.fail)

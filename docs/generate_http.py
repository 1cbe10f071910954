"""Writes docs/http.md from the OpenAPI description; a test holds the page to what this gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deepmnist.service.app import create_app
from deepmnist.service.registry import Registry

PAGE = Path(__file__).parent / "http.md"
LONGEST = 80  # characters of an example's texts
MOST, SHOWN = 12, 3  # of a longer array so many are shown
HEADER = """# HTTP

Made by `make docs` from the OpenAPI description, which a running service gives at `/openapi.json`;
do not edit. How to serve is told in [serve.md](serve.md). Every refusal is `{"error": "one line"}`.
"""


def render() -> str:
    """The page."""
    description = create_app(Registry([])).openapi()
    schemas = description["components"]["schemas"]
    parts = [HEADER]
    tag = ""
    for titles, operation in _operations(description):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            parts.append(f"\n## {tag}\n")
        parts.extend(_operation(titles, operation, schemas))
    return "".join(parts)


def _operations(description: dict[str, Any]) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Operations with their titles; those that do the same at two paths are one."""
    found: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
    for path, item in description["paths"].items():
        for method, operation in item.items():
            key = (operation["tags"][0], operation["description"])
            found.setdefault(key, []).append((f"{method.upper()} {path}", operation))
    for same in found.values():
        yield [title for title, _ in same], same[-1][1]  # the last has the most parameters


def _operation(
    titles: list[str], operation: dict[str, Any], schemas: dict[str, Any]
) -> Iterator[str]:
    yield "".join(f"\n### {title}" for title in titles) + f"\n\n{operation['description']}\n"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "\n| parameter | in | |\n|---|---|---|\n"
    for each in parameters:
        about = each.get("description") or each["schema"].get("description", "")
        yield f"| `{each['name']}` | {each['in']} | {_cell(about)} |\n"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _content("Body", kind, content, schemas)
    for status, response in operation["responses"].items():
        if status == "200":
            for kind, content in response.get("content", {}).items():
                yield from _content("Answer", kind, content, schemas)
    refusals = [status for status in operation["responses"] if status != "200"]
    if refusals:
        yield f"\nRefusals: {', '.join(refusals)}.\n"


def _content(
    what: str, kind: str, content: dict[str, Any], schemas: dict[str, Any]
) -> Iterator[str]:
    yield f"\n{what}, `{kind}`{_about(content.get('schema', {}))}\n"
    yield from _fields(content.get("schema", {}), schemas)
    examples = content.get("examples", {"": {"value": content.get("example")}})
    for each in examples.values():
        if each["value"] is not None:
            yield f"\n```json\n{json.dumps(_shortened(each['value']))}\n```\n"


def _about(schema: dict[str, Any]) -> str:
    return f": {schema['description']}" if "description" in schema else "."


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    """The fields of an object that is described by name, and of those within it."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found = schemas.get(name, {}).get("properties", {})
    if not any("description" in field for field in found.values()):
        return
    yield "\n| field | |\n|---|---|\n"
    for key, field in found.items():
        yield f"| `{key}` | {_cell(field.get('description', ''))} |\n"
        inner = schemas.get(field.get("items", {}).get("$ref", "").rpartition("/")[2], {})
        for each, about in inner.get("properties", {}).items():
            yield f"| `{key}[].{each}` | {_cell(about.get('description', ''))} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shortened(value: Any) -> Any:
    """An example without the bulk of its numbers and pictures."""
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:16]}..."
    if not isinstance(value, list):
        return value
    if len(value) <= MOST:
        return [_shortened(each) for each in value]
    return [*map(_shortened, value[:SHOWN]), "..."]


if __name__ == "__main__":
    PAGE.write_text(render())

"""The page's files for one bundle: by relative URL, or as a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from deepmnist import bundle, page
from deepmnist.bundle import Bundle
from deepmnist.errors import BundleError, StorageError
from deepmnist.page import files


@pytest.fixture(scope="module")
def assets() -> dict[str, page.Asset]:
    return page.assets(bundle.load(bundle.SHIPPED))


def test_the_bundle_s_own_file_is_served_unchanged(assets: dict[str, page.Asset]) -> None:
    shipped = bundle.load(bundle.SHIPPED)
    assert assets["model.tflite"].content == shipped.runtime.read_bytes()
    told = json.loads(assets["model.json"].content)
    assert told["class_names"] == list("0123456789")
    assert shipped.manifest.rejection is not None
    assert told["threshold"] == shipped.manifest.rejection.threshold
    assert told["layers"] == ("layers.tflite" in assets) == (shipped.layers is not None)


def test_a_bundle_without_thresholds_or_layers_has_a_page_too(tiny_bundle: Bundle) -> None:
    found = page.assets(tiny_bundle)
    told = json.loads(found["model.json"].content)
    assert (told["threshold"], told["layers"]) == (0.9, False)
    assert "layers.tflite" not in found


def test_a_model_of_other_classes_is_refused(tiny_bundle: Bundle) -> None:
    clothes = msgspec.structs.replace(tiny_bundle.manifest, class_names=["coat", "bag"])
    with pytest.raises(BundleError, match="tells coat, bag apart; the page reads the digits 0 to"):
        page.assets(Bundle(tiny_bundle.folder, clothes))


def test_every_address_in_the_page_is_relative_and_there(assets: dict[str, page.Asset]) -> None:
    text = {name: each.content.decode() for name, each in assets.items() if _is_text(name)}
    linked = set(re.findall(r'(?:href|src)="([^"]+)"', text["index.html"]))
    linked |= set(re.findall(r'"src": "([^"]+)"', text["page.webmanifest"]))
    for name, content in text.items():
        if name.startswith("scripts/"):
            for script in re.findall(r'(?:from |import\(|URL\()"(?:\./)?([\w/-]+\.js)"', content):
                linked.add(f"scripts/{script}")
    assert linked <= assets.keys()
    outside = [
        name for name in text if re.search(r"https?://(?!www\.w3\.org/2000/svg)", text[name])
    ]
    assert outside == []


def _is_text(name: str) -> bool:
    return not name.startswith("runtime/") and not name.endswith((".tflite", ".wasm"))


def test_every_file_has_its_media_type(assets: dict[str, page.Asset]) -> None:
    assert assets["index.html"].media_type == "text/html; charset=utf-8"
    assert {each.media_type for name, each in assets.items() if name.endswith(".js")} == {
        "text/javascript; charset=utf-8"
    }


def test_the_page_carries_its_own_policy(assets: dict[str, page.Asset]) -> None:
    """What a <meta> may say; a header says besides that nothing may frame it."""
    found = re.search(
        r'http-equiv="Content-Security-Policy" content="([^"]+)"',
        assets["index.html"].content.decode(),
    )
    assert found is not None
    assert f"{found[1]}; frame-ancestors 'none'" == page.POLICY
    assert "unsafe-inline" not in page.POLICY
    assert "'unsafe-eval'" not in page.POLICY
    assert "style=" not in assets["index.html"].content.decode()


def test_the_service_worker_keeps_every_file_and_is_new_when_one_is(
    tiny_bundle: Bundle, assets: dict[str, page.Asset]
) -> None:
    first, second = (
        each["service-worker.js"].content for each in (assets, page.assets(tiny_bundle))
    )
    listed = json.loads(first.decode().split(";")[0].removeprefix("const FILES = "))
    assert set(listed) == assets.keys() - {"service-worker.js"}
    version = [re.search(rb"VERSION = '[0-9a-f]{16}'", each) for each in (first, second)]
    assert all(version)
    assert version[0][0] != version[1][0]  # type: ignore[index]


def test_it_is_written_as_a_folder_whole_or_not_at_all(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    page.write(tiny_bundle, out)
    written = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }
    assert written == {name: each.content for name, each in page.assets(tiny_bundle).items()}
    with pytest.raises(StorageError, match="is there already and is not written over"):
        page.write(tiny_bundle, out)
    monkeypatch.setattr(files, "assets", lambda _: {"a/b": None})
    with pytest.raises(AttributeError):
        page.write(tiny_bundle, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]

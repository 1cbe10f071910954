"""bundle.py: what was saved loads; anything missing, altered or foreign is refused by name."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepmnist import atomic, bundle
from deepmnist.bundle import CARD, MANIFEST, RUNTIME, WEIGHTS, Bundle, Manifest
from deepmnist.errors import BundleError, DeepMNISTError, StorageError

FILES = {RUNTIME: b"runtime", WEIGHTS: b"weights", CARD: b"# card\n"}
SECRET = b"outside of the bundle"


def fill(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path, manifest: Manifest) -> Path:
    """A bundle of files that only its manifest takes for a model."""
    return bundle.save(tmp_path / "model", manifest, fill).folder


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change bundle.json."""
    values = msgspec.json.decode((folder / MANIFEST).read_bytes())
    change(values)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(values))


def record(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def refusal(path: Path | str) -> str:
    """The one line with which `load` refuses `path`."""
    with pytest.raises(BundleError) as caught:
        bundle.load(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# --- there and back -----------------------------------------------------------------------------


def test_a_bundle_comes_back_as_it_was_saved(tmp_path: Path, manifest: Manifest) -> None:
    saved = bundle.save(tmp_path / "a" / "model", manifest, fill)
    loaded = bundle.load(tmp_path / "a" / "model")
    assert loaded == saved
    assert msgspec.structs.replace(loaded.manifest, files={}) == manifest
    assert loaded.runtime.read_bytes() == FILES[RUNTIME]
    assert loaded.weights.read_bytes() == FILES[WEIGHTS]


def test_the_manifest_names_every_file_but_itself_with_size_and_hash(folder: Path) -> None:
    values = msgspec.json.decode((folder / MANIFEST).read_bytes())
    assert values["files"] == {name: record(content) for name, content in FILES.items()}
    assert {file.name for file in folder.iterdir()} == {MANIFEST, *FILES}


def test_a_real_bundle_loads(tiny_bundle: Bundle) -> None:
    assert bundle.load(tiny_bundle.folder) == tiny_bundle


def test_a_run_folder_gives_its_bundle(tmp_path: Path, manifest: Manifest) -> None:
    bundle.save(tmp_path / "bundle", manifest, fill)
    assert bundle.load(tmp_path).folder == tmp_path / "bundle"
    assert bundle.load(str(tmp_path)).folder == tmp_path / "bundle"


def test_a_bundle_that_was_moved_or_is_reached_by_a_link_loads(
    folder: Path, tmp_path: Path
) -> None:
    moved = folder.rename(tmp_path / "moved")
    (tmp_path / "link").symlink_to(moved)
    assert bundle.load(tmp_path / "link").manifest == bundle.load(moved).manifest


def test_a_link_that_stays_in_the_bundle_is_followed(folder: Path) -> None:
    (folder / CARD).rename(folder / "CARD.md")
    (folder / CARD).symlink_to("CARD.md")
    assert bundle.load(folder).manifest.files.keys() == FILES.keys()


def test_a_file_the_manifest_does_not_name_is_ignored(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    bundle.load(folder)


def test_saving_again_replaces_the_bundle_whole(folder: Path, manifest: Manifest) -> None:
    def fill_other(unfinished: Path) -> None:
        fill(unfinished)
        (unfinished / RUNTIME).write_bytes(b"another")

    (folder / "notes.txt").write_text("of the old one")
    bundle.save(folder, manifest, fill_other)
    assert bundle.load(folder).runtime.read_bytes() == b"another"
    assert not (folder / "notes.txt").exists()


@pytest.mark.parametrize(
    ("failure", "raised"), [(OSError(28, "x"), StorageError), (KeyError, KeyError)]
)
def test_a_fill_that_fails_leaves_the_old_bundle(
    folder: Path, manifest: Manifest, failure: Exception, raised: type[Exception]
) -> None:
    def fail(unfinished: Path) -> None:
        (unfinished / RUNTIME).write_bytes(b"half")
        raise failure

    with pytest.raises(raised):
        bundle.save(folder, manifest, fail)
    assert bundle.load(folder).runtime.read_bytes() == FILES[RUNTIME]
    assert not list(folder.parent.glob(f".*{atomic.PART}"))


# --- not a bundle -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["m.h5", "m.hdf5", "m.keras", "m.pkl", "m.pickle", "m.pt", "m.tflite"]
)
def test_a_loose_model_file_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04anything")
    assert "is a file; a model is a folder with a bundle.json in it" in refusal(tmp_path / name)
    assert "they can run code" in refusal(tmp_path / name)


def test_a_foreign_suffix_is_refused_even_where_there_is_no_such_file(tmp_path: Path) -> None:
    assert "(.h5, pickles and loose .keras files are refused" in refusal(tmp_path / "none.h5")


def test_a_missing_or_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    assert "none does not exist, so there is no bundle.json; give" in refusal(tmp_path / "none")
    assert f"{tmp_path} holds no bundle.json; give a folder" in refusal(tmp_path)


@pytest.mark.parametrize("path", ["x" * 5_000, "a\0b", ""])
def test_a_path_no_system_has_is_refused(path: str, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(path)


def test_a_bundle_json_that_is_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    assert "holds no bundle.json" in refusal(tmp_path)


# --- the manifest -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 2, 10**6, -1, 10**30])
def test_another_schema_version_is_refused_by_number(folder: Path, version: int) -> None:
    text = (folder / MANIFEST).read_bytes()
    newer = text.replace(b'"schema_version": 1', f'"new": 0, "schema_version": {version}'.encode())
    (folder / MANIFEST).write_bytes(newer)
    assert f"has schema version {version}; this deepmnist reads 1; upgrade" in refusal(folder)


@pytest.mark.parametrize("version", ['"1"', "null", "1.5", "1" * 5_000])
def test_a_schema_version_that_is_no_number_is_refused(folder: Path, version: str) -> None:
    text = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(text.replace(b'version": 1', f'version": {version}'.encode()))
    assert "is no valid manifest" in refusal(folder)


@pytest.mark.parametrize("digits", [400, 5_000])
def test_a_size_beyond_all_numbers_is_refused(folder: Path, digits: int) -> None:
    text = (folder / MANIFEST).read_bytes()
    size = f'"bytes": {len(FILES[WEIGHTS])}'.encode()
    assert size in text
    (folder / MANIFEST).write_bytes(text.replace(size, b'"bytes": ' + b"9" * digits))
    refusal(folder)


def test_a_huge_manifest_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(10**12)  # sparse: reading it would take all memory
    assert "is larger than 1,000,000 bytes: no manifest" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "\xff": 1}',
        b'{"schema_version": 1, "class_names": ["\xff"]}',
        b'{"schema_version": 1, "config": ' + b"[" * 400_000,
        b'{"a": ' * 100_000,
        b"[" * 900_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    assert "is no valid manifest" in refusal(folder)


def test_a_field_too_many_or_of_another_type_is_refused_by_name(folder: Path) -> None:
    edit(folder, lambda values: values.update(extra=1))
    assert "unknown field `extra`" in refusal(folder)
    edit(folder, lambda values: values.pop("extra") and values.update(temperature="hot"))
    assert "$.temperature" in refusal(folder)


def test_a_hostile_field_name_writes_nothing_to_the_terminal_but_its_line(folder: Path) -> None:
    edit(folder, lambda values: values.update({"a\r\n\x1b[2Jb": 1}))
    assert "unknown field `a???[2Jb`" in refusal(folder)


@pytest.mark.parametrize("name", [RUNTIME, WEIGHTS])
def test_a_manifest_without_a_file_it_must_name_is_refused(folder: Path, name: str) -> None:
    edit(folder, lambda values: values["files"].pop(name))
    assert f"names no {name}; train or export it anew" in refusal(folder)


# --- the files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing from the bundle; copy the whole folder again" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["longer", "shorter", "a bit"])
def test_an_altered_file_is_refused_by_name(folder: Path, name: str, change: str) -> None:
    content = FILES[name]
    altered = {"longer": content + b"!", "shorter": content[:-1], "a bit": b"\x00" + content[1:]}
    (folder / name).write_bytes(altered[change])
    assert f"{name} is altered: it differs from what bundle.json says of it" in refusal(folder)


def test_a_file_that_claims_more_than_any_model_is_refused_unread(folder: Path) -> None:
    edit(folder, lambda values: values["files"][WEIGHTS].update(bytes=10**15))
    assert "model.keras claims 1,000,000,000,000,000 bytes; at most 1,000,000,000" in refusal(
        folder
    )


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "sub/file",
        "../model/README.md",
        "..",
        ".",
        "/etc/hostname",
        "a\0b",
        "two\nlines",
        "\x1b[2J",
        "x/",
        "./a",
    ],
)
def test_a_name_that_is_no_plain_file_name_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "secret").write_bytes(SECRET)
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_bytes(SECRET)
    edit(folder, lambda values: values["files"].update({name: record(SECRET)}))
    assert f"names {name!r}, which lies outside the bundle" in refusal(folder)


@pytest.mark.parametrize("name", ["", "x" * 300, "ghost"])
def test_a_name_of_no_file_is_refused(folder: Path, name: str) -> None:
    edit(folder, lambda values: values["files"].update({name: record(SECRET)}))
    assert str(folder / name) in refusal(folder)


@pytest.mark.parametrize("target", ["../secret", "/proc/self/environ", "/dev/zero"])
def test_a_link_that_leads_outside_is_refused_unread(folder: Path, target: str) -> None:
    (folder.parent / "secret").write_bytes(SECRET)
    (folder / CARD).unlink()
    (folder / CARD).symlink_to(target)
    edit(folder, lambda values: values["files"].update({CARD: record(SECRET)}))
    assert "names 'README.md', which lies outside the bundle" in refusal(folder)


def test_a_circle_of_links_is_refused(folder: Path) -> None:
    (folder / CARD).unlink()
    (folder / CARD).symlink_to(CARD)
    assert "README.md" in refusal(folder)


def test_a_file_that_cannot_be_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bundle, "_sha256", forbidden)
    assert re.search(r"model\.\w+ cannot be read: Permission denied|README", refusal(folder))


# --- hostile bytes ------------------------------------------------------------------------------


def loads_or_bundle_error(folder: Path) -> None:
    try:
        bundle.load(folder)
        told = "loaded"
    except BundleError as error:
        told = str(error)
    assert len(told.splitlines()) == 1


@pytest.fixture(scope="module")
def fuzzed(manifest: Manifest) -> Any:
    with tempfile.TemporaryDirectory() as name:
        yield bundle.save(Path(name) / "model", manifest, fill).folder


fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(st.data())
@fuzz
def test_any_damage_to_the_manifest_s_bytes_is_a_bundle_error(
    fuzzed: Path, data: st.DataObject
) -> None:
    whole = (fuzzed / MANIFEST).read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 20)))
    damaged = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    try:
        (fuzzed / MANIFEST).write_bytes(damaged)
        loads_or_bundle_error(fuzzed)
    finally:
        (fuzzed / MANIFEST).write_bytes(whole)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = msgspec.structs.fields(Manifest)


@given(st.sampled_from([field.name for field in FIELDS]), json_values)
@fuzz
def test_any_value_of_any_field_is_taken_or_a_bundle_error(
    fuzzed: Path, name: str, value: Any
) -> None:
    whole = (fuzzed / MANIFEST).read_bytes()
    try:
        edit(fuzzed, lambda values: values.update({name: value}))
        loads_or_bundle_error(fuzzed)
    finally:
        (fuzzed / MANIFEST).write_bytes(whole)


@given(st.text(max_size=30) | st.binary(max_size=8).map(lambda raw: raw.decode("latin1")))
@fuzz
def test_any_file_name_in_the_manifest_is_a_bundle_error(fuzzed: Path, name: str) -> None:
    whole = (fuzzed / MANIFEST).read_bytes()
    try:
        edit(fuzzed, lambda values: values["files"].update({name: record(SECRET)}))
        with pytest.raises(DeepMNISTError):
            bundle.load(fuzzed)
    finally:
        (fuzzed / MANIFEST).write_bytes(whole)


def test_another_input_contract_is_refused_by_number(folder: Path) -> None:
    edit(folder, lambda values: values.update(input_contract=2))
    assert "prepared by input contract 2; this deepmnist prepares them by 1" in refusal(folder)

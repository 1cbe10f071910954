"""A trained model on disk: a folder with a manifest, weights, a runtime file and a model card.

`bundle.json` names every file with its size and SHA-256 and says what the model is: classes, input
contract, temperature, configuration, data, versions, numbers. Nothing in a bundle is pickled and
nothing in it can run code. Reading one trusts none of it before it is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from deepmnist import atomic
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.errors import BundleError, one_line, reason

SCHEMA_VERSION = 1
MANIFEST = "bundle.json"
RUNTIME = "model.tflite"
WEIGHTS = "model.keras"
CARD = "README.md"
LAYERS = "layers.tflite"  # optional: what the first two convolutions show (export/layers.py)
SHIPPED = Path(__file__).parent / "pretrained"  # the bundle that comes with deepmnist
MAX_MANIFEST_BYTES = 1_000_000
MAX_FILE_BYTES = 1_000_000_000


class FileRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file of a bundle."""

    bytes: int
    sha256: str


class DataRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The data a model was trained on."""

    name: str
    identity: str  # SHA-256 of the training part, Dataset.identity
    training: int  # images
    validation: int  # images
    fallback: bool  # True: the embedded digits stood in for MNIST, which could not be had


Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class RejectionRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """When answers are accepted (rejection.py)."""

    threshold: Probability  # confidence from which on they are
    coverages: list[
        tuple[Probability, Probability]
    ]  # (share of digits accepted, threshold), rising share


class OriginRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The model that this one was improved from, and by what (improvement.py)."""

    sha256: str  # of that model's Keras file
    recipe: str  # of that model
    corrections: int  # images learnt
    held_out: int  # images that were only measured on
    identity: str  # SHA-256 of those learnt, Dataset.identity


Value = str | int | float | bool | None


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What bundle.json holds."""

    schema_version: int = SCHEMA_VERSION
    class_names: list[str]
    input_contract: int  # CONTRACT_VERSION it was trained for
    temperature: float
    parameters: int
    config: dict[str, Value]  # the TrainingConfig that ran
    dataset: DataRecord
    numbers: dict[str, Value]  # measured: test_accuracy, test_n, expected_calibration_error, ...
    versions: dict[str, str]
    files: dict[str, FileRecord] = {}
    rejection: RejectionRecord | None = None  # None: everything is taken for a digit
    origin: OriginRecord | None = None  # None: trained from fresh weights


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been checked against its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def runtime(self) -> Path:
        """The LiteRT file."""
        return self.folder / RUNTIME

    @property
    def weights(self) -> Path:
        """The Keras file."""
        return self.folder / WEIGHTS

    @property
    def layers(self) -> Path | None:
        """The LiteRT file of the first two convolutions, where the bundle has one."""
        return self.folder / LAYERS if LAYERS in self.manifest.files else None


def save(folder: Path, manifest: Manifest, fill: Callable[[Path], None]) -> Bundle:
    """Write a bundle whole or not at all: `fill` puts its files into the folder it is given.

    The manifest's `files` are made here. StorageError where the system refuses.
    """
    with atomic.replacing(folder) as unfinished:
        unfinished.mkdir()
        fill(unfinished)
        files = {file.name: _record(file) for file in sorted(unfinished.iterdir())}
        manifest = msgspec.structs.replace(manifest, files=files)
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        (unfinished / MANIFEST).write_bytes(text + b"\n")
    return Bundle(folder, manifest)


def load(path: str | Path) -> Bundle:
    """The bundle at `path`, a bundle folder or a run folder that holds one.

    BundleError where it is missing, foreign, too new, or any file is missing or altered.
    """
    folder = located(Path(path))
    manifest = _read_manifest(folder / MANIFEST)
    _check_contract(folder, manifest.input_contract)
    for required in (RUNTIME, WEIGHTS):
        if required not in manifest.files:
            raise BundleError(f"{folder / MANIFEST} names no {required}; train or export it anew")
    for name, record in manifest.files.items():
        _verify(folder, name, record)
    return Bundle(folder, manifest)


def located(path: Path) -> Path:
    """The folder of the bundle at `path`, as `load` takes it; BundleError where there is none."""
    if _is_file(path) or path.suffix in {".h5", ".hdf5", ".keras", ".pkl", ".pickle", ".pt"}:
        raise BundleError(
            f"{path} is a file; a model is a folder with a {MANIFEST} in it "
            "(.h5, pickles and loose .keras files are refused: they can run code)"
        )
    for folder in (path, path / "bundle"):
        if _is_file(folder / MANIFEST):
            return folder
    there = "holds no" if path.is_dir() else "does not exist, so there is no"
    raise BundleError(f"{path} {there} {MANIFEST}; give a folder that `deepmnist train` wrote")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise BundleError(f"{path} cannot be looked at: {reason(error)}") from error


def _check_contract(folder: Path, version: int) -> None:
    if version != CONTRACT_VERSION:
        raise BundleError(
            f"{folder} was trained on pictures prepared by input contract {version}; "
            f"this deepmnist prepares them by {CONTRACT_VERSION}; "
            "use the deepmnist it was made with, or train the model anew"
        )


class _Version(msgspec.Struct):
    schema_version: int


def _read_manifest(path: Path) -> Manifest:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(f"{path} is larger than {MAX_MANIFEST_BYTES:,} bytes: no manifest")
        text = path.read_bytes()
        version = msgspec.json.decode(text, type=_Version).schema_version
        if version != SCHEMA_VERSION:
            raise BundleError(
                f"{path} has schema version {version}; this deepmnist reads {SCHEMA_VERSION}; "
                "upgrade deepmnist, or train the model anew"
            )
        return msgspec.json.decode(text, type=Manifest)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {reason(error)}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{path} is no valid manifest: {one_line(error)}") from error


def _verify(folder: Path, name: str, record: FileRecord) -> None:
    path = folder / name
    try:
        if not _lies_in(folder, name):
            raise BundleError(
                f"{folder / MANIFEST} names {name!r}, which lies outside the bundle; "
                "use a bundle from its own source"
            )
        if not path.is_file():
            raise BundleError(f"{path} is missing from the bundle; copy the whole folder again")
        if record.bytes > MAX_FILE_BYTES:
            raise BundleError(f"{path} claims {record.bytes:,} bytes; at most {MAX_FILE_BYTES:,}")
        if path.stat().st_size != record.bytes or _sha256(path) != record.sha256:
            raise BundleError(
                f"{path} is altered: it differs from what {MANIFEST} says of it; "
                "copy the whole folder again"
            )
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {reason(error)}") from error


def _lies_in(folder: Path, name: str) -> bool:
    """Whether `name` is a plain one, of a file in `folder`, by no link that leads out of it."""
    try:
        target = (folder / name).resolve()
    except (ValueError, RuntimeError):  # no name any system knows (a NUL); a circle of links
        return False
    plain = Path(name).name == name and name.isprintable()
    return plain and target.is_relative_to(folder.resolve())


def _record(path: Path) -> FileRecord:
    return FileRecord(path.stat().st_size, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

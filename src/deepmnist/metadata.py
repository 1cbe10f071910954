"""What an exported model tells of itself, the same JSON in every format, checked when it is read.

Where it lies is each format's own: a flatbuffer's metadata, ONNX's metadata_props, SavedModel's
assets.extra. It takes the place of a bundle's manifest, and is believed no sooner.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from deepmnist.bundle import Manifest, RejectionRecord
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.errors import BundleError, one_line

KEY = "deepmnist"  # its name within a file
SCHEMA_VERSION = 1
MAX_BYTES = 100_000
MAX_CLASSES = 1_000
MAX_NAME = 100  # characters of a class's name
READER_CLASSES = 10

Kind = Literal["classifier", "reader"]
Precision = Literal["float32", "float16", "int8"]
ClassName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
ClassNames = Annotated[list[ClassName], msgspec.Meta(min_length=2, max_length=MAX_CLASSES)]


class Metadata(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What an exported file holds beside its graph."""

    schema_version: int = SCHEMA_VERSION
    kind: Kind  # classifier: 28x28 image in; reader: a picture in, prepared inside the graph
    precision: Precision
    class_names: ClassNames
    input_contract: int  # CONTRACT_VERSION of the images it takes, or makes
    temperature: float  # already in the graph
    rejection: RejectionRecord | None  # when answers are accepted; None: always from 0.9 on
    dataset: str  # what the model was trained on
    source_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]  # of its Keras file
    versions: dict[str, str]  # of what exported it


def of(manifest: Manifest, kind: Kind, precision: Precision, versions: dict[str, str],
       source_sha256: str) -> Metadata:  # fmt: skip
    """What an export of a bundle with this manifest tells."""
    return Metadata(
        kind=kind,
        precision=precision,
        class_names=manifest.class_names,
        input_contract=manifest.input_contract,
        temperature=manifest.temperature,
        rejection=manifest.rejection,
        dataset=manifest.dataset.name,
        source_sha256=source_sha256,
        versions=versions,
    )


def encoded(metadata: Metadata) -> bytes:
    """As JSON."""
    return msgspec.json.encode(metadata)


def check_model(manifest: Manifest, kind: Kind, name: str) -> None:
    """BundleError, before time is spent, for a model whose file would be refused when opened."""
    names = manifest.class_names
    if kind == "reader" and len(names) != READER_CLASSES:
        raise BundleError(
            f"{name} tells {len(names)} classes apart; a reader tells {READER_CLASSES}, the "
            "digits: export it as a classifier"
        )
    if not 2 <= len(names) <= MAX_CLASSES or len(set(names)) < len(names):
        raise BundleError(
            f"{name} has {len(set(names))} different names for {len(names)} classes; an exported "
            f"file names 2 to {MAX_CLASSES:,}, each once: train a model on such classes"
        )
    for each in names:
        if not (1 <= len(each) <= MAX_NAME and each.isprintable()):
            shown = f"{ascii(each)[:40]} of {len(each):,} characters"
            raise BundleError(
                f"{name} has a class {shown}; in an exported file a class's name has 1 to "
                f"{MAX_NAME} characters, all printable: rename the class and train anew"
            )


class _Version(msgspec.Struct):
    schema_version: int


def decoded(text: bytes | None, name: str) -> Metadata:
    """What `text`, found in the file `name`, says. None is a file without any.

    BundleError where it is missing, too long, of another version or contract, or not as it must be.
    """
    if text is None:
        raise BundleError(
            f"{name} does not say what it is, so `deepmnist export` did not write it; "
            "give a file that it wrote"
        )
    if len(text) > MAX_BYTES:
        raise BundleError(f"{name} tells more than {MAX_BYTES:,} bytes of itself; export it anew")
    try:
        version = msgspec.json.decode(text, type=_Version).schema_version
        if version == SCHEMA_VERSION:
            return _checked(msgspec.json.decode(text, type=Metadata), name)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{name} tells of itself what cannot be: {one_line(error)}") from error
    raise BundleError(
        f"{name} has metadata of schema version {version}; this deepmnist reads {SCHEMA_VERSION}; "
        "upgrade deepmnist, or export the model anew"
    )


def _checked(metadata: Metadata, name: str) -> Metadata:
    if metadata.input_contract != CONTRACT_VERSION:
        raise BundleError(
            f"{name} takes images of input contract {metadata.input_contract}; this deepmnist "
            f"makes them by {CONTRACT_VERSION}; use the deepmnist it was made with, or export anew"
        )
    names = metadata.class_names
    if len(set(names)) < len(names) or not all(each.isprintable() for each in names):
        raise BundleError(f"{name} names a class twice, or unprintably; export it anew")
    return metadata

"""A bundle's Keras file read as a net, trusted with nothing.

The bundle's hashes are checked before (bundle.load); here its archive's size is, before it is
unpacked, and Keras' safe mode lets nothing in it run. What the net is for, teaching or learning on,
is no business of this module's.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepmnist import bundle
from deepmnist.contract import SIDE
from deepmnist.errors import BundleError, reason

if TYPE_CHECKING:
    import keras


def read(opened: bundle.Bundle, outputs: Sequence[int]) -> keras.Model:
    """The float32 net of a checked bundle, from image (n, 28, 28) to logits (n, one of `outputs`).

    BundleError where its Keras file is none, could run code, or holds another kind of net.
    """
    _check_archive(opened.weights)
    net = _read(opened.weights)
    check_shapes(opened, net, outputs)
    return net


def _check_archive(path: Path) -> None:
    """BundleError unless `path` is a ZIP file that unpacks to a size a model may have."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BundleError(f"{path} is no Keras file: {error}; train the model anew") from error
    if size > bundle.MAX_FILE_BYTES:
        raise BundleError(
            f"{path} unpacks to {size:,} bytes; at most {bundle.MAX_FILE_BYTES:,} are read"
        )


def _read(path: Path) -> keras.Model:
    import keras

    from deepmnist import model  # noqa: F401  # its import registers the layers that are our own

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras trips over in a file that others wrote
        raise BundleError(
            f"{path} cannot be read as a Keras model ({type(error).__name__}: {reason(error)}); "
            "train the model anew"
        ) from error


def check_shapes(opened: bundle.Bundle, net: keras.Model, outputs: Sequence[int]) -> None:
    """BundleError unless a net of the bundle goes from (n, 28, 28) to (n, one of `outputs`)."""
    takes, gives = (
        [tuple(end.shape) for end in getattr(net, ends, [])] for ends in ("inputs", "outputs")
    )
    needed = [(None, SIDE, SIDE)], [[(None, classes)] for classes in outputs]
    if takes != needed[0] or gives not in needed[1]:
        allowed = " or ".join(map(str, needed[1]))
        raise BundleError(
            f"{opened.weights} takes {takes} and gives {gives}; here a net must take "
            f"{needed[0]} and give {allowed}; train it anew"
        )

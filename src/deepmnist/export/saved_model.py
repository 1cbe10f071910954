"""SavedModel: for TensorFlow and TF Serving, with the signature `serving_default`.

Weights are constants of the graph, so it has no variables and nothing to run while it loads. What
it tells of itself lies in `assets.extra/`, the folder that the format leaves to others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from deepmnist import chatter
from deepmnist.export import functions
from deepmnist.metadata import Metadata, encoded
from deepmnist.prediction.saved_model import SIGNATURE, TOLD


def write(
    path: Path, make: functions.Make, metadata: Metadata, samples: NDArray[np.float32]
) -> None:
    """Put a SavedModel into a new folder at `path`. `samples` are not needed: there is no int8."""
    function = make(metadata.precision == "float16")
    signatures = {SIGNATURE: function.get_concrete_function()}
    with chatter.dropped():
        tf.saved_model.save(tf.Module(), str(path), signatures)
    told = path / TOLD
    told.parent.mkdir()
    told.write_bytes(encoded(metadata))

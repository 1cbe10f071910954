"""TensorFlow and Keras, imported without the notes TensorFlow prints at its start.

    from quietly import keras, tf

TF_CPP_MIN_LOG_LEVEL is the documented switch: "1" hides notes, "2" also warnings, "3" also errors.
TensorFlow reads it once, while it is imported, so it has to be set before. Two notes about oneDNN
are written earlier still, by C++ that has not read the switch yet; Python's sys.stderr never sees
them, because they go to file descriptor 2 itself. So the descriptor is put aside for the import,
and back afterwards, also when the import fails: errors are still seen.
"""

import contextlib
import os
from collections.abc import Iterator

__all__ = ["keras", "tf"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@contextlib.contextmanager
def descriptor_2_put_aside() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere, for as long as the block runs."""
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


with descriptor_2_put_aside():
    import keras
    import tensorflow as tf

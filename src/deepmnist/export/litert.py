"""LiteRT: the file that the base install, a phone and a browser run.

Builtin operations only, so that no runtime needs TensorFlow's own. In float16 the weights are
stored in half and computed with in float32. In int8 all but the last layer and what follows
it is quantised, as samples show its range: those decide close calls, and weigh little.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from deepmnist import chatter
from deepmnist.export import flatbuffer, functions
from deepmnist.metadata import Metadata, encoded


def write(
    path: Path, make: functions.Make, metadata: Metadata, samples: NDArray[np.float32]
) -> None:
    """Put a .tflite file at `path`.

    samples: images float32 (n, 28, 28) in 0..1 that int8 is fitted to.
    """
    function = make(False)
    file = converted(function)
    if metadata.precision == "float16":
        file = flatbuffer.halved(file)
    elif metadata.precision == "int8":
        head = flatbuffer.head(file, len(metadata.class_names))
        file = quantised(function, samples, head)
    path.write_bytes(flatbuffer.labelled(file, encoded(metadata)))


def convert(net: keras.Model, temperature: float, classes: int | None = None) -> bytes:
    """The .tflite file of a bundle, in float32.

    Of variables, since it is made beside all that a training holds: the converter copies a graph
    with its constants over and over.
    """
    return converted(functions.of_variables(net, temperature, classes))


def converted(function: functions.Function) -> bytes:
    """A .tflite file of a function with an input signature, in builtin ops."""
    with chatter.dropped():
        return bytes(_converter(function).convert())


def quantised(function: functions.Function, samples: NDArray[np.float32], head: list[str]) -> bytes:
    """The same in int8, but for what gives the tensors named `head`."""

    def fitted_to() -> Iterator[list[NDArray[np.float32]]]:
        yield from ([samples[i : i + 1]] for i in range(len(samples)))

    converter = _converter(function)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = fitted_to
    left_out = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=head)
    with chatter.dropped(), warnings.catch_warnings():
        # It makes an interpreter of TensorFlow's own, which says that it will be LiteRT's.
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated")
        quantiser = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=fitted_to, debug_options=left_out
        )
        return bytes(quantiser.get_nondebug_quantized_model())


def _converter(function: functions.Function) -> tf.lite.TFLiteConverter:
    concrete = function.get_concrete_function()
    owner = tf.Module()
    owner.weights = list(concrete.variables)  # what none owns would be zeros, without a word
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter


def operations(file: bytes) -> dict[str, int]:
    """How often each operation is in a .tflite file, most frequent first.

    Those that are not LiteRT's own are named as LiteRT names them: FlexAddV2, or CUSTOM's own name.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with chatter.dropped():
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=file, experimental_op_resolver_type=plain)
    names = [operation["op_name"] for operation in interpreter._get_ops_details()]
    return dict(Counter(names).most_common())

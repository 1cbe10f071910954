"""The runtimes that inference.py puts side by side, each in its fastest float32 form.

Every one takes uint8 images of one fixed number, converts them into a buffer it was bound to once,
and writes probabilities where it is told. OpenVINO would turn to bfloat16 unasked on processors
that have it, so its precision is named; its threads are not pinned to cores, since two models of
one process would be pinned to the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from deepmnist import chatter, model, recipes
from deepmnist.contract import SIDE
from deepmnist.data.dataset import DIGITS
from deepmnist.export import litert
from deepmnist.export.folding import folded
from deepmnist.prediction import write_unit_range

CLASSES = len(DIGITS)

# Fills the second, float32 (size, classes), with probabilities of the first, uint8 (size, 28, 28).
Answer = Callable[[NDArray[np.uint8], NDArray[np.float32]], None]


@dataclass(frozen=True)
class Net:
    """One net in every form that a runtime reads."""

    keras: keras.Model  # to logits, its normalisations folded away
    litert: bytes
    onnx: bytes


def prepare(recipe: str) -> Net:
    """The recipe's architecture, untrained, with a readout that tells images apart.

    Its normalisations are folded for every runtime, as the product does for its files: no converter
    folds those behind a pooling by itself.
    """
    net = folded(model.build(recipes.configure(recipe), CLASSES))
    readout, generator = net.get_layer("logits"), np.random.default_rng(0)
    readout.set_weights(
        [generator.normal(0, 0.1, weights.shape) for weights in readout.get_weights()]
    )
    return Net(net, litert.convert(net, temperature=1.0), _onnx(net))


def _onnx(net: keras.Model) -> bytes:
    answers = {"probabilities": keras.layers.Softmax(name="probabilities")(net.output)}
    classifier = keras.Model(net.input, answers)
    classifier(np.zeros((1, SIDE, SIDE), np.float32))  # Keras wants it called before it exports
    with TemporaryDirectory() as folder, chatter.dropped():
        path = Path(folder) / "net.onnx"
        classifier.export(path, format="onnx", verbose=False)
        return path.read_bytes()


def with_litert(net: Net, size: int, threads: int) -> Answer:
    """The interpreter, its delegate XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    with chatter.dropped():
        interpreter = Interpreter(model_content=net.litert, num_threads=threads)
        (image,) = interpreter.get_input_details()
        interpreter.resize_tensor_input(image["index"], (size, SIDE, SIDE))
        interpreter.allocate_tensors()
    (probabilities,) = interpreter.get_output_details()
    read, write = (interpreter.tensor(each["index"]) for each in (probabilities, image))

    def answer(images: NDArray[np.uint8], into: NDArray[np.float32]) -> None:
        write_unit_range(images, write())
        interpreter.invoke()
        into[:] = read()

    return answer


def with_onnx_runtime(net: Net, size: int, threads: int) -> Answer:
    """A session with input and output bound to memory of our own."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_free_dimension_override_by_name(_free_dimension(net.onnx), size)
    session = onnxruntime.InferenceSession(net.onnx, options, providers=["CPUExecutionProvider"])
    image, probabilities = _buffers(size)
    binding = session.io_binding()
    for bind, name, array in (
        (binding.bind_input, "image", image),
        (binding.bind_output, "probabilities", probabilities),
    ):
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def answer(images: NDArray[np.uint8], into: NDArray[np.float32]) -> None:
        write_unit_range(images, image)
        session.run_with_iobinding(binding)
        into[:] = probabilities

    return answer


def _free_dimension(file: bytes) -> str:
    """What an ONNX file calls its number of images."""
    import onnx

    (image,) = onnx.load_from_string(file).graph.input
    return str(image.type.tensor_type.shape.dim[0].dim_param)


def with_openvino(net: Net, size: int, threads: int) -> Answer:
    """One stream of so many threads, its input bound to memory of our own."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(net.onnx)
    graph.reshape([size, SIDE, SIDE])
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(graph, "CPU", settings).create_infer_request()
    image, _ = _buffers(size)
    request.set_input_tensor(openvino.Tensor(image, shared_memory=True))
    probabilities = request.get_output_tensor().data

    def answer(images: NDArray[np.uint8], into: NDArray[np.float32]) -> None:
        write_unit_range(images, image)
        request.infer(share_outputs=True)
        into[:] = probabilities

    return answer


def with_tensorflow(net: Net, size: int, threads: int) -> Answer:
    """A compiled function. Its threads are the process's: `limit_tensorflow` sets them."""
    signature = [tf.TensorSpec((size, SIDE, SIDE), tf.float32)]
    classify = tf.function(
        lambda image: tf.nn.softmax(net.keras(image, training=False)), input_signature=signature
    ).get_concrete_function()
    image, _ = _buffers(size)

    def answer(images: NDArray[np.uint8], into: NDArray[np.float32]) -> None:
        write_unit_range(images, image)
        into[:] = classify(tf.convert_to_tensor(image)).numpy()

    return answer


def limit_tensorflow(threads: int) -> None:
    """To be called before TensorFlow computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _buffers(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.zeros((size, SIDE, SIDE), np.float32), np.zeros((size, CLASSES), np.float32)


RUNTIMES: dict[str, Callable[[Net, int, int], Answer]] = {
    "LiteRT": with_litert,
    "ONNX Runtime": with_onnx_runtime,
    "OpenVINO": with_openvino,
    "TensorFlow": with_tensorflow,
}

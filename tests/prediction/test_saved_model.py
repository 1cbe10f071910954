"""A SavedModel is a program: what is not arithmetic is refused before TensorFlow loads it."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from deepmnist import prediction, recipes
from deepmnist.errors import BundleError
from deepmnist.export import functions
from deepmnist.prediction import saved_model
from tests.nets import delivered

IMAGE = [tf.TensorSpec((None, 28, 28), tf.float32, name="image")]


def told(exported, folder: Path) -> Path:
    """The folder, with what a good export tells of itself."""
    place = folder / saved_model.TOLD
    place.parent.mkdir(exist_ok=True)
    shutil.copy(exported("saved_model").path / saved_model.TOLD, place)
    return folder


def python(image: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.numpy_function(lambda x: x, [image], tf.float32), (-1, 28, 28))


def writes(image: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.io.write_file("/tmp/never", "x")]):
        return tf.identity(image)


def reads(image: tf.Tensor) -> tf.Tensor:
    return image + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)


def saves(image: tf.Tensor) -> tf.Tensor:
    save = tf.raw_ops.SaveV2(
        prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], tensors=[image]
    )
    with tf.control_dependencies([save]):
        return tf.identity(image)


def loops(image: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda x: tf.reduce_sum(x) >= 0, lambda x: [x], [image])[0]


@pytest.mark.parametrize(
    ("change", "operation"),
    [
        (python, "PyFunc"),
        (writes, "WriteFile"),
        (reads, "ReadFile"),
        (saves, "SaveV2"),
        (loops, "While"),
    ],
)
def test_a_program_is_refused_by_its_operation(
    exported, tmp_path: Path, change: Callable[[tf.Tensor], tf.Tensor], operation: str
) -> None:
    @tf.function(input_signature=IMAGE)
    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(change(image)[:, 0, :10])}

    tf.saved_model.save(
        tf.Module(), str(tmp_path / "m"), {"serving_default": classify.get_concrete_function()}
    )
    with pytest.raises(BundleError, match=f"holds the operation '.*{operation}") as caught:
        prediction.load(told(exported, tmp_path / "m"))
    assert "\n" not in str(caught.value)


def test_what_would_run_while_loading_is_refused(exported, tmp_path: Path) -> None:
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([1], [2]), default_value=0
    )
    tf.saved_model.save(module, str(tmp_path / "m"))
    with pytest.raises(BundleError, match="holds an object of kind resource"):
        prediction.load(told(exported, tmp_path / "m"))


def test_saving_hidden_under_the_name_of_tensorflow_s_own_is_found(
    exported, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(exported("saved_model").path, folder)
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / saved_model.GRAPH).read_bytes())
    library = saved.meta_graphs[0].graph_def.library.function
    keeper = next(each for each in library if "traced_save" in each.signature.name)
    wrapper = next(each for each in library if "signature_wrapper" in each.signature.name)
    call = next(each for each in wrapper.node_def if "PartitionedCall" in each.op)
    call.attr["f"].func.name = keeper.signature.name
    (folder / saved_model.GRAPH).write_bytes(saved.SerializeToString())
    with pytest.raises(BundleError, match="holds the operation"):
        prediction.load(folder)


def other_form(folder: Path) -> None:
    (folder / "saved_model.cpb").write_bytes(b"")


def damaged(folder: Path) -> None:
    (folder / saved_model.GRAPH).write_bytes(b"\xff" * 100)


def empty(folder: Path) -> None:
    (folder / saved_model.GRAPH).write_bytes(b"")


def untold(folder: Path) -> None:
    (folder / saved_model.TOLD).unlink()


def told_by_a_pipe(folder: Path) -> None:
    untold(folder)
    os.mkfifo(folder / saved_model.TOLD)


def other_classes(folder: Path) -> None:
    values = json.loads((folder / saved_model.TOLD).read_text())
    (folder / saved_model.TOLD).write_text(json.dumps({**values, "class_names": ["a", "b"]}))


def other_kind(folder: Path) -> None:
    values = json.loads((folder / saved_model.TOLD).read_text())
    (folder / saved_model.TOLD).write_text(json.dumps({**values, "kind": "reader"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_form, "holds 'saved_model.cpb', which no export writes"),
        (damaged, "is no SavedModel"),
        (empty, "is no SavedModel with one graph"),
        (untold, "does not say what it is"),
        (told_by_a_pipe, "does not say what it is"),
        (other_classes, "a classifier of 2 classes takes"),
        (other_kind, "a reader of 10 classes takes"),
    ],
)
def test_a_folder_that_was_changed_is_refused_in_one_line(
    exported, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(exported("saved_model").path, folder)
    change(folder)
    with pytest.raises(BundleError, match=message) as caught:
        prediction.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_net_there_is_is_arithmetic(recipe: str) -> None:
    net = delivered(recipe, 10)
    graph = functions.classifier(net, 1.0, 10).get_concrete_function().graph.as_graph_def()
    used = Counter(node.op for node in graph.node)
    for function in graph.library.function:
        used.update(node.op for node in function.node_def)
    assert {*used} - {*saved_model.ARITHMETIC.split()} == set()


def test_a_served_answer_survives_the_one_who_loaded_it(exported) -> None:
    """TensorFlow frees a signature's variables with the object that was loaded."""
    predictor = prediction.load(exported("saved_model").path)
    found = predictor.predict_proba(np.zeros((2, 28, 28), np.uint8))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)

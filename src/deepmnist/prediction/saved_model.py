"""SavedModels, run by TensorFlow: what one may hold, and its serving signature as a function.

A SavedModel is a program. So its protocol buffer is looked through before TensorFlow loads it: only
operations that an export is made of may be in it, none that calls Python, touches a file or keeps a
resource, and nothing that TensorFlow would run while loading. TensorFlow's own parser still reads
the file; docs/deploy.md says what that is worth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deepmnist import bundle, chatter
from deepmnist.errors import BundleError, MissingExtraError, reason
from deepmnist.metadata import MAX_BYTES, Metadata, decoded
from deepmnist.prediction.graphs import Ends, Graph, check_ends

GRAPH = "saved_model.pb"
TOLD = "assets.extra/deepmnist.json"  # the folder that SavedModel leaves to others
SIGNATURE = "serving_default"
PARTS = {GRAPH, "fingerprint.pb", "variables", "assets", "assets.extra"}

ARITHMETIC = """
    Abs AddV2 ArgMax AvgPool BiasAdd Cast Ceil ConcatV2 Const Conv2D Cumsum
    DepthwiseConv2dNative Equal Exp ExpandDims Fill Floor FusedBatchNormV3 GatherV2 Greater
    GreaterEqual Identity IdentityN Less LessEqual Log LogicalAnd LogSoftmax MatMul Max Maximum
    MaxPool Mean Min Minimum Mul Neg NoOp Pack Pad PartitionedCall Placeholder RealDiv Relu
    Reshape ReverseV2 Round Rsqrt SelectV2 Shape Sigmoid Sign Softmax Sqrt Square
    SquaredDifference Squeeze StatefulPartitionedCall StridedSlice Sub Sum Tile TopKV2 Transpose
    UnsortedSegmentMax UnsortedSegmentSum
"""
# What saves and restores variables, in two functions that TensorFlow writes into every SavedModel.
KEEPING = """
    MergeV2Checkpoints RestoreV2 SaveV2 Select ShardedFilename StaticRegexFullMatch StringJoin
"""
KEEPER = re.compile(r"__inference__traced_(save|restore)_[0-9]+")
KINDS = {"user_object", "function", "bare_concrete_function"}
OBJECTS = {"", "_generic_user_object", "signature_map"}  # "" is of no user object


def opened(folder: Path) -> tuple[Graph, Metadata]:
    """The serving signature of a SavedModel, checked, and what the folder tells of itself.

    BundleError where it is none, holds what it may not, or cannot be run. MissingExtraError.
    """
    metadata = decoded(_read(folder / TOLD, MAX_BYTES + 1), str(folder))
    try:
        with chatter.dropped():
            import tensorflow as tf
            from tensorflow.core.protobuf import saved_model_pb2
    except ImportError as error:
        raise MissingExtraError(f"{folder.name}, a SavedModel,", "export") from error
    _check_parts(folder)
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(_read(folder / GRAPH, bundle.MAX_FILE_BYTES) or b"")
    except Exception as error:  # protobuf's own, of which there are several implementations
        raise BundleError(f"{folder / GRAPH} is no SavedModel ({reason(error)})") from error
    _check(saved, str(folder))
    try:
        with chatter.dropped():
            loaded = tf.saved_model.load(str(folder))
            signature = loaded.signatures[SIGNATURE]
    except Exception as error:  # whatever TensorFlow trips over in a file that others wrote
        raise BundleError(f"{folder} cannot be run by TensorFlow: {reason(error)}") from error
    takes, gives = signature.structured_input_signature[1], signature.structured_outputs
    check_ends(str(folder), metadata, _ends(takes), _ends(gives))
    return _function(loaded, folder), metadata


def _function(loaded: Any, folder: Path) -> Graph:
    signature = loaded.signatures[SIGNATURE]  # lives no longer than what it was loaded with

    def run(**arrays: Any) -> dict[str, Any]:
        import tensorflow as tf

        assert loaded is not None
        try:
            outputs = signature(**{name: tf.constant(array) for name, array in arrays.items()})
        except Exception as error:
            raise BundleError(f"{folder} cannot be run by TensorFlow: {reason(error)}") from error
        return {name: output.numpy() for name, output in outputs.items()}

    return run


def _ends(specs: dict[str, Any]) -> Ends:
    return {name: (spec.dtype.name, tuple(spec.shape)) for name, spec in specs.items()}


def _read(path: Path, limit: int) -> bytes | None:
    """What a file holds, up to a limit; None where there is none."""
    try:
        if not path.is_file():  # such as a pipe, which would be waited for
            return None
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {reason(error)}") from error


def _check_parts(folder: Path) -> None:
    """TensorFlow has other forms of the graph, which it would prefer to the one checked here."""
    foreign = sorted({part.name for part in folder.iterdir()} - PARTS)
    if foreign:
        raise BundleError(
            f"{folder} holds {foreign[0]!r}, which no export writes; copy the export again"
        )


def _check(saved: Any, name: str) -> None:
    """BundleError for what an export never holds and a stranger's program might."""
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField("object_graph_def"):
        raise BundleError(f"{name} is no SavedModel with one graph; export it anew")
    meta_graph = saved.meta_graphs[0]
    for node in meta_graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind")
        if kind not in KINDS or (
            kind == "user_object" and node.user_object.identifier not in OBJECTS
        ):
            raise BundleError(
                f"{name} holds an object of kind {kind}; an export holds functions alone"
            )
    called, arithmetic = {*_called(meta_graph)}, {*ARITHMETIC.split()}
    for function in meta_graph.graph_def.library.function:
        given = function.signature.name
        keeper = KEEPER.fullmatch(given) is not None and given not in called
        allowed = arithmetic.union(KEEPING.split()) if keeper else arithmetic
        for node in function.node_def:
            if node.op not in allowed:
                raise BundleError(
                    f"{name} holds the operation {node.op[:40]!r}; an export is arithmetic alone: "
                    "use a SavedModel that `deepmnist export` wrote"
                )


def _called(meta_graph: Any) -> Iterator[str]:
    """Every function that another one or an object names: all that loading or answering may run."""
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            yield from (value.func.name for value in node.attr.values())
            yield from (each.name for value in node.attr.values() for each in value.list.func)
    for node in meta_graph.object_graph_def.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name
    yield from meta_graph.object_graph_def.concrete_functions

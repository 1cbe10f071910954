"""ONNX files, run by ONNX Runtime: what one may hold, and its graph as a function.

Trusted with nothing: a file with data outside itself, operations of others, functions or control
flow is refused before ONNX Runtime sees it, so that what runs is arithmetic and ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deepmnist import chatter
from deepmnist.errors import BundleError, MissingExtraError, reason
from deepmnist.metadata import KEY, Metadata, decoded
from deepmnist.prediction.graphs import Ends, Graph, check_ends

DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(bool)": "bool"}
DOMAINS = {"", "ai.onnx"}  # ONNX's own


def opened(content: bytes, path: Path) -> tuple[Graph, Metadata]:
    """The graph of an ONNX file's content, checked, and what the file tells of itself.

    BundleError where it is none, holds what it may not, or cannot be run. MissingExtraError.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(f"{path.name}, an ONNX file,", "export") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own, of which there are several implementations
        raise BundleError(f"{path} is no ONNX file ({reason(error)}); export it anew") from error
    _check(model, str(path))
    texts = [each.value for each in model.metadata_props if each.key == KEY]
    metadata = decoded(texts[0].encode() if texts else None, str(path))
    try:
        with chatter.dropped():
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise BundleError(f"{path} cannot be run by ONNX Runtime: {reason(error)}") from error
    check_ends(str(path), metadata, _ends(session.get_inputs()), _ends(session.get_outputs()))
    return _function(session, path), metadata


def _function(session: Any, path: Path) -> Graph:
    names = [end.name for end in session.get_outputs()]

    def run(**arrays: Any) -> dict[str, Any]:
        try:
            return dict(zip(names, session.run(names, arrays), strict=True))
        except Exception as error:
            raise BundleError(f"{path} cannot be run by ONNX Runtime: {reason(error)}") from error

    return run


def _ends(tensors: Any) -> Ends:
    return {
        each.name: (
            DTYPES.get(each.type, each.type),
            tuple(size if isinstance(size, int) else None for size in each.shape),
        )
        for each in tensors
    }


def _check(model: Any, name: str) -> None:
    """BundleError for what an export never holds and a stranger's file might."""
    graph = model.graph
    if model.functions or {each.domain for each in model.opset_import} - DOMAINS:
        raise BundleError(f"{name} has operations that are not ONNX's own; export it anew")
    for node in graph.node:
        if node.domain not in DOMAINS:
            raise BundleError(
                f"{name} has the operation {node.op_type[:40]!r} of {node.domain[:40]!r}; only "
                "ONNX's own are run; export it anew"
            )
        if any(each.HasField("g") or each.graphs for each in node.attribute):
            raise BundleError(
                f"{name} has the operation {node.op_type[:40]!r} with a graph in it; exports "
                "neither branch nor loop; export it anew"
            )
    if any(tensor.external_data or tensor.data_location for tensor in _tensors(graph)):
        raise BundleError(f"{name} keeps data in other files, which are not read; export it anew")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for each in node.attribute:
            yield from (each.t, *each.tensors)
            for sparse in (each.sparse_tensor, *each.sparse_tensors):
                yield from (sparse.values, sparse.indices)

"""ONNX files, run by ONNX Runtime: what one may hold, and its graph as a function.

Trusted with nothing: a file with data outside itself, functions, or operations that no export is
made of is refused before ONNX Runtime sees it, so that what runs is arithmetic and ends.
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
AS_ONNX = "session.load_model_format", "ONNX"  # not guessed: a file may begin as ONNX Runtime's own
DOMAINS = {"", "ai.onnx"}  # ONNX's own
ARITHMETIC = """
    Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Concat Constant Conv CumSum
    DequantizeLinear Div Equal Exp Expand Floor Gather Gemm GlobalAveragePool Greater GreaterOrEqual
    Identity Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Min Mul Neg Not Pad QuantizeLinear
    ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape ReverseSequence Round ScatterND Shape
    Sigmoid Sign Slice Softmax Sqrt Squeeze Sub TopK Transpose Unsqueeze Where
"""


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
        _check(model, str(path))
        texts = [each.value.encode() for each in model.metadata_props if each.key == KEY]
    except BundleError:
        raise
    except Exception as error:  # protobuf's own, of several implementations; text that is no UTF-8
        raise BundleError(f"{path} is no ONNX file ({reason(error)}); export it anew") from error
    metadata = decoded(texts[0] if texts else None, str(path))
    try:
        with chatter.dropped():
            options = onnxruntime.SessionOptions()
            options.add_session_config_entry(*AS_ONNX)
            providers = ["CPUExecutionProvider"]
            session = onnxruntime.InferenceSession(content, options, providers=providers)
        takes, gives = _ends(session.get_inputs()), _ends(session.get_outputs())
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise BundleError(f"{path} cannot be run by ONNX Runtime: {reason(error)}") from error
    check_ends(str(path), metadata, takes, gives)
    return _function(session, [*gives], path), metadata


def _function(session: Any, names: list[str], path: Path) -> Graph:
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
    allowed = {*ARITHMETIC.split()}
    for node in graph.node:
        if node.domain not in DOMAINS or node.op_type not in allowed:
            raise BundleError(
                f"{name} holds the operation {node.op_type[:40]!r}; an export is arithmetic alone: "
                "use a file that `deepmnist export` wrote"
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

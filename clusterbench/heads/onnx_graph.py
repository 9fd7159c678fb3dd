"""A head as an ONNX model, from features to clusters and probabilities.

The graph is written node by node: it is short, needs the package onnx alone, and has the names and
the opset that are said here, whatever torch's exporter does in this version or that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_bytes
from .export import WHITENED_LENGTH, PlainHead

#: Of the operators, and of the file format that goes with them (ONNX 1.12).
OPSET, IR_VERSION = 17, 8
#: Bytes of a protocol buffer, less what the graph takes.
_LARGEST = 2**31 - 2**20
#: Below the length of any row of float32 numbers but zeros, which so stay zeros.
_TINY = 1e-100


def write_onnx(path: Path, head: PlainHead) -> None:
    """Write a model from `features` to `cluster` and `probability`, as `PlainHead.config` says.

    Raises:
        InputError: the package onnx is not installed; a head of more than 2 GB.
        StorageError: the file cannot be written.
    """
    size = sum(array.nbytes for array in head.state.values())
    if size > _LARGEST:
        raise InputError(
            f"{path}: the head has {size / 1e6:,.0f} MB, and an ONNX file holds at most "
            f"{_LARGEST / 1e6:,.0f} MB; export to a folder instead"
        )
    try:
        import onnx
    except ImportError as error:
        raise InputError(
            "export to ONNX needs the package onnx; pip install 'clusterbench[onnx]'"
        ) from error
    model = _model(head)
    onnx.checker.check_model(model, full_check=True)
    write_bytes(path, model.SerializeToString())


class _Graph:
    """Nodes in the order of computing; a value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any, dtype: Any, name: str = "") -> str:
        from onnx import numpy_helper

        name = name or f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        self.constants.append(numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return name

    def length(self, x: str, least: float, dtype: Any) -> str:
        """Length of each row, at least `least`."""
        axis = self.constant([1], np.int64)
        squares = self.node("ReduceSum", self.node("Mul", x, x), axis, keepdims=1)
        return self.node("Max", self.node("Sqrt", squares), self.constant(least, dtype))

    def linear(self, x: str, head: PlainHead, layer: str) -> str:
        weight = self.constant(head.state[f"{layer}.weight"].T, np.float32, f"{layer}.weight")
        product = self.node("MatMul", x, weight)
        if f"{layer}.bias" not in head.state:
            return product
        bias = self.constant(head.state[f"{layer}.bias"], np.float32, f"{layer}.bias")
        return self.node("Add", product, bias)


def _model(head: PlainHead) -> Any:
    from onnx import TensorProto, helper

    graph = _Graph()
    x = _scaled(graph, head)
    for layer in head.layers:
        x = graph.linear(x, head, layer)
        x = _gelu(graph, x) if layer in head.activated else x
    if head.cosine:
        x = graph.node("Div", x, graph.length(x, 1e-12, np.float32))
    logits = graph.linear(x, head, "clusters")
    graph.node("ArgMax", logits, name="cluster", axis=1, keepdims=0)
    sharp = graph.node("Div", logits, graph.constant(head.temperature, np.float32))
    graph.node("Softmax", sharp, name="probability", axis=1)

    def value(name: str, kind: int, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    n_clusters = len(head.state["clusters.weight"])
    made = helper.make_graph(
        graph.nodes,
        "head",
        [value("features", TensorProto.FLOAT, "n", head.dim)],
        [
            value("cluster", TensorProto.INT64, "n"),
            value("probability", TensorProto.FLOAT, "n", n_clusters),
        ],
        graph.constants,
    )
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="clusterbench",
    )
    helper.set_model_props(model, {"source": head.source, "scaling": head.scaling})
    return model


def _scaled(graph: _Graph, head: PlainHead) -> str:
    """Features as the head sees them; lengths are computed in float64, which holds all squares."""
    from onnx import TensorProto

    learned = {
        name: graph.constant(array, array.dtype, name)
        for name, array in head.state.items()
        if name.startswith("scaling.")
    }
    x = "features"
    if head.scaling == "none":
        return x
    if head.scaling == "standardize":
        centred = graph.node("Sub", x, learned["scaling.mean"])
        return graph.node("Div", centred, learned["scaling.deviation"])
    x = graph.node("Cast", x, to=TensorProto.DOUBLE)
    if head.scaling == "whiten":
        x = graph.node("Sub", x, learned["scaling.mean"])
        wanted = graph.constant(WHITENED_LENGTH, np.float64)
        factor = graph.node("Div", wanted, graph.length(x, _TINY, np.float64))
        x = graph.node("Round", graph.node("Mul", x, factor))
        x = graph.node("MatMul", x, learned["scaling.basis"])
        x = graph.node("Mul", x, learned["scaling.factors"])
    x = graph.node("Div", x, graph.length(x, _TINY, np.float64))
    return graph.node("Cast", x, to=TensorProto.FLOAT)


def _gelu(graph: _Graph, x: str) -> str:
    """The exact one, x (1 + erf(x / sqrt 2)) / 2; an operator of its own came with opset 20."""
    erf = graph.node("Erf", graph.node("Mul", x, graph.constant(0.5**0.5, np.float32)))
    half = graph.node("Mul", x, graph.constant(0.5, np.float32))
    return graph.node("Mul", half, graph.node("Add", erf, graph.constant(1.0, np.float32)))

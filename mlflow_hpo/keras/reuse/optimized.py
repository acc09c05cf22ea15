"""A function as TensorFlow itself would run it, to be put into the body of a loop.

TensorFlow rewrites the graph that is called: its optimizer folds and fuses operations, and oneDNN puts its own in their
place where the processor is one that it serves. In loops it does so to those that it takes apart, and to none that is
run as a whole. Left as it is, the body of such a loop would round in another way than Keras's graph of one step does.
So the function is called once, as Keras calls it, and the graph that TensorFlow has made of it for that is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import op_def_registry

from mlflow_hpo.keras.reuse.errors import NotReusable

# What a loop or a condition is made of, once it is taken apart.
_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
_NEXT = "IteratorGetNext"
# TensorFlow collects the graphs of all functions that are called meanwhile.
_collecting = threading.Lock()


def optimized(function: Callable[[Any], Any], signature: Any) -> Callable[[Any], None]:
    """Return a function that adds the operations of another one to the graph that is being traced, rewritten.

    Parameters
    ----------
    function : callable
        Made of TensorFlow's operations, and called for their effects: once here, on zeros.
    signature : structure of tf.TensorSpec
        Of its argument.

    Returns
    -------
    callable

    Raises
    ------
    NotReusable
        The function has loops or conditions of its own, or a GPU takes part.
    """
    if tf.config.list_logical_devices("GPU"):
        raise NotReusable("operations on several devices wait for each other")
    batches = iter(_zeros(signature))
    # As Keras does, the function takes its batch itself: what is known of shapes enters how TensorFlow rounds.
    called = tf.function(lambda mlflow_hpo_batches: function(next(mlflow_hpo_batches)), autograph=False)
    traced = called.get_concrete_function(batches)
    names = [argument.name for argument in traced.function_def.signature.input_arg]
    captured = dict(zip(names[1:], traced.captured_inputs, strict=True))
    graph_def = _collected(lambda: traced(batches), names[0])
    if any(_controls_flow(node) for node in graph_def.node):
        raise NotReusable("a step has loops or conditions of its own")
    [batch] = [node.name for node in graph_def.node if node.op == _NEXT]
    body = _with_shapes_unknown(_without_inputs(graph_def, {batch, *names}))
    used = {source if ":" in source else f"{source}:0" for node in body.node for source in node.input}

    def add(argument: Any) -> None:
        given = {f"{name}:0": tensor for name, tensor in captured.items()}
        given |= {f"{batch}:{index}": tensor for index, tensor in enumerate(tf.nest.flatten(argument))}
        capture = tf.compat.v1.get_default_graph().capture
        inputs = {name: capture(tensor) for name, tensor in given.items() if name in used}
        tf.graph_util.import_graph_def(body, input_map=inputs, name="")

    return add


def _zeros(signature: Any) -> tf.data.Dataset:
    """Return data with such batches: where their rows are not known, of one row, which is not known either."""
    rows = tf.nest.flatten(signature)[0].shape[0]
    one = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape[1:], spec.dtype), signature)
    return tf.data.Dataset.from_tensors(one).repeat(rows or 1).batch(rows or 1, drop_remainder=rows is not None)


def _collected(call: Callable[[], Any], argument: str) -> graph_pb2.GraphDef:
    """Return the graph that TensorFlow runs for the first call of a function with an argument of such a name."""
    with _graphs_collected():
        call()
        functions = context.context().export_run_metadata().function_graphs
    graphs = [graph for function in functions for graph in function.partition_graphs]
    [ours] = [graph for graph in graphs if any(node.op == "_Arg" and node.name == argument for node in graph.node)]
    return ours


@contextmanager
def _graphs_collected() -> Iterator[None]:
    with _collecting:
        context.context().enable_graph_collection()
        try:
            yield
        finally:
            context.context().disable_run_metadata()


def _without_inputs(graph_def: graph_pb2.GraphDef, names: set[str]) -> graph_pb2.GraphDef:
    """Return a graph whose inputs are to be given; operations may still be told to wait for them."""
    others = [node for node in graph_def.node if node.name not in names and node.op != "_Retval"]
    waited_for = [node_def_pb2.NodeDef(name=name, op="NoOp") for name in names]
    return graph_pb2.GraphDef(node=[*waited_for, *others], versions=graph_def.versions)


def _with_shapes_unknown(graph_def: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """Return a graph that does not believe what shapes oneDNN's operations tell.

    TensorFlow puts them in where nobody asks any more, and some are wrong: that of the gradient of a bias.
    """
    theirs = {node.name: node for node in graph_def.node if node.op.startswith("_Mkl")}
    hidden = {}
    for node in graph_def.node:
        for position, source in enumerate(node.input):
            name, _, index = source.partition(":")
            if name in theirs:
                hidden[source] = _hidden(source, _dtype(theirs[name], int(index or 0)))
                node.input[position] = hidden[source].name
    graph_def.node.extend(hidden.values())
    return graph_def


def _hidden(source: str, dtype: int) -> node_def_pb2.NodeDef:
    """Return an operation that gives what another one gives, of any shape."""
    name = f"{source.replace(':', '/')}/any_shape"
    node = node_def_pb2.NodeDef(name=name, op="PlaceholderWithDefault", input=[source])
    node.attr["dtype"].type = dtype
    node.attr["shape"].shape.unknown_rank = True
    return node


def _dtype(node: node_def_pb2.NodeDef, index: int) -> int:
    output = op_def_registry.get(node.op).output_arg[index]
    return int(output.type or node.attr[output.type_attr].type)


def _controls_flow(node: Any) -> bool:
    runs_functions = any(value.HasField("func") or value.list.func for value in node.attr.values())
    return runs_functions or node.op in _CONTROL_FLOW

"""A function as TensorFlow's own optimizer leaves it, to be put into the body of a loop.

TensorFlow optimizes the graph that is called, and in it loops that it takes apart, but no loop that is run as a whole.
Left as it is, the body of such a loop would round in another way than Keras's graph of one step does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import config_pb2, device_properties_pb2, meta_graph_pb2
from tensorflow.python.eager import context
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.grappler.cluster import Cluster
from tensorflow.python.ops import handle_data_util
from tensorflow.python.training.saver import export_meta_graph

from mlflow_hpo.keras.reuse.errors import NotReusable

_CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
# What a loop or a condition is made of, once it is taken apart.
_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
_ITERATOR = "mlflow_hpo_iterator"
# What must be kept, in the words of TensorFlow's optimizer.
_KEPT = "train_op"


def optimized(function: Callable[[Any], Any], signature: Any) -> Callable[[Any], None]:
    """Return a function that adds the optimized operations of another one to the graph that is being traced.

    Parameters
    ----------
    function : callable
        Made of TensorFlow's operations, and called for their effects.
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
    traced = tf.function(function, input_signature=(signature,), autograph=False).get_concrete_function()
    graph_def = _optimize(traced.graph)
    if any(_controls_flow(node) for node in graph_def.node):
        raise NotReusable("a step has loops or conditions of its own")
    inputs = [tensor.name for tensor in traced.inputs]

    def add(argument: Any) -> None:
        capture = tf.compat.v1.get_default_graph().capture
        given = [capture(tensor) for tensor in (*tf.nest.flatten(argument), *traced.captured_inputs)]
        tf.graph_util.import_graph_def(graph_def, input_map=dict(zip(inputs, given, strict=True)), name="")

    return add


def _optimize(graph: Any) -> Any:
    """Return the optimized definition of a traced function's graph."""
    meta_graph = export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
    sources = _sources(graph.inputs)
    _put(sources, into=meta_graph.graph_def)
    for node in meta_graph.graph_def.node:
        node.device = _CPU  # some of the optimizations ask for it
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend(output.name for output in (*graph.outputs, *graph.control_outputs))
    meta_graph.collection_def[_KEPT].CopyFrom(kept)
    config = config_pb2.ConfigProto()
    config.CopyFrom(context.context().config)
    cpu = device_properties_pb2.NamedDevice(properties=device_properties_pb2.DeviceProperties(type="CPU"), name=_CPU)
    optimized_graph = tf_optimizer.OptimizeGraph(config, meta_graph, cluster=Cluster(devices=[cpu]))
    # What they give is given then; operations may still be told to wait for them.
    _put([node_def_pb2.NodeDef(name=source.name, op="NoOp") for source in sources], into=optimized_graph)
    return optimized_graph


def _sources(inputs: list[tf.Tensor]) -> list[Any]:
    """Return, under the names of the inputs, operations that tell their shapes, as those of Keras's graph do.

    TensorFlow's optimizer takes nothing for granted of what is fed in, and sees no variable behind it.
    """
    with tf.Graph().as_default() as graph:
        iterator = tf.raw_ops.Iterator(
            shared_name="", container="", output_types=[tf.float32], output_shapes=[()], name=_ITERATOR
        )
        for tensor in inputs:
            name = tensor.op.name
            if tensor.dtype == tf.resource:
                [variable] = handle_data_util.get_resource_handle_data(tensor).shape_and_type
                shape = tf.TensorShape(variable.shape)
                tf.raw_ops.VarHandleOp(dtype=variable.dtype, shape=shape, shared_name=name, name=name)
            else:
                tf.raw_ops.IteratorGetNext(
                    iterator=iterator, output_types=[tensor.dtype], output_shapes=[tensor.shape], name=name
                )
    return list(graph.as_graph_def().node)


def _put(nodes: list[Any], into: Any) -> None:
    """Put operations in the place of those of their names."""
    names = {node.name for node in nodes}
    others = [node for node in into.node if node.name not in names]
    del into.node[:]
    into.node.extend([*nodes, *others])


def _controls_flow(node: Any) -> bool:
    runs_functions = any(value.HasField("func") or value.list.func for value in node.attr.values())
    return runs_functions or node.op in _CONTROL_FLOW

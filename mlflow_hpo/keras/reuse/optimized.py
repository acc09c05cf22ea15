"""A function as TensorFlow's own optimizer leaves it, to be put into the body of a loop.

TensorFlow optimizes the graph that is called, and in it loops that it takes apart, but no loop that is run as a whole.
Left as it is, the body of such a loop would round in another way than Keras's graph of one step does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, device_properties_pb2, meta_graph_pb2
from tensorflow.python.eager import context
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.grappler.cluster import Cluster
from tensorflow.python.training.saver import export_meta_graph

_CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
# What a loop or a condition is made of, once it is taken apart.
_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
# What must be kept, in the words of TensorFlow's optimizer.
_KEPT = "train_op"


def optimized(function: Callable[..., Any], *signature: Any) -> Callable[..., tf.Tensor] | None:
    """Return a function that adds the optimized operations of another one to the graph that is being traced.

    Parameters
    ----------
    function : callable
        Made of TensorFlow's operations; returns one tensor.
    *signature : structure of tf.TensorSpec
        One for each argument.

    Returns
    -------
    callable or None
        None where the function has loops or conditions of its own.
    """
    traced = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    graph_def = _optimize(traced)
    if any(_controls_flow(node) for node in graph_def.node):
        return None
    inputs = [tensor.name for tensor in traced.inputs]
    results = [traced.outputs[0].name, *(operation.name for operation in traced.graph.control_outputs)]

    def add(*arguments: Any) -> tf.Tensor:
        capture = tf.compat.v1.get_default_graph().capture
        given = [capture(tensor) for tensor in (*tf.nest.flatten(arguments), *traced.captured_inputs)]
        result, *effects = tf.graph_util.import_graph_def(
            graph_def, input_map=dict(zip(inputs, given, strict=True)), return_elements=results, name=""
        )
        with tf.control_dependencies(effects):
            return tf.identity(result)

    return add


def _optimize(traced: Any) -> Any:
    """Return the optimized definition of a traced function's graph."""
    graph = traced.graph
    meta_graph = export_meta_graph(graph_def=graph.as_graph_def(add_shapes=True), graph=graph)
    for node in meta_graph.graph_def.node:
        node.device = _CPU  # some of the optimizations ask for it
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend(output.name for output in (*traced.outputs, *graph.control_outputs))
    meta_graph.collection_def[_KEPT].CopyFrom(kept)
    config = config_pb2.ConfigProto()
    config.CopyFrom(context.context().config)
    cpu = device_properties_pb2.NamedDevice(properties=device_properties_pb2.DeviceProperties(type="CPU"), name=_CPU)
    return tf_optimizer.OptimizeGraph(config, meta_graph, cluster=Cluster(devices=[cpu]))


def _controls_flow(node: Any) -> bool:
    runs_functions = any(value.HasField("func") or value.list.func for value in node.attr.values())
    return runs_functions or node.op in _CONTROL_FLOW

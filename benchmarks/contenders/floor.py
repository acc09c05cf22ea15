"""The training steps of the whole search and nothing else: whole epochs in one graph call, compiled beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.contenders.contract import Found, Timed
from benchmarks.searches import BATCH_SIZE, Choice, Search


def _epoch_graph(model: keras.Model, X: tf.Tensor, y: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a graph that trains on rows in a given order and returns the loss."""
    model.optimizer.build(model.trainable_variables)
    model.test_step((X[:1], y[:1]))

    def epoch(order: tf.Tensor) -> tf.Tensor:
        def step(start: tf.Tensor) -> tuple[tf.Tensor]:
            rows = order[start : start + BATCH_SIZE]
            model.train_step((tf.gather(X, rows), tf.gather(y, rows)))
            return (start + BATCH_SIZE,)

        for metric in model.metrics:
            metric.reset_state()
        size = tf.size(order, tf.int64)
        tf.while_loop(lambda start: start < size, step, (tf.constant(0, tf.int64),), parallel_iterations=1)
        return model.get_metrics_result()["loss"]

    graph: Any = tf.function(epoch, input_signature=[tf.TensorSpec((None,), tf.int64)], autograph=False)
    return graph  # type: ignore[no-any-return]


def prepare(search: Search, seed: int) -> Timed:
    keras.utils.set_random_seed(seed)
    # As the seeded searches have it.
    tf.config.experimental.enable_op_determinism()
    arrays = search.data()
    X, y = (tf.convert_to_tensor(array) for array in arrays)
    generator = np.random.default_rng(seed)
    orders = [tf.constant(generator.permutation(train)) for train, _ in search.folds(arrays[1], seed)]
    everything = tf.constant(generator.permutation(len(arrays[1])))
    architecture = [name for name, dimension in search.make_space(seed).items() if isinstance(dimension, Choice)]
    graphs: dict[Any, Any] = {}
    plan = []
    for candidate in search.candidates(seed):
        key = tuple(candidate[name] for name in architecture)
        if key not in graphs:
            graphs[key] = _epoch_graph(search.create_model(**candidate), X, y)
            graphs[key](orders[0])
        plan.append(graphs[key])

    def run() -> Found:
        for graph in plan:
            for order in orders:
                for _ in range(search.epochs):
                    graph(order).numpy()
        for _ in range(search.epochs):
            plan[0](everything).numpy()
        return Found()

    return run

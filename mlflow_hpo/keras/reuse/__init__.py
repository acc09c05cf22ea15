"""Compiled graphs that fits of equal networks share.

A fit builds its own network as ever. `key` says which other networks would compile to the same graph, `pool` lends a
`twin` that has one compiled, the fit's weights, seeds and scalars (`lifting`) are loaded into it, whole epochs run in
one graph call, and the result is copied back. What cannot be proven equal is trained by Keras itself.
"""

from mlflow_hpo.keras.reuse.fit import ReusingModel

__all__ = ["ReusingModel"]

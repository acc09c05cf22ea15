"""Folds on a Dask cluster: the same worker processes as the pool's, each of them beside a Dask worker that relays.

Dask alone would run a fold in a thread of its worker. A fold that hangs there cannot be stopped, nor one that nobody
waits for any more; a crash takes the worker, and all that it holds. So the Dask worker starts a process for folds, as
the pool does, and passes on what comes of it: it needs neither TensorFlow nor the user's code.

`pool` is the executor, in the study's process, and `_post` its way to the workers, in which `_host` runs. `_orders` is
what both know.
"""

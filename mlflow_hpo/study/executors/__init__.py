"""Where folds run other than in this process: worker processes of our own, on this machine or on a Dask cluster.

joblib's own pools lose every task in flight when one of their workers dies, cannot stop one that hangs, and pickle the
data with each fold. These lose the fold that was running and nothing else, have a time limit for trials, and share the
data as memory maps.

`contract` says what an executor offers; `pool` is the one on this machine, `cluster` the one on Dask, `joblib_backend`
puts them behind joblib, `errors` is what is said of trials that are given up. They are imported from there: this
package itself imports nothing, since workers begin with it.
"""

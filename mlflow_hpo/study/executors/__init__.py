"""Where folds run other than in this process: a pool of worker processes of our own.

joblib's own pool loses every task in flight when one of its workers dies, cannot stop one that hangs, and pickles the
data with each fold. This one loses the fold that was running and nothing else, has a time limit for trials, and shares
the data as memory maps.

`pool` has the pool, `joblib_backend` puts it behind joblib, `errors` is what is said of trials that are given up. They
are imported from there: this package itself imports nothing, since workers begin with it.
"""

"""Where folds run other than in this process: a pool of worker processes of our own.

joblib's own pool loses every task in flight when one of its workers dies, cannot stop one that hangs, and pickles the
data with each fold. This one loses the fold that was running and nothing else, has a time limit for trials, and shares
the data as memory maps.
"""

from mlflow_hpo.study.executors._backend import PoolBackend
from mlflow_hpo.study.executors._errors import TaskNotSentError, TrialLostError, TrialTimeoutError, WorkerDiedError
from mlflow_hpo.study.executors._pool import WorkerPool

__all__ = [
    "PoolBackend",
    "TaskNotSentError",
    "TrialLostError",
    "TrialTimeoutError",
    "WorkerDiedError",
    "WorkerPool",
]

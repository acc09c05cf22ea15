"""Which failures of a store pass by themselves, and which never do."""

from __future__ import annotations

import sys

from mlflow.exceptions import MlflowException

from mlflow_hpo.core.errors import HPOError

_PASSING = frozenset({"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "ABORTED", "CANCELLED"})
# The store is there, and does not know who asks: that is mended on the server's side, or by a new token.
_DENIED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
# A path of the store is not what it should be: waiting does not mend it.
_LASTING = (NotADirectoryError, IsADirectoryError, FileNotFoundError, FileExistsError, PermissionError)
# Where a client writes artifacts itself: what these raise is an artifact store that is away, or denies.
_ARTIFACT_CLIENTS = frozenset({"azure", "boto3", "botocore", "google", "s3transfer"})


class StoreAwayError(HPOError):
    """The store does not take anything at present: it is stopped, locked, full, or out of reach."""


def passes(error: BaseException) -> bool:
    """Return whether a failure may pass by itself: the same call can succeed later.

    Parameters
    ----------
    error : BaseException
        What MLflow's client raised.
    """
    if isinstance(error, MlflowException):
        return error.error_code in _PASSING | _DENIED
    if isinstance(error, OSError):  # those of `requests` are
        return not isinstance(error, _LASTING)
    if type(error).__module__.partition(".")[0] in _ARTIFACT_CLIENTS:
        return True
    # What nothing has imported has raised nothing.
    database = sys.modules.get("sqlalchemy.exc")
    return database is not None and isinstance(error, database.OperationalError | database.TimeoutError)

"""The way to a Dask cluster: somebody's, by its address, or one that is started for the study and ends with it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow_hpo.core.errors import HPOError, MissingPackageError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS = 30


@dataclass(frozen=True)
class Cluster:
    """A cluster that is there.

    Parameters
    ----------
    client : Client
        Of this study alone: what it has asked for ends with it.
    is_own : bool
        Whether the cluster ends with the study.
    closing : ExitStack
        Ends what has been started.
    """

    client: Client
    is_own: bool
    closing: ExitStack = field(default_factory=ExitStack)


def connected(scheduler: str | None, n_workers: int, *, current: Any = None) -> Cluster:
    """Return a cluster.

    Parameters
    ----------
    scheduler : str or None
        Its address. None takes the one that a `distributed.Client` of this process is connected to, else the one that
        Dask's configuration names, else starts one.
    n_workers : int
        How many folds at a time a cluster that is started runs.
    current : Client or None
        The client whose cluster it is to be.

    Raises
    ------
    MissingPackageError
        Dask is not installed.
    HPOError
        There is no scheduler at the address.
    """
    try:
        import dask
        from distributed import Client, LocalCluster, default_client
    except ImportError as error:
        raise MissingPackageError('Tracking(backend="dask") needs Dask: pip install "mlflow-hpo[dask]".') from error
    if scheduler is None and current is None:
        try:
            current = default_client()
        except ValueError:
            scheduler = dask.config.get("scheduler-address", None)
    closing = ExitStack()
    if scheduler is None and current is None:
        # Its workers only relay, which threads of this process can do: they start at once, in a script without a
        # `__main__` guard too. Its memory is this process's, and not for Dask to watch.
        cluster = closing.enter_context(
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=False,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
            )
        )
        client = closing.enter_context(Client(cluster, set_as_default=False))
        return Cluster(client, is_own=True, closing=closing)
    address = scheduler or current.scheduler.address
    security = None if current is None else current.security
    try:
        client = Client(address, security=security, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise HPOError(f"There is no Dask scheduler at {address}: {error}.") from error
    return Cluster(closing.enter_context(client), is_own=False, closing=closing)

"""The data of a study on a cluster: scattered once, and again when all workers that had it are gone."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.study.executors._sending import SharedFile

if TYPE_CHECKING:
    from distributed import Client, Future


class ScatteredData:
    """What folds share, on the workers of a cluster.

    Parameters
    ----------
    client : Client
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._futures: dict[int, Future] = {}

    def there(self, shared: SharedFile) -> Future:
        """Return the content of a shared file as a task takes it; send it, if the cluster does not have it.

        Parameters
        ----------
        shared : SharedFile
        """
        future = self._futures.get(shared.number)
        if future is None or future.status != "finished":
            content = np.frombuffer(mmap.mmap(shared.file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint8)
            # To one worker; the others take it from each other as their first folds need it.
            (future,) = self._client.scatter([content], hash=False)
            self._futures[shared.number] = future
        return future

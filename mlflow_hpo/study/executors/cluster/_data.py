"""What folds share, on its way to a cluster: scattered once, and again when all workers that had it are gone."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from mlflow_hpo.study.executors._sending import SharedFile
from mlflow_hpo.study.executors.cluster._orders import CarriedFile

if TYPE_CHECKING:
    from distributed import Client, Future

# What is smaller goes along with each fold: looking after it would cost more.
_SCATTERED_BYTES = 64_000


class Data:
    """The shared files of a study.

    Parameters
    ----------
    client : Client
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._futures: dict[int, Future] = {}
        self._carried: dict[int, CarriedFile] = {}

    def carried(self, shared: SharedFile) -> CarriedFile:
        """Return what an order says of a file."""
        if shared.number not in self._carried:
            size = os.fstat(shared.file.fileno()).st_size
            content = None if size > _SCATTERED_BYTES else os.pread(shared.file.fileno(), size, 0)
            self._carried[shared.number] = CarriedFile(shared.number, shared.spans, content)
        return self._carried[shared.number]

    def scattered(self, shared: SharedFile) -> Future:
        """Return the content of a file as a task takes it; send it, if the cluster does not have it.

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

"""How a task leaves this process: pickled, with what many tasks share in a file that workers map into memory.

What they share is the data, and the user's functions and classes that no worker could import.

The file has no name: nobody else can open it, and it is gone with the last process that holds it, whatever ends that.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import IO, Any

import cloudpickle
import numpy as np
from cloudpickle.cloudpickle import list_registry_pickle_by_value

from mlflow_hpo.study.executors.errors import not_sent
from mlflow_hpo.study.fold import FoldTask

# As in joblib: smaller arrays arrive as copies of their own.
_MAPPED_BYTES = 1_000_000
_ALIGNMENT = 64
_PROTOCOL = 5


@dataclass(frozen=True)
class SharedFile:
    """An object that many tasks share, in a file.

    Parameters
    ----------
    number : int
        What it is called in tasks.
    file : file
        Holds it.
    spans : tuple of (int, int)
        Begin and end of the pickle, and of each array behind it.
    """

    number: int
    file: IO[bytes]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Parcel:
    """A pickled task.

    Parameters
    ----------
    pickled : bytes
        The task.
    files : tuple of SharedFile
        What it refers to.
    """

    pickled: bytes
    files: tuple[SharedFile, ...]


class Sender:
    """Pickles tasks; what they share is written to a file once. From any thread."""

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}  # held, so that nothing else gets their identity
        self._files: dict[int, SharedFile] = {}
        self._lock = threading.Lock()

    def share(self, objects: Iterable[Any]) -> None:
        """Say which objects are the same in many tasks; they must not change from now on.

        Parameters
        ----------
        objects : iterable of object
        """
        for shared in objects:
            if shared is not None:
                self._objects[id(shared)] = shared

    def pack(self, task: FoldTask) -> Parcel:
        """Pickle a task.

        Parameters
        ----------
        task : FoldTask

        Raises
        ------
        FoldFailedError
            A part of it cannot be pickled.
        """
        try:
            return self._pack(task)
        except Exception as error:
            raise not_sent(error, self._culprit(task)) from error

    def close(self) -> None:
        """Give the files up."""
        for shared in self._files.values():
            shared.file.close()

    def _pack(self, content: Any) -> Parcel:
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, self)
        pickler.dump(content)
        return Parcel(buffer.getvalue(), tuple(pickler.files.values()))

    def file_of(self, content: Any) -> SharedFile | None:
        """Return the file of a shared object, written now if that is still to be done; None for any other object."""
        if id(content) not in self._objects:
            if not _is_users_code(content):
                return None
            self._objects[id(content)] = content
        with self._lock:
            if id(content) not in self._files:
                self._files[id(content)] = _written(len(self._files), content)
            return self._files[id(content)]

    def _culprit(self, task: FoldTask) -> str:
        for name, part in _parts(task):
            try:
                self._pack(part)
            except Exception:
                return name
        return "a part of it"


class _Pickler(cloudpickle.Pickler):
    """Puts the number of its file in the place of each shared object."""

    def __init__(self, file: IO[bytes], sender: Sender) -> None:
        super().__init__(file, protocol=_PROTOCOL)
        self.files: dict[int, SharedFile] = {}
        self._sender = sender

    def persistent_id(self, content: Any) -> int | None:
        shared = self._sender.file_of(content)
        if shared is None:
            return None
        self.files[shared.number] = shared
        return shared.number


def _is_users_code(content: Any) -> bool:
    """Whether this is a function or class of a module that goes by value, as `__main__` does: that is costly."""
    if type(content) is not FunctionType and not isinstance(content, type):
        return False
    module = sys.modules.get(content.__module__ or "")
    is_named = getattr(module, content.__name__, None) is content
    return is_named and (content.__module__ == "__main__" or content.__module__ in list_registry_pickle_by_value())


def _written(number: int, content: Any) -> SharedFile:
    if type(content) in (np.ndarray, np.memmap) and not content.flags.forc:
        # In the order of its memory: what indexing makes of it, and BLAS of that, depends on it to the last bit.
        content = content.copy(order="K")
    if type(content) is np.memmap:
        content = content.view(np.ndarray)  # its file is the user's
    arrays: list[pickle.PickleBuffer] = []
    pickled = cloudpickle.dumps(content, protocol=_PROTOCOL, buffer_callback=lambda array: _stays(array, arrays))
    folder = os.environ.get("JOBLIB_TEMP_FOLDER")
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (it stays open as long as the pool)
    spans = [_append(file, pickled), *(_append(file, array.raw()) for array in arrays)]
    file.flush()
    return SharedFile(number, file, tuple(spans))


def _stays(array: pickle.PickleBuffer, arrays: list[pickle.PickleBuffer]) -> bool:
    is_small = array.raw().nbytes < _MAPPED_BYTES
    if not is_small:
        arrays.append(array)
    return is_small


def _append(file: IO[bytes], content: Any) -> tuple[int, int]:
    begin = -(-file.tell() // _ALIGNMENT) * _ALIGNMENT
    file.seek(begin)
    file.write(content)
    return begin, file.tell()


def _parts(task: FoldTask) -> Iterator[tuple[str, Any]]:
    for name, value in (task.kwargs.get("parameters") or {}).items():
        yield f"the candidate's {name!r}", value
    for estimator in task.args[:1]:
        kind = type(estimator).__name__
        get_params = getattr(estimator, "get_params", dict)
        for name, value in get_params().items():
            yield f"parameter {name!r} of {kind}", value
        yield f"the estimator {kind}", estimator
    yield from zip(("X", "y"), task.args[1:], strict=False)
    for name, value in task.kwargs.items():
        yield f"the search ({type(value).__name__})" if name == "caller" else f"{name!r}", value

"""How a task arrives in a worker process. Imports nothing that takes time: what a task needs comes with the task."""

from __future__ import annotations

import io
import mmap
import os
import pickle
from typing import Any


class Receiver:
    """Makes tasks of what was sent, and keeps what they share: each object is made once in a process."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {}
        self._objects: dict[int, Any] = {}

    def take_file(self, number: int, spans: tuple[tuple[int, int], ...], descriptor: int) -> None:
        """Take a file that tasks are going to refer to.

        Parameters
        ----------
        number : int
            What it is called in tasks.
        spans : tuple of (int, int)
            Begin and end of the pickle in it, and of each array behind that.
        descriptor : int
            The open file.
        """
        self._files[number] = (descriptor, spans)

    def unpack(self, pickled: bytes) -> Any:
        """Return a task.

        Parameters
        ----------
        pickled : bytes
        """
        return _Unpickler(io.BytesIO(pickled), self).load()

    def shared(self, number: int) -> Any:
        """Return a shared object; its large arrays are read-only memory maps."""
        if number not in self._objects:
            descriptor, (pickled, *arrays) = self._files[number]
            content = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
            os.close(descriptor)
            buffers = [content[slice(*span)] for span in arrays]
            self._objects[number] = pickle.loads(content[slice(*pickled)], buffers=buffers)
        return self._objects[number]


class _Unpickler(pickle.Unpickler):
    """Puts each shared object in the place of the number of its file."""

    def __init__(self, file: io.BytesIO, receiver: Receiver) -> None:
        super().__init__(file)
        self._receiver = receiver

    def persistent_load(self, number: int) -> Any:
        return self._receiver.shared(number)

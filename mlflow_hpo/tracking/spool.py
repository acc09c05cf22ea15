"""The spool: a folder in which everything about a study waits on disk until the store has taken it.

The study appends, whoever delivers reads; neither waits for the other. The folder is its owner's alone.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mlflow_hpo.tracking import records
from mlflow_hpo.tracking.records import Record

_logger = logging.getLogger(__name__)

_FRAME = struct.Struct("<II")  # length and checksum of what follows
_RECORDS, _ADDRESS, _PROGRESS, _LOCK, _MODELS = "records", "study.json", "progress.json", "lock", "models"
SPOOL_VARIABLE = "MLFLOW_HPO_SPOOL"
_RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Address:
    """Where the records of a spool go.

    Parameters
    ----------
    run_id, experiment_id : str
        Of the study.
    tracking_uri, registry_uri : str
        The stores.
    trial_tags : mapping of str to str
        What the runs of its trials are tagged with.
    keep_best : int or None
        How many trials' models are kept; None keeps all.
    report : bool
        Whether the study's run has a report.
    needs_skops : bool
        Whether its models may be more than networks with plain labels.
    """

    run_id: str
    experiment_id: str
    tracking_uri: str
    registry_uri: str
    trial_tags: dict[str, str] = field(default_factory=dict)
    keep_best: int | None = None
    report: bool = False
    needs_skops: bool = True


@dataclass
class Progress:
    """How far a spool has been delivered, and what has to be known to go on from there.

    Parameters
    ----------
    delivered : int
        All before this byte is in the store.
    attempted : int
        What is before this byte may be in the store, in part.
    run_ids : dict of str to str
        The trials' runs, by number.
    open_trials : list of int
        Those that have not ended.
    kept : list of (float, int, list of str)
        Score, negative number and model ids of the trials whose models are kept.
    registered : list of str or None
        Name and version under which the best model was registered.
    is_done : bool
        Whether the study's run has ended.
    """

    delivered: int = 0
    attempted: int = 0
    run_ids: dict[str, str] = field(default_factory=dict)
    open_trials: list[int] = field(default_factory=list)
    kept: list[tuple[float, int, list[str]]] = field(default_factory=list)
    registered: list[str] | None = None
    is_done: bool = False


class Spool:
    """One study's spool.

    Parameters
    ----------
    folder : Path
        Made by `Spool.create`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = Address(**json.loads((folder / _ADDRESS).read_text("utf-8")))
        self._file: int | None = None
        self._unwritten: deque[bytes] = deque()
        self._models = 0
        self._lock = threading.Lock()

    @classmethod
    def create(cls, address: Address) -> Spool:
        """Make the spool of a study that begins."""
        folder = spool_folder() / f"{address.run_id}-{os.getpid()}-{os.urandom(3).hex()}"
        (folder / _MODELS).mkdir(parents=True)
        _write(folder / _ADDRESS, asdict(address))
        (folder / _RECORDS).touch()
        return cls(folder)

    def append(self, record: Record) -> None:
        """Add a record; from any thread. While the disk is full, it waits in memory for the next."""
        data = records.to_bytes(record)
        with self._lock:
            self._unwritten.append(_FRAME.pack(len(data), zlib.crc32(data)) + data)
            self._write_out()

    def _write_out(self) -> None:
        was_full = len(self._unwritten) > 1
        if self._file is None:
            self._file = os.open(self.folder / _RECORDS, os.O_WRONLY | os.O_APPEND)
        while self._unwritten:
            data, end = self._unwritten[0], os.fstat(self._file).st_size
            try:
                if os.write(self._file, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                os.ftruncate(self._file, end)  # half a record would hide all after it
                if not was_full:
                    _logger.warning(
                        "%s: %s. Training goes on; what is to be written waits in memory.", self.folder, error.strerror
                    )
                return
            self._unwritten.popleft()

    def add_model(self, data: bytes) -> str:
        """Add a packed model, and return the name of its file.

        Raises
        ------
        OSError
            The disk is full.
        """
        with self._lock:
            self._models += 1
            name = f"{self._models}.pkl"
        path = self.folder / _MODELS / name
        try:
            path.write_bytes(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return name

    def read_model(self, name: str) -> bytes:
        """Return a packed model."""
        return (self.folder / _MODELS / Path(name).name).read_bytes()

    def remove_model(self, name: str) -> None:
        """Forget a packed model that the store has taken."""
        (self.folder / _MODELS / Path(name).name).unlink(missing_ok=True)

    def read(self, start: int) -> Iterator[tuple[Record, int]]:
        """Yield the whole records from a byte on, each with its end; a torn one at the end is left for later."""
        with (self.folder / _RECORDS).open("rb") as file:
            file.seek(start)
            while len(head := file.read(_FRAME.size)) == _FRAME.size:
                length, checksum = _FRAME.unpack(head)
                data = file.read(length)
                if len(data) < length or zlib.crc32(data) != checksum:
                    return
                yield records.from_bytes(data), file.tell()

    @property
    def end(self) -> int:
        """How many bytes of records there are."""
        return (self.folder / _RECORDS).stat().st_size

    def sync(self) -> None:
        """Make sure that what was appended survives the machine's end."""
        with (self.folder / _RECORDS).open("rb") as file:
            os.fsync(file.fileno())

    def load_progress(self) -> Progress:
        """Return how far the spool has been delivered."""
        path = self.folder / _PROGRESS
        return Progress(**json.loads(path.read_text("utf-8"))) if path.exists() else Progress()

    def save_progress(self, progress: Progress) -> None:
        """Note how far the spool has been delivered."""
        _write(self.folder / _PROGRESS, asdict(progress))

    def lock(self, patience: float = 0.0) -> FileLock | None:
        """Return the lock of who delivers this spool, taken; None where somebody else has it.

        Parameters
        ----------
        patience : float
            Seconds to wait for it.
        """
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            return None
        return lock

    def close(self, patience: float) -> None:
        """Append no more.

        Parameters
        ----------
        patience : float
            Seconds to wait for room on the disk, where there is none.
        """
        deadline = time.monotonic() + patience
        with self._lock:
            self._write_out()
            while self._unwritten and time.monotonic() < deadline:
                time.sleep(_RETRY_SECONDS)
                self._write_out()
            if self._unwritten:
                _logger.warning(
                    "%d records of the study are lost, its end among them: there is no room in %s. End its run with "
                    "`mlflow-hpo deliver`.",
                    len(self._unwritten),
                    self.folder,
                )
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def remove(self) -> None:
        """Delete the folder: the store has everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def spool_folder() -> Path:
    """Return the folder that holds the spools, which nobody but its owner may enter."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(os.environ.get(SPOOL_VARIABLE) or Path(state) / "mlflow_hpo" / "spool")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def waiting_spools() -> list[Spool]:
    """Return the spools that are on disk, the oldest first."""
    found = []
    for folder in spool_folder().iterdir():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # delivered meanwhile, or no spool
            found.append(((folder / _ADDRESS).stat().st_mtime, Spool(folder)))
    return [spool for _, spool in sorted(found, key=lambda item: item[0])]


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that is there whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content), "utf-8")
    draft.replace(path)

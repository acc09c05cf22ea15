"""One worker process, as the pool sees it."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.reduction import send_handle
from multiprocessing.spawn import get_executable

from mlflow_hpo.core.errors import UnsupportedOptionError
from mlflow_hpo.study.executors._sending import Parcel
from mlflow_hpo.study.executors._worker import END, FILE, TASK

# Not the user's main module: what is defined there travels with the tasks.
_BOOT = (
    "import json, sys; path, *numbers = sys.argv[1:]; sys.path[:] = json.loads(path); del sys.argv[1:]; "
    "from mlflow_hpo.study.executors._worker import main; main(*map(int, numbers))"
)
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_TICK_SECONDS = 0.1
_GRACE_SECONDS = 5.0


class WorkerDead(Exception):  # noqa: N818  (a message between two modules, no error that anybody sees)
    """The process has ended."""


class PatienceEnded(Exception):  # noqa: N818
    """The process has not replied for as long as it was waited for."""


class WorkerProcess:
    """A fresh interpreter that runs tasks one after the other.

    It ends when the thread that has made it does, whatever ends that: use it from one thread.

    Parameters
    ----------
    n_threads : int
        How many threads numerical libraries use in it, unless the environment says so.
    is_explicit : bool
        Whether `n_threads` counts whatever the environment says.

    Attributes
    ----------
    last_words : str
        Where the process was when compiled code in it crashed; empty where nothing has.
    """

    last_words = ""

    def __init__(self, n_threads: int, *, is_explicit: bool = False) -> None:
        if os.name != "posix":
            raise UnsupportedOptionError('isolation="process" needs Linux or macOS.')
        self._connection, theirs = multiprocessing.Pipe()
        self._crash = tempfile.TemporaryFile()  # noqa: SIM115  (it stays open as long as the process)
        self._sent: set[int] = set()
        # A Ctrl-C is the study's; until the worker can say so itself, the mask that it inherits does.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        descriptors = (theirs.fileno(), self._crash.fileno())
        try:
            self._process = subprocess.Popen(
                [get_executable(), "-c", _BOOT, _path(), *map(str, descriptors), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                env=_environment(n_threads, is_explicit),
                pass_fds=descriptors,
                process_group=0,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, parcel: Parcel) -> None:
        """Send a task, and what it refers to.

        Parameters
        ----------
        parcel : Parcel

        Raises
        ------
        WorkerDead
        """
        try:
            for shared in parcel.files:
                if shared.number not in self._sent:
                    self._connection.send_bytes(FILE + pickle.dumps((shared.number, shared.spans)))
                    send_handle(self._connection, shared.file.fileno(), self._process.pid)
                    self._sent.add(shared.number)
            self._connection.send_bytes(TASK + parcel.pickled)
        except OSError as error:
            raise WorkerDead from error

    def receive(self, patience: Callable[[], float]) -> tuple[bytes, bytes]:
        """Return the next message, its kind and its content.

        Parameters
        ----------
        patience : callable
            Returns for how many seconds the message is still waited for; asked again and again.

        Raises
        ------
        WorkerDead
        PatienceEnded
        """
        try:
            while not self._connection.poll(max(0.0, min(patience(), _TICK_SECONDS))):
                if not self.is_alive and not self._connection.poll():
                    raise WorkerDead
                if patience() <= 0.0:
                    raise PatienceEnded
            message = self._connection.recv_bytes()
        except (OSError, EOFError) as error:
            raise WorkerDead from error
        return message[:1], message[1:]

    def kill(self) -> int:
        """End the process, and all that it has started, at once; return its exit code."""
        if self.is_alive:
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._gone()

    def bury(self) -> int:
        """Return the exit code of a process whose connection has ended."""
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # it has closed the connection and goes on
            return self.kill()
        return self._gone()

    def close(self) -> None:
        """Let an idle process end by itself."""
        try:
            self._connection.send_bytes(END)
            self._process.wait(_GRACE_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self.kill()
        else:
            self._gone()

    def _gone(self) -> int:
        self._connection.close()
        with self._crash:
            self._crash.seek(0)
            self.last_words = _without_modules(self._crash.read().decode(errors="replace"))
        return self._process.wait()


def _without_modules(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("Extension modules:")).strip()


def _path() -> str:
    return json.dumps([str(entry) for entry in sys.path])


def _environment(n_threads: int, is_explicit: bool) -> dict[str, str]:
    share = dict.fromkeys(_THREAD_VARIABLES, str(n_threads))
    return {**os.environ, **share} if is_explicit else {**share, **os.environ}

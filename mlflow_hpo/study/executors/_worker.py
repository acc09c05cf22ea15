"""What runs in a worker process: takes tasks from its connection, runs them, sends back what comes of them.

It ends when it is told to, and at once when the connection breaks, for then the study's process is gone.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import pickle
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

from mlflow_hpo.study.executors._receiving import Receiver

# The first byte of each message: to the worker ...
FILE, TASK, END = b"f", b"t", b"e"
# ... and from it.
STARTED, EVENT, OUTCOME, FAILURE = b"s", b"v", b"o", b"x"

_PR_SET_PDEATHSIG = 1


class _Line:
    """The way to whoever has started this process; a fold may report from threads of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._process = os.getpid()
        self._lock = threading.Lock()

    def send(self, message: bytes) -> bool:
        """Send a message; False in a process that user code has forked off this one."""
        if os.getpid() != self._process:
            return False
        with self._lock:
            self._connection.send_bytes(message)
        return True


_line: _Line | None = None


def tell_study(event: Any) -> bool:
    """Tell the study what happens in a fold; for folds that run in a worker process, as what they `emit` with.

    Parameters
    ----------
    event : FoldEvent

    Returns
    -------
    bool
        False where it cannot be told now, and is to come with the outcome.
    """
    try:
        return _line is not None and _line.send(EVENT + pickle.dumps(event))
    except OSError:
        return False


def main(descriptor: int, crash: int, parent: int) -> None:
    """Work until told to end.

    Parameters
    ----------
    descriptor : int
        The worker's end of the connection.
    crash : int
        An open file for what is to be said of a crash.
    parent : int
        The study's process.
    """
    global _line
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the study decides when its workers end
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    _die_with(parent)
    faulthandler.enable(crash)
    connection = Connection(descriptor)
    line = _line = _Line(connection)
    receiver = Receiver()
    tasks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, receiver, tasks), daemon=True).start()
    while (pickled := tasks.get()) is not None:
        reply = _run(pickled, receiver, line)
        _flush()
        line.send(reply)
    atexit._run_exitfuncs()
    _flush()
    os._exit(0)  # taking thousands of modules apart takes a second, and the study waits


def _die_with(parent: int) -> None:
    """Have the kernel end this process with the thread that started it: the listener may be kept from running."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was too late for that
        os._exit(1)


def _listen(connection: Connection, receiver: Receiver, tasks: queue.SimpleQueue[bytes | None]) -> None:
    while True:
        try:
            message = connection.recv_bytes()
            kind, content = message[:1], message[1:]
            if kind == FILE:
                number, spans = pickle.loads(content)
                receiver.take_file(number, spans, recv_handle(connection))
        except (OSError, EOFError):
            _end_at_once()
        if kind == TASK:
            tasks.put(content)
        elif kind == END:
            tasks.put(None)
            return


def _end_at_once() -> None:
    if os.getpgrp() == os.getpid():  # what user code has started goes too
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _run(pickled: bytes, receiver: Receiver, line: _Line) -> bytes:
    try:
        task = receiver.unpack(pickled)
    except BaseException as error:
        return _failure("The fold could not be read in its worker process", error)
    line.send(STARTED)
    try:
        outcome = _call(task)
    except BaseException as error:  # SystemExit and the like: what may end a process may not end the study
        return _failure("The fold was ended in its worker process", error)
    return _packed(outcome)


def _call(task: Any) -> Any:
    from joblib import parallel_config
    from joblib._parallel_backends import ThreadingBackend

    # What runs in parallel inside a fold does so in threads, as inside joblib's own workers.
    with parallel_config(backend=ThreadingBackend(nesting_level=1)):
        return task()


def _packed(outcome: Any) -> bytes:
    import cloudpickle

    try:
        packed: bytes = cloudpickle.dumps(outcome)
        if outcome.exception is not None:
            pickle.loads(packed)  # an exception with a constructor of its own may pickle, and not come back
    except BaseException as error:
        return _failure("What the fold gave back could not leave its worker process", error, outcome.traceback)
    return OUTCOME + packed


def _failure(what: str, error: BaseException, traceback: str | None = None) -> bytes:
    behind = f"\n\nIt had raised:\n{traceback}" if traceback else ""
    return FAILURE + f"{what} ({type(error).__name__}: {error}).{behind}".encode(errors="replace")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()

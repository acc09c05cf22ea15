"""The parent's end of the process that delivers: starts it, asks it, and starts another where it dies."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import logging
import math
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.tracking.delivery._errors import StoreAwayError
from mlflow_hpo.tracking.spool import Spool, spool_folder

_logger = logging.getLogger(__name__)

# Where all cores are busy, trials come first, and a quarter of a core is enough to keep up: from its first import on.
_NICENESS = 5
# What is imported is no garbage: collection begins when all is there. Where an import fails, and MLflow tries one with
# each request, every entry of the path is looked through: none is to be there twice.
_PROGRAM = (
    f"import gc, os, sys; gc.disable(); os.nice({_NICENESS}); "
    "sys.path += [entry for entry in {path!r} if entry not in sys.path]; {first}"
    "from mlflow_hpo.tracking.delivery._process import main; main()"
)
# scipy's functions do not know their modules: skops, when it is imported, asks each module for each of them, in the
# order of their import: after MLflow and all that it brings that takes 0.6 seconds, and before it a tenth.
_BEFORE_SKOPS = "import scipy.special; "
# Deaths without an answer between them.
_MAX_DEATHS = 5
# The process has time to wait for a store, and the store has to be found away soon.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A link for each trial that ends costs a call, and shows the password that the address may hold.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
}
PATIENCE_VARIABLE = "MLFLOW_HPO_PATIENCE"
_PATIENCE_SECONDS = 30.0
# The report that it has made, say, is not to be lost with a container that ends with this process.
_END_SECONDS = 30.0
# Trials that end faster than that are delivered together, which costs less.
_HURRY_SECONDS = 0.1


def patience() -> float:
    """Return how many seconds the end of a study waits for what is away."""
    return float(os.environ.get(PATIENCE_VARIABLE, _PATIENCE_SECONDS))


@dataclass
class _Open:
    """A spool that the process delivers."""

    spool: Spool
    away_since: float | None = None
    reason: str = ""
    hurried: float = -math.inf


@dataclass
class _Waiting:
    """Somebody who waits for an answer."""

    question: dict[str, Any]
    answer: dict[str, Any] | None = None
    came: threading.Event = field(default_factory=threading.Event)


class Courier:
    """Has spools delivered by a process that lives as long as this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._open: dict[str, _Open] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = itertools.count()
        self._deaths = 0
        self._has_opened = False
        self._lock = threading.RLock()

    def start(self, *, needs_skops: bool = True) -> None:
        """Start the process, if it does not run: what it imports takes seconds, fewer where nothing needs skops."""
        with self._lock:
            if self._process is None:
                self._spawn(_BEFORE_SKOPS if needs_skops else "")

    def open(self, spool: Spool) -> None:
        """Begin to deliver a spool."""
        with self._lock:
            self._open[str(spool.folder)] = _Open(spool)
            self._has_opened = True
            self.start(needs_skops=spool.address.needs_skops)
            self._send(_opening(str(spool.folder)))

    def hurry(self, spool: Spool) -> None:
        """Have what is in the spool delivered now, without waiting for it; what comes a moment later lingers."""
        folder, now = str(spool.folder), time.monotonic()
        with self._lock:
            state = self._open[folder]
            if now - state.hurried >= _HURRY_SECONDS:
                state.hurried = now
                self._send({"ask": "deliver", "spool": folder})

    def flush(self, spool: Spool) -> dict[str, Any]:
        """Wait until the store has all that is in the spool, and return what is known then.

        Raises
        ------
        StoreAwayError
            The store has been away for longer than anybody waits.
        """
        return self._ask("flush", spool)

    def close(self, spool: Spool) -> dict[str, Any]:
        """Wait as `flush` does, and deliver the spool no more; it is removed where its study has ended.

        Raises
        ------
        StoreAwayError
            The store has been away for longer than anybody waits; the spool stays on disk.
        """
        try:
            return self._ask("close", spool)
        finally:
            with self._lock:
                self._open.pop(str(spool.folder), None)

    def _ask(self, what: str, spool: Spool) -> dict[str, Any]:
        folder = str(spool.folder)
        number = next(self._numbers)
        waiting = _Waiting({"ask": what, "spool": folder, "id": number, "end": spool.end})
        with self._lock:
            self._waiting[number] = waiting
            self._send(waiting.question)
        asked = time.monotonic()
        try:
            while not waiting.came.wait(0.2):
                state = self._open[folder]
                if state.away_since is not None and time.monotonic() - max(asked, state.away_since) > patience():
                    raise StoreAwayError(
                        f"The tracking store does not answer: {state.reason}. What was not delivered waits in "
                        f"{folder}; send it with `mlflow-hpo deliver` when the store is back."
                    )
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        assert waiting.answer is not None
        return waiting.answer

    def _spawn(self, first: str = _BEFORE_SKOPS) -> None:
        path = [entry for entry in sys.path if entry]
        errors = (spool_folder() / "delivery.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM.format(path=path, first=first), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **_ENVIRONMENT},
            text=True,
            # Ctrl-C is for the study: it ends, and its last records are delivered. Not a session of its own: Linux
            # shares cores out among sessions first, and niceness counts only inside of one.
            process_group=0,
        )
        errors.close()
        atexit.register(self._end, self._process)
        threading.Thread(target=self._listen, args=(self._process,), name="mlflow-hpo-courier", daemon=True).start()

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Let the process go: it ends with its input, and at once where it has never had anything to do."""
        if not self._has_opened:
            process.kill()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_END_SECONDS)

    def _send(self, question: dict[str, Any]) -> None:
        if self._process is None:  # given up: who waits is told so
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except OSError:
            _logger.debug("The process that delivers is gone; another one will be asked", exc_info=True)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._hear(json.loads(line))
        process.wait()
        with self._lock:
            if self._process is process:
                self._process = None
                self._replace(process.returncode)

    def _replace(self, code: int) -> None:
        """Start another process where one died with work to do."""
        if not self._open:
            return
        self._deaths += 1
        if self._deaths > _MAX_DEATHS:
            reason = f"the process that writes to MLflow has died {self._deaths} times (last exit code {code})"
            self._deaths = 0  # the next study has chances of its own
            for state in self._open.values():
                state.away_since, state.reason = -math.inf, reason
            _logger.warning("%s; see %s", reason, spool_folder() / "delivery.log")
            return
        _logger.debug("The process that delivers ended with %s; another one goes on", code)
        self._spawn()
        for folder in self._open:
            self._send(_opening(folder))
        for waiting in self._waiting.values():
            self._send(waiting.question)

    def _hear(self, answer: dict[str, Any]) -> None:
        if "log" in answer:
            detail = f"\n{answer['detail']}" if answer["detail"] else ""
            logging.getLogger(answer["logger"]).log(answer["log"], "%s%s", answer["text"], detail)
            return
        with self._lock:
            state = self._open.get(answer["spool"])
            if "id" in answer and (waiting := self._waiting.get(answer["id"])) is not None:
                waiting.answer = answer
                waiting.came.set()
                self._deaths = 0
            elif state is not None and "away" in answer:
                self._note_away(state, answer["away"])
            elif state is not None and "back" in answer:
                state.away_since = None
                _logger.warning("The tracking store is back; what waited is being delivered.")

    def _note_away(self, state: _Open, reason: str) -> None:
        if state.away_since is None:
            state.away_since = time.monotonic()
            _logger.warning(
                "The tracking store does not answer (%s). Training goes on; what is to be written waits in %s.",
                reason,
                state.spool.folder,
            )
        state.reason = reason


def _opening(folder: str) -> dict[str, Any]:
    """Return the question that begins a delivery. Who may write may have changed since the process was started."""
    return {"ask": "open", "spool": folder, "environment": {**os.environ, **_ENVIRONMENT}}


_couriers: dict[int, Courier] = {}


def courier() -> Courier:
    """Return this process's courier; a forked child has its own."""
    return _couriers.setdefault(os.getpid(), Courier())

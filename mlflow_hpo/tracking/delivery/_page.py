"""The report on a study's run: made anew now and then while the study runs, and once more at its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from mlflow_hpo.tracking.spool import Address

REPORT_VARIABLE = "MLFLOW_HPO_REPORT"
# A program of its own, of a room above this one: whoever delivers has no time to draw, and nothing to do with plots.
# It has no haste, from its first import on: the study, or the next one, may be training. No garbage matters to it.
_NICENESS = 10
_PROGRAM = (
    f"import gc, os, sys; gc.disable(); os.nice({_NICENESS}); sys.path += {{path!r}}; "
    "from mlflow_hpo.report.__main__ import main; main(sys.argv[1])"
)
_RENEW_SECONDS = 300.0
# Reading a study and drawing it takes eight seconds of a core, more for a long one, and at most a fiftieth of the time:
# where trials keep all cores busy, it is paid with training.
_PAUSE = 50.0


def reports_are_on() -> bool:
    """Whether nobody has switched reports off."""
    return os.environ.get(REPORT_VARIABLE, "true").lower() not in ("false", "0", "no")


class PageMaker:
    """Has the report of one study made, one process at a time.

    Parameters
    ----------
    address : Address
        The study's.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._is_wanted = address.report
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = time.monotonic()
        self._due = self._begun + _RENEW_SECONDS

    def renew(self) -> None:
        """Begin another report, if the last one is old."""
        if not self._is_wanted:
            return
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._process = None
            self._due = now + max(_RENEW_SECONDS, _PAUSE * (now - self._begun))
        if now >= self._due:
            self._begin()

    def finish(self) -> None:
        """Begin the last report, in the place of one that is being made."""
        if not self._is_wanted:
            return
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._begin()

    @property
    def is_busy(self) -> bool:
        """Whether a report is being made."""
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Wait for what has been begun."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=seconds)

    def _begin(self) -> None:
        self._begun = time.monotonic()
        path = [entry for entry in sys.path if entry]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM.format(path=path), self._address.run_id],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what it says goes where this process writes its own errors
            # Not as an argument: the address may hold a password.
            env={**os.environ, "MLFLOW_TRACKING_URI": self._address.tracking_uri},
        )

"""Why a trial has no result although none of its folds raised an exception, and how that is worded."""

from __future__ import annotations

import signal

from mlflow_hpo.core.errors import HPOError

_HINTS = {
    "SIGKILL": "out of memory, or killed by hand",
    "SIGSEGV": "a segmentation fault in compiled code",
    "SIGABRT": "compiled code has given up",
    "SIGBUS": "a file that is mapped into memory has been cut, or its disk is full",
    "SIGILL": "compiled code is for another processor",
    "SIGFPE": "an arithmetic error in compiled code",
    "SIGTERM": "asked to end",
}


class TrialLostError(HPOError):
    """A trial has no result, because of the process that its folds ran in."""


class WorkerDiedError(TrialLostError):
    """The worker process of a trial has died, twice."""


class TrialTimeoutError(TrialLostError, TimeoutError):
    """A trial has run for as long as it may."""


class FoldFailedError(HPOError):
    """A fold could not go to its worker process, not come back from it, or has tried to end it."""


def died(exit_codes: list[int | None]) -> WorkerDiedError:
    """Return what is said of a trial whose worker has died for the last time.

    Parameters
    ----------
    exit_codes : list of int or None
        How its workers ended, in order; a signal's number is negative, and None is a machine's or Dask worker's end.
    """
    causes = [cause_of_death(code) for code in exit_codes]
    told = f"{causes[0]}, twice" if len(set(causes)) == 1 else ", then ".join(causes)
    return WorkerDiedError(f"The trial is given up: its worker process {told}.")


def not_sent(error: BaseException, culprit: str = "a part of it") -> FoldFailedError:
    """Return what is said of a fold that does not pickle.

    Parameters
    ----------
    error : BaseException
        What pickling has raised.
    culprit : str
        What it is that does not pickle.
    """
    cause = f"{type(error).__name__}: {error}"
    return FoldFailedError(f"The fold could not be sent to a worker process: {culprit} cannot be pickled ({cause}).")


def cause_of_death(exit_code: int | None) -> str:
    """Say how a process ended.

    Parameters
    ----------
    exit_code : int or None
        Its exit code; a signal's number is negative. None where nothing of it was left to tell.

    Examples
    --------
    >>> cause_of_death(-9)
    'was killed by signal 9 (SIGKILL: out of memory, or killed by hand)'
    >>> cause_of_death(3)
    'ended by itself with exit code 3'
    """
    if exit_code is None:
        return "was lost with its Dask worker"
    if exit_code >= 0:
        return f"ended by itself with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        return f"was killed by signal {-exit_code}"
    hint = f"{name}: {_HINTS[name]}" if name in _HINTS else name
    return f"was killed by signal {-exit_code} ({hint})"


def out_of_time(seconds: float) -> TrialTimeoutError:
    """Return what is said of a trial that has run for as long as it may.

    Parameters
    ----------
    seconds : float
        Its limit.
    """
    return TrialTimeoutError(
        f"The trial is given up: its folds have run for {seconds:g} s, the limit that Tracking(trial_seconds=...) sets."
    )

"""What goes between a study and the Dask workers: orders there, and what comes of them back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# Of events; one for all studies: a scheduler keeps the last events of every topic that there ever was.
TOPIC = "mlflow-hpo"


@dataclass(frozen=True)
class CarriedFile:
    """An object that many folds share, on its way to a worker.

    Parameters
    ----------
    number : int
        What it is called in tasks.
    spans : tuple of (int, int)
        Begin and end of the pickle, and of each array behind it.
    content : bytes or None
        The file; None where it is large, and was scattered.
    """

    number: int
    spans: tuple[tuple[int, int], ...]
    content: bytes | None


@dataclass(frozen=True)
class Order:
    """A fold on its way to a worker.

    Parameters
    ----------
    study : str
        Whose it is.
    attempt : int
        Its number among all attempts of the study.
    pickled : bytes
        The task.
    files : tuple of CarriedFile
        What it refers to.
    n_threads : int
        How many threads numerical libraries use in a worker process.
    is_explicit : bool
        Whether that counts whatever the worker's environment says.
    """

    study: str
    attempt: int
    pickled: bytes
    files: tuple[CarriedFile, ...]
    n_threads: int
    is_explicit: bool

    @property
    def key(self) -> tuple[str, int]:
        """What Dask calls it: all attempts are one group of tasks, which it holds back until a worker is free."""
        return (f"mlflow-hpo-{self.study}", self.attempt)


class Said(Enum):
    """What a worker tells of an attempt while it runs; the values go over the wire."""

    STARTED = "started"
    EVENT = "event"
    ENDED = "ended"  # with its pickled outcome, where that is small


class End(Enum):
    """How an attempt has ended."""

    OUTCOME = "outcome"
    FAILED = "failed"  # it could not begin, or not come back
    DIED = "died"
    STOPPED = "stopped"  # nobody waits for it


@dataclass(frozen=True)
class Reply:
    """What comes of an attempt.

    Parameters
    ----------
    end : End
    content : bytes
        The pickled outcome, where it is large.
    said : str
        Why there is none.
    exit_code : int
        Of the worker process, where it has died.
    """

    end: End
    content: bytes = b""
    said: str = ""
    exit_code: int = 0

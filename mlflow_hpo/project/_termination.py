"""SIGTERM as an exception: it ends a study as Ctrl-C does, and is told apart from a `sys.exit` in a user's function."""

from __future__ import annotations

from types import FrameType
from typing import NoReturn

EXIT_CODE = 143


class Terminated(SystemExit):
    """The process was asked to end."""


STOPS = (KeyboardInterrupt, Terminated)  # what a user's function must not be blamed for


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Raise `Terminated`: a handler for SIGTERM.

    Raises
    ------
    Terminated
        Always.
    """
    raise Terminated(EXIT_CODE)

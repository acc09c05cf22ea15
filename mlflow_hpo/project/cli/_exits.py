"""How a command ends: its exit code, one clear message, and a traceback only for who asks."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import click

from mlflow_hpo.core.errors import HPOError

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
TERMINATED = 143

_PROJECT_RUN = "MLFLOW_RUN_ID"


def ended(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command and return its exit code; whatever went wrong has been said on standard error.

    Parameters
    ----------
    command : callable
        The command.
    debug : bool
        Whether tracebacks are shown.

    Returns
    -------
    int
        0, or 2 for a user's mistake, 130 and 143 for an interrupt, 1 for all else.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        command()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return _failed(USER_ERROR, error.format_message(), debug)
    except HPOError as error:
        return _failed(USER_ERROR, _say(str(error)), debug)
    except (KeyboardInterrupt, click.Abort):
        return _failed(INTERRUPTED, _say("Interrupted."), debug)
    except SystemExit as end:
        return _failed(end.code if isinstance(end.code, int) else FAILED, _say("Terminated."), debug)
    except Exception as error:
        return _failed(FAILED, _say(f"{type(error).__name__}: {error}"), debug, hint=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    # An exception ends the study as Ctrl-C does: trials KILLED, what was found delivered.
    raise SystemExit(TERMINATED)


def _say(message: str) -> str:
    click.echo(f"Error: {message}", err=True)
    return message


def _failed(code: int, message: str, debug: bool, hint: bool = False) -> int:
    if debug:
        traceback.print_exc()
    elif hint:
        click.echo("Run it again with --debug to see the traceback.", err=True)
    _end_project_run(message)
    return code


def _end_project_run(message: str) -> None:
    """End the run that `mlflow run` made, if no search has taken it over."""
    if not os.environ.get(_PROJECT_RUN):
        return
    from mlflow_hpo.tracking import end_run_failed

    try:
        end_run_failed(message)
    except Exception as error:  # the message above matters more than a store that is away
        click.echo(f"The run could not be ended: {error}", err=True)

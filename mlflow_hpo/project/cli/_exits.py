"""How a command ends: its exit code, one clear message, and a traceback only for who asks."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable

import click

from mlflow_hpo.core.errors import HPOError, brief
from mlflow_hpo.core.redact import printable, redacted
from mlflow_hpo.project._termination import EXIT_CODE, Terminated, terminate

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
TERMINATED = EXIT_CODE

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
    # An exception ends the study as Ctrl-C does: trials KILLED, what was found delivered.
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        command()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _failed(INTERRUPTED, "Interrupted.", debug)
    except Terminated:
        return _failed(TERMINATED, "Terminated.", debug)
    except click.ClickException as error:
        return _failed(USER_ERROR, _usage(error), debug)
    except HPOError as error:
        return _failed(USER_ERROR, str(error), debug)
    except SystemExit as end:
        return _failed(FAILED, f"a function of the study has called sys.exit({end.code!r}).", debug, hint=True)
    except Exception as error:
        # Notes of one line are ours; longer ones are tracebacks of worker processes.
        notes = [note for note in getattr(error, "__notes__", ()) if "\n" not in note]
        return _failed(FAILED, "\n".join([brief(error), *notes]), debug, hint=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _usage(error: click.ClickException) -> str:
    """Return what click found wrong with the arguments, and how to see what is allowed."""
    other_name = _other_name(error) if isinstance(error, click.NoSuchOption) else ""
    message = f"{error.message.removesuffix('.')}.{other_name}" if other_name else error.format_message()
    if not message.endswith((".", "?")):
        message += "."
    context = getattr(error, "ctx", None)
    return f"{message} See {context.command_path} --help." if context else message


def _other_name(error: click.NoSuchOption) -> str:
    """Return a hint at the option that other libraries call so; empty where none do."""
    from mlflow_hpo.project.study_file._habits import habit

    options = {str(one.name): one.opts[0] for one in (error.ctx.command.params if error.ctx else [])}
    name = habit(error.option_name.strip("-").replace("-", "_"), options)
    return f" Did you mean {options[name]!r}?" if name in options else ""


def _failed(code: int, message: str, debug: bool, hint: bool = False) -> int:
    said = printable(redacted(message))
    click.echo(f"Error: {said}", err=True)
    if debug:
        click.echo(printable(redacted(traceback.format_exc())), err=True, nl=False)
    elif hint:
        click.echo("Run it again with --debug to see the traceback.", err=True)
    _end_project_run(said)
    return code


def _end_project_run(message: str) -> None:
    """End the run that `mlflow run` made, if no search has taken it over."""
    if not os.environ.get(_PROJECT_RUN):
        return
    from mlflow_hpo.project._reachable import impatient
    from mlflow_hpo.tracking import end_run_failed

    try:
        with impatient():
            end_run_failed(message)
    except Exception:  # the message above matters more than a store that is away
        click.echo("The run that MLFLOW_RUN_ID names could not be ended: its store does not answer.", err=True)

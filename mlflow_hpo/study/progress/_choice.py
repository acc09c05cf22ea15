"""Which display a study has, if any."""

from __future__ import annotations

import multiprocessing
import sys

from mlflow_hpo.core.config import Progress
from mlflow_hpo.core.reporting import current_reporter
from mlflow_hpo.study.progress._displays import Display, LinesDisplay, NotebookDisplay, TerminalDisplay

# From here on scikit-learn prints a line a fold, from worker processes too.
_TALKATIVE = 2


def choose_display(progress: Progress, verbose: int) -> Display | None:
    """Return the display that suits where this process writes to; None for a study that is not shown.

    Parameters
    ----------
    progress : {"auto", "live", "lines", "none"}
        What was asked for.
    verbose : int
        How much the library prints by itself.
    """
    is_nested = current_reporter() is not None
    if progress == "none" or is_nested:
        return None
    if progress == "lines":
        return LinesDisplay()
    if progress == "auto" and (verbose >= _TALKATIVE or multiprocessing.parent_process() is not None):
        return None
    if _is_notebook():
        return NotebookDisplay()
    if is_terminal():
        return TerminalDisplay()
    return LinesDisplay() if progress == "live" else None


def is_terminal() -> bool:
    """Return whether a display can be renewed in its place where this process prints."""
    from rich.console import Console

    isatty = getattr(sys.stdout, "isatty", None)
    # `rich` alone would take a file for a terminal where FORCE_COLOR is set, as CI services do.
    return isatty is not None and isatty() and not Console().is_dumb_terminal


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # there is no notebook where nobody has imported it
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None

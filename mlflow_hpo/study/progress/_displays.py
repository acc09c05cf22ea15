"""Where a study is shown: a terminal, a notebook, or line by line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import StringIO
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.study.progress._panel import leaderboard, panel
from mlflow_hpo.study.progress._snapshot import Ended, Snapshot
from mlflow_hpo.study.progress._words import conclusion, trial_line

_NOTEBOOK_WIDTH = 110
_PIPE_WIDTH = 200
_HTML = '<pre style="font-family:monospace;white-space:pre;overflow-x:auto;line-height:1.25;margin:0">{code}</pre>'


class Display(Protocol):
    """Shows a study. `open`, then `update` from another thread, then `close`."""

    def open(self, now: Snapshot) -> None:
        """Begin."""

    def update(self, now: Snapshot, news: Sequence[Ended]) -> None:
        """Show how the study stands; `news` are the trials that have ended since the last time."""

    def close(self, now: Snapshot) -> None:
        """Show how the study has ended."""


class TerminalDisplay:
    """A few lines at the bottom of the terminal; what is printed meanwhile goes above them."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._stack = ExitStack()

    def open(self, now: Snapshot) -> None:
        """Take the bottom of the terminal."""
        streams = sys.stdout, sys.stderr
        self._stack.enter_context(self._live)
        self._stack.enter_context(_logging_above(streams))
        self.update(now, ())

    def update(self, now: Snapshot, news: Sequence[Ended]) -> None:
        """Draw the lines anew."""
        self._live.update(panel(now, now_ms()), refresh=True)

    def close(self, now: Snapshot) -> None:
        """Give the bottom of the terminal back, and say how the study has ended."""
        self._stack.close()
        _print_end(self._console, now)


class LinesDisplay:
    """A line for each trial, to read in a file or to pipe on."""

    def open(self, now: Snapshot) -> None:
        """Say nothing yet."""

    def update(self, now: Snapshot, news: Sequence[Ended]) -> None:
        """Print a line for each trial that has ended."""
        for trial in news:
            _print(trial_line(trial, now.n_trials))

    def close(self, now: Snapshot) -> None:
        """Say how the study has ended."""
        # As wide as it gets: a file or pipe has no width of its own.
        _print_end(Console(highlight=False, markup=False, emoji=False, no_color=True, width=_PIPE_WIDTH), now)


class NotebookDisplay:
    """An output of the notebook's cell, renewed in its place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def open(self, now: Snapshot) -> None:
        """Make the output."""
        from IPython.display import display

        shown = _bundle(panel(now, now_ms()))
        self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def update(self, now: Snapshot, news: Sequence[Ended]) -> None:
        """Renew the output."""
        self._handle.update(_bundle(panel(now, now_ms())), raw=True)

    def close(self, now: Snapshot) -> None:
        """Leave how the study has ended."""
        self._handle.update(_bundle(Group(*_end(now))), raw=True)


def _end(now: Snapshot) -> Iterator[RenderableType]:
    if now.leaders:
        yield leaderboard(now)
    for line in conclusion(now, now_ms()):
        yield Text(line)


def _print_end(console: Console, now: Snapshot) -> None:
    for part in _end(now):
        console.print(part, soft_wrap=isinstance(part, Text))  # a link that is broken into lines is none


def _print(line: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)  # noqa: T201


def _bundle(shown: RenderableType) -> dict[str, str]:
    """Return something as a notebook shows it, and as it reads where there is no HTML."""
    console = Console(
        file=StringIO(), record=True, force_terminal=True, force_jupyter=False, color_system="truecolor",
        width=_NOTEBOOK_WIDTH, highlight=False, markup=False, emoji=False,
    )  # fmt: skip
    console.print(shown, soft_wrap=False)
    return {
        "text/html": console.export_html(inline_styles=True, code_format=_HTML, clear=False),
        "text/plain": console.export_text(),
    }


@contextmanager
def _logging_above(streams: tuple[Any, Any]) -> Iterator[None]:
    """Have log handlers that hold the terminal's streams write to what stands in for them while the display is open."""
    instead = dict(zip(map(id, streams), (sys.stdout, sys.stderr), strict=True))
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    handlers = [handler for logger in loggers for handler in getattr(logger, "handlers", ())]
    moved = [
        (handler, handler.setStream(instead[id(handler.stream)]))
        for handler in handlers
        if isinstance(handler, logging.StreamHandler) and id(handler.stream) in instead
    ]
    try:
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)

"""Showing a study: one thread that looks at its state now and then, and never harms it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.config import Progress
from mlflow_hpo.core.events import ProgressEvent
from mlflow_hpo.study.progress._choice import choose_display
from mlflow_hpo.study.progress._displays import Display
from mlflow_hpo.study.progress._state import ProgressState
from mlflow_hpo.tracking.opening import StudyPlan
from mlflow_hpo.tracking.runs import StudyRun

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
# Without news, only the clock has changed.
_LOOKS_PER_CLOCK = 4
# A process has one terminal: of studies that run at once, the first is shown.
_shown = threading.Lock()


@contextmanager
def shown_study(
    name: str, plan: StudyPlan, run: StudyRun, progress: Progress
) -> Iterator[Callable[[ProgressEvent], object]]:
    """Show a study while the context is open, and how it went at its end; yield what takes its events.

    Parameters
    ----------
    name : str
        What the study's run is called.
    plan : StudyPlan
    run : StudyRun
    progress : {"auto", "live", "lines", "none"}
        What was asked for.
    """
    display = choose_display(progress, plan.verbose)
    if display is None or not _shown.acquire(blocking=False):
        yield _ignore
        return
    state = ProgressState(name, plan, run, now_ms())
    try:
        with _Show(state, display):
            yield state.hear
    finally:
        _shown.release()


def _ignore(event: ProgressEvent) -> None:
    """Show nothing."""


class _Show:
    """Looks at a state from time to time, and updates a display."""

    def __init__(self, state: ProgressState, display: Display) -> None:
        self._state = state
        self._display = display
        self._is_over = threading.Event()
        self._is_broken = False
        self._thread = threading.Thread(target=self._keep_showing, name="mlflow-hpo-progress", daemon=True)

    def __enter__(self) -> None:
        self._careful(lambda: self._display.open(self._state.snapshot()))
        self._thread.start()

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        try:
            self._thread.join()
            self._careful(self._look)
        finally:
            self._careful(lambda: self._display.close(self._state.snapshot()), always=True)

    def _keep_showing(self) -> None:
        seen, looks = -1, 0
        while not self._is_over.wait(_LOOK_SECONDS):
            looks += 1
            if self._state.version != seen or looks % _LOOKS_PER_CLOCK == 0:
                seen = self._state.version
                self._careful(self._look)

    def _look(self) -> None:
        self._display.update(self._state.snapshot(), self._state.take_news())

    def _careful(self, act: Callable[[], None], *, always: bool = False) -> None:
        """Do what may fail, a terminal that is gone say: the study goes on unseen."""
        if self._is_broken and not always:
            return
        try:
            act()
        except Exception:
            self._is_broken = True
            _logger.debug("The progress of a study cannot be shown", exc_info=True)

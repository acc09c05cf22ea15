"""The process that delivers: reads what its parent asks on its standard input, answers on its standard output.

It lives as long as its parent, for however many studies that runs. Once the parent is gone, for whatever reason, it
delivers what is left, ends what is open as KILLED, and goes.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from mlflow_hpo.tracking.delivery._delivery import Delivery
from mlflow_hpo.tracking.delivery._errors import StoreAwayError
from mlflow_hpo.tracking.delivery._page import PageMaker
from mlflow_hpo.tracking.skops_import import skops_io, write_only
from mlflow_hpo.tracking.spool import Spool

_POLL_SECONDS = 0.1
# Live enough, as MLflow's pages look for news twice a minute, and few enough calls.
_LINGER_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
# How long a store that is away is waited for when nobody runs the study any more.
_ORPHAN_PATIENCE_SECONDS = 20.0
_PAGE_SECONDS = 30.0


@dataclass
class Job:
    """A spool that is being delivered."""

    delivery: Delivery
    lock: FileLock
    questions: list[dict[str, Any]] = field(default_factory=list)
    due: float | None = None
    pause: float = 0.0
    is_away: bool = False
    page: PageMaker = field(init=False)

    def __post_init__(self) -> None:
        self.page = PageMaker(self.delivery.spool.address)

    def is_due(self, now: float) -> bool:
        """Whether it is time to deliver: somebody waits, or enough has been gathered."""
        if self.delivery.is_caught_up:
            return False
        if self.due is None:
            self.due = now + _LINGER_SECONDS
        return now >= self.due or bool(self.questions and not self.is_away)

    def hurry(self) -> None:
        """Have what there is delivered now, unless the store is away."""
        if not self.is_away:
            self.due = 0.0

    def deliver(self) -> str | None:
        """Deliver what there is, and return why nothing could be, if so."""
        try:
            self.delivery.spool.sync()
            self.delivery.deliver()
        except StoreAwayError as error:
            self.pause = min(_LONGEST_PAUSE, self.pause * 2 or _FIRST_PAUSE)
            self.due = time.monotonic() + self.pause
            self.is_away = True
            return str(error)
        self.due, self.pause, self.is_away = None, 0.0, False
        self.page.renew()
        return None


class DeliveryProcess:
    """Takes questions, delivers spools, and answers.

    Parameters
    ----------
    parent : int
        The process that asks.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._jobs: dict[str, Job] = {}
        self._pages: list[PageMaker] = []
        self._questions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._is_warm = False
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)  # what libraries print is no answer
        logging.getLogger("mlflow_hpo").addHandler(_Forward(self._answer))
        threading.Thread(target=self._listen, daemon=True).start()

    def run(self) -> None:
        """Work until the parent is gone."""
        while os.getppid() == self._parent:
            try:
                question = self._questions.get(timeout=_POLL_SECONDS if self._jobs else 5.0)
            except queue.Empty:
                question = {}
            if question is None:
                break
            if question:
                self._take(question)
            self._work()
        self._end_orphans()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._questions.put(json.loads(line))
        self._questions.put(None)

    def _take(self, question: dict[str, Any]) -> None:
        folder = question["spool"]
        if question["ask"] == "open":
            _adopt(question["environment"])
            spool = Spool(Path(folder))
            lock = spool.lock()
            if lock is not None:
                self._jobs[folder] = Job(Delivery(spool), lock)
                self._warm_up(needs_skops=spool.address.needs_skops)
        elif folder in self._jobs and question["ask"] == "deliver":
            self._jobs[folder].hurry()
        elif folder in self._jobs:
            self._jobs[folder].questions.append(question)

    def _work(self) -> None:
        for folder, job in list(self._jobs.items()):
            if job.is_due(time.monotonic()):
                was_away = job.is_away
                reason = job.deliver()
                if reason is not None:
                    self._answer({"spool": folder, "away": reason})
                elif was_away:
                    self._answer({"spool": folder, "back": True})
            self._answer_questions(folder, job)

    def _warm_up(self, *, needs_skops: bool) -> None:
        """Import what saving the first model needs, while the first records are gathered."""
        if not self._is_warm:
            self._is_warm = True
            threading.Thread(target=_import_rest, args=(needs_skops,), daemon=True).start()

    def _answer_questions(self, folder: str, job: Job) -> None:
        progress = job.delivery.progress
        ready = [question for question in job.questions if question["end"] <= progress.delivered]
        job.questions = [question for question in job.questions if question["end"] > progress.delivered]
        for question in ready:
            if question["ask"] == "close":
                self._close(folder)
            self._answer(
                {
                    "spool": folder,
                    "id": question["id"],
                    "run_ids": progress.run_ids,
                    "registered": progress.registered,
                }
            )

    def _close(self, folder: str) -> None:
        job = self._jobs.pop(folder)
        job.lock.release()
        if job.delivery.progress.is_done and job.delivery.is_caught_up:
            job.page.finish()
            self._pages = [page for page in [*self._pages, job.page] if page.is_busy]
            job.delivery.spool.remove()

    def _end_orphans(self) -> None:
        deadline = time.monotonic() + _ORPHAN_PATIENCE_SECONDS
        while self._jobs and time.monotonic() < deadline:
            for folder, job in list(self._jobs.items()):
                if job.is_away and time.monotonic() < (job.due or 0.0):
                    continue
                if job.deliver() is None:
                    job.delivery.abandon()
                    self._close(folder)
            time.sleep(_POLL_SECONDS)
        for page in self._pages:
            page.wait(_PAGE_SECONDS)

    def _answer(self, answer: dict[str, Any]) -> None:
        try:
            self._answers.write(json.dumps(answer) + "\n")
        except (OSError, ValueError):
            return  # the parent is gone: there is nobody to tell


class _Forward(logging.Handler):
    """Tells the parent what is logged here: its own logging decides what becomes of it."""

    def __init__(self, answer: Any) -> None:
        super().__init__(logging.INFO)
        self._tell = answer

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        detail = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        self._tell({"log": record.levelno, "logger": record.name, "text": text, "detail": detail})


def _adopt(environment: Mapping[str, str]) -> None:
    """Take over the environment that the parent has now: passwords change, and a study elsewhere needs others."""
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


def _import_rest(needs_skops: bool) -> None:
    try:
        import h5py  # type: ignore[import-untyped]  # noqa: F401

        import mlflow_hpo.tracking.models
        import mlflow_hpo.tracking.outcome  # noqa: F401

        if needs_skops:
            skops_io()
    finally:
        gc.freeze()
        gc.enable()


def main() -> None:
    """Run the process until its parent is gone."""
    write_only()
    logging.getLogger("mlflow_hpo").setLevel(logging.INFO)
    DeliveryProcess(int(sys.argv[1])).run()
    os._exit(0)  # nothing is left to do, and the parent may wait for the end

"""Logs and warnings of a fold name its trial."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest

from mlflow_hpo.core.reporting import Reporter, reporting
from mlflow_hpo.study.named_logs import named_logs

_logger = logging.getLogger("somebody")


def fold(trial: int | None, fold: int | None = None) -> Any:
    return reporting(Reporter(trial, fold, lambda event: None))


@pytest.mark.parametrize(
    ("trial", "split", "place"),
    [(3, 1, "[trial 003, fold 1] "), (12, None, "[trial 012] "), (None, None, "[refit] ")],
)
def test_a_record_names_its_trial_and_fold(caplog, trial, split, place):
    with named_logs(), fold(trial, split):
        _logger.warning("%d%% of %s", 5, "all")
        _logger.warning("5% of all")
    assert caplog.messages == [f"{place}5% of all"] * 2


def test_outside_of_folds_nothing_is_added(caplog):
    with named_logs():
        _logger.warning("one")
    with fold(1):
        _logger.warning("two")
    assert caplog.messages == ["one", "two"]


def test_a_warning_names_its_trial_once_even_when_it_is_logged(caplog, capsys):
    logging.captureWarnings(True)
    try:
        with named_logs(), fold(1, 0), warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning(UserWarning("beware"), UserWarning, "file.py", 1)
    finally:
        logging.captureWarnings(False)
    (message,) = caplog.messages
    assert message.count("[trial 001, fold 0] beware") == 1
    assert message.count("[trial") == 1


def test_all_is_put_back_when_the_last_of_overlapping_contexts_closes(caplog):
    factory, wording = logging.getLogRecordFactory(), warnings.formatwarning
    first, second = named_logs(), named_logs()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with fold(1):
        _logger.warning("still")
    second.__exit__(None, None, None)
    assert caplog.messages == ["[trial 001] still"]
    assert logging.getLogRecordFactory() is factory
    assert warnings.formatwarning is wording


def test_what_somebody_has_put_around_ours_stays_and_is_not_named_twice(caplog):
    factory = logging.getLogRecordFactory()

    def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = inner(*args, **kwargs)
        record.msg = f"theirs: {record.msg}"
        return record

    try:
        with named_logs():
            inner = logging.getLogRecordFactory()
            logging.setLogRecordFactory(theirs)
        assert logging.getLogRecordFactory() is theirs
        with named_logs(), fold(1):
            _logger.warning("said")
        with fold(1):
            _logger.warning("said")
    finally:
        logging.setLogRecordFactory(factory)
    assert caplog.messages == ["[trial 001] theirs: said", "theirs: said"]

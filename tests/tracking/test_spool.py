"""The spool on a disk that is full."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlflow_hpo.tracking.records import Logged
from mlflow_hpo.tracking.spool import Address, Spool


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("MLFLOW_HPO_SPOOL", str(tmp_path))
    return Spool.create(Address("run", "0", "sqlite:///", "sqlite:///"))


def record(number: int) -> Logged:
    return Logged(number, 0, metrics={"loss": 0.1})


@contextmanager
def no_file_longer_than(n_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a length: in the middle of a record, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_finds_no_room_waits_and_comes_in_order(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    spool.append(record(0))
    with no_file_longer_than(spool.end + 10), caplog.at_level(logging.WARNING):
        for number in (1, 2, 3):
            spool.append(record(number))
    assert caplog.text.count("waits in memory") == 1
    assert [one.trial for one, _ in spool.read(0)] == [0]
    spool.append(record(4))
    assert [one.trial for one, _ in spool.read(0)] == [0, 1, 2, 3, 4]


def test_what_never_finds_room_is_told(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    spool.append(record(0))
    with no_file_longer_than(spool.end + 10), caplog.at_level(logging.WARNING):
        spool.append(record(1))
        spool.close(patience=0.0)
    assert "1 records of the study are lost" in caplog.text
    assert [one.trial for one, _ in spool.read(0)] == [0]


def test_a_model_that_finds_no_room_leaves_nothing(spool: Spool) -> None:
    with no_file_longer_than(100), pytest.raises(OSError, match="File too large"):
        spool.add_model(b"x" * 1000)
    assert not list(spool.folder.glob("models/*"))

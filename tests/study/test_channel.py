"""Events come from other processes while folds run, from nobody else, and are never lost."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import AuthenticationError, get_context
from multiprocessing.connection import Client
from typing import Any

import pytest

from mlflow_hpo.core.events import FoldStarted
from mlflow_hpo.study.channel import EventChannel, RemoteChannel
from mlflow_hpo.study.fold import FoldOutcome, FoldTask

TIMEOUT = 60


@pytest.fixture
def heard() -> queue.Queue[Any]:
    return queue.Queue()


@pytest.fixture
def channel(heard: queue.Queue[Any]) -> Iterator[EventChannel]:
    channel = EventChannel(heard.put)
    yield channel
    channel.close()


def send(remote: RemoteChannel, events: list[FoldStarted]) -> list[bool]:
    return [remote(event) for event in events]


def run(task: FoldTask) -> FoldOutcome:
    return task()


def fold(**kwargs: Any) -> dict[str, Any]:
    return {"test_scores": 1.0, "fit_error": None}


def test_events_of_a_worker_process_arrive_in_order(channel: EventChannel, heard: queue.Queue[Any]) -> None:
    events = [FoldStarted(trial, 0) for trial in range(20)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        assert workers.submit(send, channel.remote, events).result(TIMEOUT) == [True] * 20
    assert [heard.get(timeout=TIMEOUT) for _ in events] == events


def test_a_worker_that_cannot_reach_the_study_brings_its_events_along(channel: EventChannel) -> None:
    task = FoldTask(3, 1, fold, (), {}, RemoteChannel(1, b"nobody listens there"), keep_model=False)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        outcome = workers.submit(run, task).result(TIMEOUT)
    assert [(event.trial, event.fold) for event in outcome.undelivered] == [(3, 1)]
    assert outcome.result == {"test_scores": 1.0, "fit_error": None}


def test_who_has_not_the_key_is_refused(channel: EventChannel, heard: queue.Queue[Any]) -> None:
    with pytest.raises(AuthenticationError):
        Client(("127.0.0.1", channel.remote.port), authkey=b"guessed")
    event = FoldStarted(0, 0)
    assert channel.remote(event)
    assert heard.get(timeout=TIMEOUT) == event


def test_after_the_study_nothing_is_sent(heard: queue.Queue[Any]) -> None:
    channel = EventChannel(heard.put)
    remote = channel.remote
    channel.close()
    assert not remote(FoldStarted(0, 0))

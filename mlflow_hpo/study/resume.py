"""The run of a study that begins, or goes on where an earlier start was interrupted, and what is known before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow_hpo.core.config import Tracking
from mlflow_hpo.study.replay import Identity, Replay
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.delivery import deliver_waiting
from mlflow_hpo.tracking.earlier import EarlierStudy, find_earlier, found_in, study_called
from mlflow_hpo.tracking.opening import StudyPlan, plan_record
from mlflow_hpo.tracking.runs import StudyRun, current_experiment, open_study_run
from mlflow_hpo.tracking.store import alone_with_study, connect


@contextmanager
def opened_run(
    name: str, plan: StudyPlan, tracking: Tracking, parent: tuple[str, str] | None
) -> Iterator[tuple[StudyRun, Replay]]:
    """Open the run of a study, with what an earlier start of it has found; only a study with a name has that.

    A study that begins inside a trial of another one has no earlier start of its own: the trial is replayed, or is not.

    Parameters
    ----------
    name : str
        What the run is called.
    plan : StudyPlan
    tracking : Tracking
    parent : tuple of (str, str) or None
        Tracking URI and run id of the trial that the study begins in.

    Raises
    ------
    StudyIsRunningError
        Another process runs the study of this name.
    NotFoundError
        The study to start from does not exist.
    """
    tags = {**plan.tags, **(tracking.tags or {})}
    if parent is not None or (tracking.study is None and tracking.warm_start_from is None):
        yield open_study_run(name, tags, parent), Replay()
        return
    client, experiment_id = connect(), current_experiment()
    identity, other = Identity.of(plan.parts), EarlierStudy()
    if tracking.warm_start_from is not None:
        other = found_in(client, study_called(client, experiment_id, tracking.warm_start_from))
    if tracking.study is None:
        yield open_study_run(name, tags), Replay(identity, other=other)
        return
    with alone_with_study(client.tracking_uri, experiment_id, name):
        tags |= {names.STUDY: name, names.PARTS: json.dumps(identity.parts) if identity else "{}"}
        earlier = EarlierStudy()
        if tracking.resume and identity is not None:
            earlier = find_earlier(client, experiment_id, name)
            # What the earlier start wrote and could not deliver belongs to what it has found.
            if [one for run_id in earlier.run_ids for one in deliver_waiting(run_id)]:
                earlier = find_earlier(client, experiment_id, name)
        replay = Replay(identity, earlier, other)
        replay.explain()
        yield open_study_run(name, tags, run_id=_continued(earlier, plan)), replay


def _continued(earlier: EarlierStudy, plan: StudyPlan) -> str | None:
    """Return the earlier start's run, if this one can go on in it: what MLflow has of its params cannot be changed."""
    params = plan_record(plan).params
    is_same = all(earlier.params.get(name) == value for name, value in params.items())
    return earlier.run_id if is_same and not earlier.is_over else None

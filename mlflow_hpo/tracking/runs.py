"""The study's run: made new, nested where there is something to nest under, or taken over from `mlflow run`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run, RunData, RunInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, ErrorCode
from mlflow.tracking.context import registry as context
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.core.errors import StoreDeniedError
from mlflow_hpo.core.events import RunStatus
from mlflow_hpo.core.redact import without_credentials
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.store import connect

_PROJECT_RUN = "MLFLOW_RUN_ID"
_taken_over: list[str] = []


@dataclass(frozen=True)
class StudyRun:
    """Where a study is kept.

    Parameters
    ----------
    run_id, experiment_id : str
        MLflow's ids.
    tracking_uri : str
        The store that has them.
    name : str
        What the study is called.
    """

    run_id: str
    experiment_id: str
    tracking_uri: str = field(repr=False)  # it may hold a password
    name: str

    def tags_inside(self, trial: int | None) -> dict[str, str]:
        """Return the tags of a run that user code begins inside of a trial; None is the refit of the best."""
        tags = {names.INSIDE_STUDY: self.name, names.INSIDE_RUN: self.run_id}
        return tags if trial is None else {**tags, names.INSIDE_TRIAL: str(trial)}


def current_experiment() -> str:
    """Return the experiment in which a run would begin now."""
    run_id = os.environ.get(_PROJECT_RUN)
    if mlflow.active_run() is None and run_id:
        return str(connect().get_run(run_id).info.experiment_id)
    return str(mlflow.tracking.fluent._get_experiment_id())


def open_study_run(
    name: str, tags: Mapping[str, str], parent: tuple[str, str] | None = None, run_id: str | None = None
) -> StudyRun:
    """Open the run of a study, and make it the active one of this thread.

    Parameters
    ----------
    name : str
        What the run is called.
    tags : mapping of str to str
        Tags of the run.
    parent : tuple of (str, str) or None
        Tracking URI and run id of the trial to nest it under. None nests it under the active run if there is one; where
        there is none, the run that `mlflow run` made for this process becomes the study's run.
    run_id : str or None
        The run of an earlier start, which the study goes on in where `mlflow run` made none for it.

    Raises
    ------
    StoreDeniedError
        The store lets this user only read.
    """
    if parent is not None and parent[0] != mlflow.get_tracking_uri():
        mlflow.set_tracking_uri(parent[0])  # a worker process does not inherit it
    name, tags = names.run_name(name), {tag: names.tag_value(value) for tag, value in tags.items()}
    try:
        run = _open(name, tags, parent[1] if parent else None, run_id)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(PERMISSION_DENIED):
            raise
        raise StoreDeniedError(
            f"The tracking store {without_credentials(mlflow.get_tracking_uri())} lets this user only read, where the "
            "study's run is to be. Ask for the permission EDIT on the experiment, or choose another experiment."
        ) from error
    return StudyRun(run.info.run_id, run.info.experiment_id, mlflow.get_tracking_uri(), name)


def _open(name: str, tags: Mapping[str, str], parent_run_id: str | None, run_id: str | None) -> mlflow.ActiveRun:
    client = connect()
    active = mlflow.active_run()
    parent_run_id = parent_run_id or (active.info.run_id if active else None)
    if parent_run_id is None and os.environ.get(_PROJECT_RUN):
        return _take_over_project_run(client, name, tags)
    if run_id is not None:
        return _continue_run(run_id, tags, parent_run_id)
    return _new_run(client, name, {**_git_commit(), **tags}, parent_run_id or next(iter(_taken_over), None))


def _take_over_project_run(client: MlflowClient, name: str, tags: Mapping[str, str]) -> mlflow.ActiveRun:
    run = mlflow.start_run(tags=dict(tags))
    client.update_run(run.info.run_id, name=name)
    _taken_over[:] = [run.info.run_id]
    return run


def _continue_run(run_id: str, tags: Mapping[str, str], parent_run_id: str | None) -> mlflow.ActiveRun:
    run = mlflow.start_run(run_id=run_id, nested=parent_run_id is not None)
    if names.ERROR in run.data.tags:  # of what has ended the earlier start
        mlflow.delete_tag(names.ERROR)
    mlflow.set_tags({**tags, **({names.PARENT_RUN_ID: parent_run_id} if parent_run_id else {})})
    return run


def _new_run(client: MlflowClient, name: str, tags: Mapping[str, str], parent_run_id: str | None) -> mlflow.ActiveRun:
    if parent_run_id is None:
        return mlflow.start_run(run_name=name, tags=dict(tags))
    parent = client.get_run(parent_run_id)
    run = client.create_run(
        parent.info.experiment_id,
        run_name=name,
        tags=context.resolve_tags({**tags, names.PARENT_RUN_ID: parent_run_id}),
    )
    return mlflow.start_run(run_id=run.info.run_id, nested=True)


@contextmanager
def active_run(run: StudyRun, run_id: str) -> Iterator[None]:
    """Make a trial's run the active one of this thread while the context is open, without asking the store.

    Parameters
    ----------
    run : StudyRun
        The study's.
    run_id : str
        The trial's.
    """
    info = RunInfo(run_id, run.experiment_id, "", "RUNNING", now_ms(), None, "active")
    _active_runs().append(mlflow.ActiveRun(Run(info, RunData())))  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        _end_active_until(run_id)
        _leave()


def _active_runs() -> list[mlflow.ActiveRun]:
    runs: list[mlflow.ActiveRun] = mlflow.tracking.fluent._active_run_stack.get()  # type: ignore[no-untyped-call]
    return runs


def _leave() -> None:
    """Make the active run active no more: how it ended is written by whoever delivers the study."""
    os.environ.pop(_PROJECT_RUN, None)
    left = _active_runs().pop().info.run_id
    mlflow.tracking.fluent._last_active_run_id.set(left)  # type: ignore[no-untyped-call]


def _git_commit() -> dict[str, str]:
    """Return the commit of the working folder as a tag, where MLflow knows none from the program's own folder."""
    known = context.resolve_tags().get(MLFLOW_GIT_COMMIT)
    commit = known or get_git_commit(os.getcwd())
    return {MLFLOW_GIT_COMMIT: commit} if commit else {}


def leave_study_run(run: StudyRun) -> None:
    """Make the run active again that was so before the study's."""
    _end_active_until(run.run_id)
    _leave()


def _end_active_until(run_id: str) -> None:
    """End the runs that were opened inside of a run and never closed."""
    while (active := mlflow.active_run()) and active.info.run_id != run_id:
        mlflow.end_run(RunStatus.KILLED.value)


def end_run_failed(message: str) -> None:
    """End the run that `mlflow run` made for this process as FAILED, before any search has begun.

    Without such a run nothing happens.
    """
    run_id = os.environ.pop(_PROJECT_RUN, None)
    if run_id is None:
        return
    client = connect()
    client.set_tag(run_id, names.ERROR, names.tag_value(message))
    client.set_tag(run_id, names.NOTE, names.tag_value(message))
    client.set_terminated(run_id, RunStatus.FAILED.value, now_ms())

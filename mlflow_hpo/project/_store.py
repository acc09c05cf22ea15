"""Choosing the tracking store from the command line, and seeing that it can be used before anything trains."""

from __future__ import annotations

import os
import re
from typing import Any

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.core.errors import InvalidArgumentError, brief
from mlflow_hpo.core.redact import redacted, without_credentials
from mlflow_hpo.project._reachable import check_reachable, impatient

_URI = "MLFLOW_TRACKING_URI"
_EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
_PROJECT_RUN = "MLFLOW_RUN_ID"
_LONGEST_EXPERIMENT = 500


def choose_store(tracking_uri: str | None, experiment_name: str | None) -> None:
    """Make MLflow use a store and an experiment, and see that both can be used.

    Parameters
    ----------
    tracking_uri : str or None
        None is what MLflow would use by itself.
    experiment_name : str or None
        It is made where there is none of this name. None is what MLflow would use by itself.

    Raises
    ------
    InvalidArgumentError
        The store does not answer, or the experiment cannot be used.
    """
    project_run = os.environ.get(_PROJECT_RUN)
    if project_run and (tracking_uri or experiment_name):
        raise InvalidArgumentError(
            "--tracking-uri and --experiment-name are mlflow run's to choose here: "
            "set MLFLOW_TRACKING_URI, or give --experiment-name to mlflow run."
        )
    if experiment_name:
        _check_experiment_name(experiment_name)
    if tracking_uri:
        os.environ[_URI] = tracking_uri
    uri = os.environ.get(_URI, "")
    check_reachable(uri)
    with impatient():
        client = _connect(uri)
        if project_run:
            _check_project_run(client, uri, project_run)
        if experiment_name:
            _choose_experiment(client, experiment_name)


def _connect(uri: str) -> Any:
    from mlflow_hpo.tracking.store import connect

    try:
        client = connect()
        client.search_experiments(max_results=1)
    except Exception as error:  # each kind of store has errors of its own
        reason = redacted(brief(error))
        # MLflow words a server's refusal so: "... failed with error code 401 != 200. ..."
        hint = " Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD." if "error code 401" in reason else ""
        raise InvalidArgumentError(
            f"the tracking store {without_credentials(uri)} cannot be used: {reason}{hint}"
        ) from error
    return client


def _check_project_run(client: Any, uri: str, run_id: str) -> None:
    try:
        client.get_run(run_id)
    except Exception as error:
        raise InvalidArgumentError(
            f"{_PROJECT_RUN} names the run {shown(run_id)}, which is not in {without_credentials(uri) or 'the store'}; "
            "unset it, or set MLFLOW_TRACKING_URI to the store that has it."
        ) from error


def _check_experiment_name(name: str) -> None:
    if len(name) > _LONGEST_EXPERIMENT or re.search(r"[\x00-\x1f\x7f]", name):
        raise InvalidArgumentError(
            f"--experiment-name is one line of at most {_LONGEST_EXPERIMENT} characters; got {shown(name)}."
        )


def _choose_experiment(client: Any, name: str) -> None:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage == "deleted":
        raise InvalidArgumentError(
            f"the experiment {name!r} is deleted; choose another name, or restore it: "
            f"mlflow experiments restore --experiment-id {experiment.experiment_id}."
        )
    os.environ[_EXPERIMENT] = name

"""The prepared view of a study's trials: what MLflow's UI shows, in which order, with which columns and charts.

By default the UI hides trials behind their parent and shows neither parameters nor metrics. It keeps views that people
share as tags of the experiment, offers them in a menu, and opens one by its key in the address. A study writes such a
tag for itself. The form is that of MLflow 3.17: an envelope of JSON whose `state` is JSON again, deflated; the UI fills
in what the state leaves out, and adds a chart for each metric of the trials, epoch curves in a section a split.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.links import metric_key, param_key, trials_filter, view_key

# Servers before 3.17 take no longer tags of an experiment.
_LENGTH = 5000
# An experiment's tags are read with each of its pages: the views of older studies go.
_KEPT = 50
_SPACE = "space."
_MEAN, _SPREAD, _SECONDS = "mean_test_", "std_test_", "mean_fit_time"
_SECTION = "All trials"  # the UI sorts sections by name: before those of the splits


def write_view(client: MlflowClient, study: Run, params: Sequence[str], metrics: Iterable[str] = ()) -> None:
    """Write the view of a study's trials, in the place of its last one.

    Parameters
    ----------
    client : MlflowClient
    study : Run
        The study's run.
    params : sequence of str
        What a trial is called by: the axes of the parallel coordinates.
    metrics : iterable of str
        The metrics of a trial, as far as they are known.
    """
    tag = names.VIEW + view_key(study.info.run_id)
    client.set_experiment_tag(study.info.experiment_id, tag, view_value(study, params, metrics))


def drop_old_views(client: MlflowClient, experiment_id: str) -> None:
    """Delete the views of the oldest studies of an experiment."""
    views = _our_views(client, experiment_id)
    for old in sorted(views, key=lambda name: views[name])[: max(0, len(views) - _KEPT)]:
        _delete(client, experiment_id, old)


def delete_view(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    """Delete the view of a study that has no trials any more."""
    _delete(client, experiment_id, names.VIEW + view_key(run_id))


def view_value(study: Run, params: Sequence[str], metrics: Iterable[str]) -> str:
    """Return the value of the tag that holds a study's view; of too many parameters it shows the first ones."""
    columns = [name.removeprefix(_SPACE) for name in study.data.params if name.startswith(_SPACE)] or list(params)
    value = _envelope(study, _state(study, params, columns, list(metrics)))
    while len(value) > _LENGTH and columns:
        params, columns = params[: len(params) // 2], columns[: len(columns) // 2]
        value = _envelope(study, _state(study, params, columns, []))
    return value


def _envelope(study: Run, state: Mapping[str, Any]) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)).decode()
    name = names.cut(study.info.run_name, 100)
    return json.dumps(
        {"name": name, "createdAt": study.info.start_time, "updatedAt": now_ms(), "state": f"deflate;{packed}"}
    )


def _state(study: Run, params: Sequence[str], columns: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    tags = study.data.tags
    metric = tags.get(names.METRIC) or "mean_test_score"
    shown = [metric, metric.replace(_MEAN, _SPREAD), *(name for name in metrics if name.startswith(_MEAN)), _SECONDS]
    state: dict[str, Any] = {
        "searchFilter": trials_filter(study.info.run_id),
        "orderByKey": metric_key(metric),
        "orderByAsc": tags.get(names.DIRECTION) == "False",
        "selectedColumns": [*map(metric_key, dict.fromkeys(shown)), *map(param_key, columns)],
        "runsHiddenMode": "SHOW_ALL",
    }
    if params:
        state["compareRunSections"] = [_item(uuid="trials", name=_SECTION, display=True, columns=1)]
        state["compareRunCharts"] = [_parallel_coordinates(params, metric)]
    return state


def _parallel_coordinates(params: Sequence[str], metric: str) -> dict[str, Any]:
    return _item(
        uuid="parallel",
        type="PARALLEL",
        metricSectionId="trials",
        selectedParams=list(params),
        selectedMetrics=[metric],
        showAllRuns=True,
    )


def _item(**fields: Any) -> dict[str, Any]:
    return {**fields, "deleted": False, "isGenerated": False, "isReordered": False}


def _our_views(client: MlflowClient, experiment_id: str) -> dict[str, int]:
    """Return when each of our views in an experiment was written, by its tag; of those that cannot be read, 0."""
    tags = client.get_experiment(experiment_id).tags
    return {name: _written_ms(value) for name, value in tags.items() if name.startswith(names.VIEW + names.OUR_VIEWS)}


def _written_ms(value: str) -> int:
    try:
        return int(json.loads(value)["updatedAt"])
    except (ValueError, KeyError, TypeError):
        return 0


def _delete(client: MlflowClient, experiment_id: str, tag: str) -> None:
    try:
        client.delete_experiment_tag(experiment_id, tag)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # another study has deleted it, or somebody in the UI
            raise

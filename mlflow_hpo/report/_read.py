"""What a report tells of, read from MLflow: the study's run, its trials, curves, tracebacks, registered versions."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow_hpo.core.clock import now_ms
from mlflow_hpo.report._facts import Curve, RegisteredVersion, StudyFacts, TrialFacts
from mlflow_hpo.report._values import finite
from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.candidate import STUDY_RUN
from mlflow_hpo.tracking.read import children_of, model_ids, read_study_run
from mlflow_hpo.tracking.store import connect

_logger = logging.getLogger(__name__)

_MOST_CURVES = 48
_MOST_VERSIONS = 20
_MOST_POINTS = 300
_CURVE = re.compile(r"(?:(?P<refit>refit)/|split(?P<fold>\d+)/)?(?:fit(?P<fit>\d+)/)?(?P<val>val_)?(?P<name>.+)")
_NO_CURVE = re.compile(r"(mean|std)_|split\d+_|best_|system/")


def read_study(run_id: str, tracking_uri: str | None = None) -> StudyFacts:
    """Return a study with all its trials.

    Parameters
    ----------
    run_id : str
        The study's run.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Raises
    ------
    NotFoundError
        There is no such run, or it is not a study's.
    """
    run = read_study_run(run_id, tracking_uri)
    client = connect(tracking_uri)
    tags = dict(run.data.tags)
    metric = names.key(tags[names.METRIC]) if names.METRIC in tags else None
    children = _last_attempts(children_of(client, run.info.experiment_id, run_id))
    trials = sorted((_trial(child, metric) for child in children), key=lambda trial: trial.number)
    greater_is_better = tags.get(names.DIRECTION, "True") == "True"
    best = _best(trials, tags.get(names.BEST_TRIAL), greater_is_better)
    best_run = next((child for child in children if best and child.info.run_id == best.run_id), None)
    return StudyFacts(
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        name=run.info.run_name or run.info.run_id,
        status=run.info.status,
        tracking_uri=client.tracking_uri,
        tags=tags,
        params=dict(run.data.params),
        metric=metric,
        greater_is_better=greater_is_better,
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        read_ms=now_ms(),
        trials=trials,
        best=best,
        model_id=_model_id(run, best_run),
    )


def read_curves(study: StudyFacts) -> list[Curve]:
    """Return the learning curves of the best trial, and those of its refit."""
    if study.best is None:
        return []
    client = connect(study.tracking_uri)
    refit = client.get_run(study.run_id).data.metrics
    keys = [(study.best.run_id, key) for key in _curve_keys(study.best.metrics, study.metric)]
    keys += [(study.run_id, key) for key in sorted(refit) if key.startswith("refit/")]
    curves = (_curve(client, run_id, key) for run_id, key in keys[:_MOST_CURVES])
    return [curve for curve in curves if curve is not None]


def read_traceback(study: StudyFacts, trial: TrialFacts) -> str | None:
    """Return a trial's traceback, or None where it kept none."""
    with tempfile.TemporaryDirectory(prefix="mlflow_hpo-") as folder:
        try:
            path = connect(study.tracking_uri).download_artifacts(trial.run_id, "traceback.txt", folder)
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except Exception:  # each kind of artifact store has errors of its own
            _logger.debug("No traceback of trial %d", trial.number, exc_info=True)
            return None


def read_versions(study: StudyFacts) -> list[RegisteredVersion]:
    """Return the registered versions that came out of a study, those with an alias first."""
    client = connect(study.tracking_uri)
    try:
        found = client.search_model_versions(f"tags.`{STUDY_RUN}` = '{study.run_id}'", max_results=_MOST_VERSIONS)
        # What is found by a search has no aliases.
        whole = [client.get_model_version(one.name, str(one.version)) for one in found]
    except Exception:  # a store may have no registry
        _logger.debug("No registry to ask", exc_info=True)
        return []
    versions = [RegisteredVersion(one.name, str(one.version), list(map(str, one.aliases))) for one in whole]
    return sorted(versions, key=lambda one: (not one.aliases, one.name, -int(one.version)))


def read_data(study: StudyFacts) -> str | None:
    """Return the name and digest of the data that a study was run on."""
    inputs = connect(study.tracking_uri).get_run(study.run_id).inputs
    described = [f"{one.dataset.name} ({one.dataset.digest})" for one in (inputs.dataset_inputs if inputs else [])]
    return ", ".join(described) or None


def _last_attempts(runs: Iterable[Any]) -> list[Any]:
    """Return one run a trial: a study that was taken up again has run what was interrupted a second time."""
    latest: dict[int, Any] = {}
    for run in sorted(runs, key=lambda run: (run.info.status == "FINISHED", run.info.start_time)):
        latest[int(run.data.tags[names.TRIAL])] = run
    return list(latest.values())


def _trial(run: Any, metric: str | None) -> TrialFacts:
    return TrialFacts(
        number=int(run.data.tags[names.TRIAL]),
        run_id=run.info.run_id,
        status=run.info.status,
        params=run.data.params,
        metrics=run.data.metrics,
        score=finite(run.data.metrics.get(metric or "")),
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        error=run.data.tags.get(names.ERROR),
    )


def _best(trials: Iterable[TrialFacts], run_id: str | None, greater_is_better: bool) -> TrialFacts | None:
    scored = [trial for trial in trials if trial.is_scored]
    chosen = next((trial for trial in scored if trial.run_id == run_id), None)
    sign = 1.0 if greater_is_better else -1.0
    return chosen or max(scored, key=lambda trial: sign * (trial.score or 0.0), default=None)


def _model_id(*runs: Any) -> str | None:
    for run in runs:
        if run is not None and (models := model_ids(run)):
            return models[-1]
    return None


def _curve_keys(metrics: Mapping[str, float], ranked_by: str | None) -> list[str]:
    """Return the metrics that may be curves, losses first."""
    keys = [key for key in metrics if not _NO_CURVE.match(key) and key != ranked_by]
    return sorted(keys, key=lambda key: (key.rpartition("/")[2].removeprefix("val_") != "loss", key))


def _curve(client: Any, run_id: str, key: str) -> Curve | None:
    match = _CURVE.fullmatch(key)
    history = sorted(client.get_metric_history(run_id, key), key=lambda metric: metric.step)
    by_step = {metric.step: metric.value for metric in history if finite(metric.value) is not None}
    if match is None or len(by_step) < 2:
        return None
    stride = -(-len(by_step) // _MOST_POINTS)
    steps = sorted(by_step)
    steps = steps[:-1:stride] + steps[-1:]
    return Curve(
        metric=match["name"],
        is_validation=match["val"] is not None,
        fold=None if match["fold"] is None else int(match["fold"]),
        fit=int(match["fit"] or 0),
        is_refit=match["refit"] is not None,
        steps=steps,
        values=[by_step[step] for step in steps],
    )

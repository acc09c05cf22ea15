"""The names under which a study is kept: those that MLflow takes, and none that leads out of its folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from mlflow_hpo.core._space_checks import shown
from mlflow_hpo.project.study_file._problems import Problem
from mlflow_hpo.project.study_file.schema import StudySection

MODEL_NAME = "a model's name has no '/', no ':' and no line break, and is more than dots"
ALIAS = "is letters, digits, '-' and '_', and neither latest nor v1, v2, ..."

_TAG_KEY = re.compile(r"[\w\-. :/]{1,250}")
_LONGEST_TAG = 8000


def check_tracking(study: StudySection) -> Iterator[Problem]:
    """Yield what is wrong with the names under which a study is kept."""
    if study.keep_best is not None and study.log_models == "none":
        yield Problem(("keep_best",), "keeps models, and log_models: none keeps none; remove one of them.")
    if study.scheduler is not None and study.backend != "dask":
        yield Problem(("scheduler",), "is the address of a Dask scheduler: it needs backend: dask.")
    if study.isolation is not None and study.backend == "threading":
        yield Problem(("isolation",), "needs processes, and backend: threading has none; remove one of them.")
    if study.n_threads is not None and study.backend == "loky" and study.isolation is None:
        yield Problem(("n_threads",), "is not for joblib's workers; remove backend: loky, or add isolation: process.")
    if study.trial_seconds is not None and study.isolation is None and study.backend != "dask":
        yield Problem(
            ("trial_seconds",),
            "needs isolation: process (or backend: dask); only a process can be stopped within a fit.",
        )
    if study.register_as is not None and not is_model_name(study.register_as):
        yield Problem(("register_as",), f"{MODEL_NAME}; got {shown(study.register_as)}.")
    if not is_alias(study.alias):
        yield Problem(("alias",), f"{ALIAS}; got {shown(study.alias)}.")
    for key, value in study.tags.items():
        yield from _check_tag(key, value)


def _check_tag(key: str, value: str) -> Iterator[Problem]:
    if not _TAG_KEY.fullmatch(key) or not _stays_inside(key):
        yield Problem(
            ("tags", key),
            "a tag's name has letters, digits and '_-. :/' only, at most 250, and reads as no way out of a folder.",
        )
    if key.startswith(("mlflow.", "mlflow_hpo.")):
        yield Problem(("tags", key), "names that begin with mlflow. or mlflow_hpo. are taken; choose another.")
    if len(value) > _LONGEST_TAG:
        yield Problem(("tags", key), f"is {len(value):,} characters long; MLflow keeps {_LONGEST_TAG:,}.")


def is_model_name(name: str) -> bool:
    """Return whether MLflow takes a name for a registered model; it is a folder's name in some stores."""
    return not re.search(r"[/:\x00-\x1f\x7f]", name) and _stays_inside(name)


def is_alias(name: str) -> bool:
    """Return whether MLflow takes a name for the alias of a model's version."""
    return bool(re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name)) and not re.fullmatch(r"v\d+|latest", name.lower())


def _stays_inside(name: str) -> bool:
    # MLflow refuses such keys too, but only when the study has begun.
    return posixpath.normpath(name) == name and not re.match(r"\.$|\.\.|/", name)

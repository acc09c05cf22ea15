"""`Tracking`: how a search is tracked. Plain data that scikit-learn can clone, pickle and print."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from mlflow_hpo.core.errors import InvalidArgumentError, did_you_mean

LogModels = Literal["best_fold", "all_folds", "none"]
NanLoss = Literal["fail", "ignore"]
Isolation = Literal["process"]
Backend = Literal["threading", "loky", "dask"]
Progress = Literal["auto", "live", "lines", "none"]


@dataclass(frozen=True)
class Tracking:
    """How a search is tracked in MLflow.

    Parameters
    ----------
    study : str or None
        Name of the study; the study's run is called so. A study with a name can be resumed: start it again.
    register_as : str or None
        Registered model under which the best model becomes a new version. None registers nothing.
    alias : str
        Alias that the new version gets, if its score beats the score of the version that has it.
    log_models : {"best_fold", "all_folds", "none"}
        Which fitted models of a trial are kept: that of its best-scoring fold, of each fold, or none.
    keep_best : int or None
        Keep the models of the k best trials only; models (and their files) of trials that fall out are deleted.
    resume : bool
        Whether a study with a name goes on where an earlier start of it ended: trials and folds that are in MLflow
        are not trained again. A study without a name always starts afresh.
    isolation : "process" or None
        Where trials run: "process" has worker processes of its own, as many as the search's `n_jobs`, and none of a
        trial's crashes, be it out of memory, ends the study. None runs them where scikit-learn would.
    backend : {"threading", "loky", "dask"} or None
        Whose workers train: "threading" is threads of this process, which share its compiled graphs; "loky" is joblib's
        processes on this machine; "dask" is a Dask cluster, where a crash costs one fold as with `isolation="process"`,
        and all its workers train, whatever `n_jobs` is (`GPSearchCV` proposes for several with `n_jobs` above 1). None
        leaves the choice to joblib's `parallel_config`, where "dask" means the same. Where nothing is chosen there,
        Keras models of this package with `reuse` train in threads, which begin at once, and in worker processes too if
        the study is going to be long; all else trains where scikit-learn would train it.
    n_threads : int or None
        How many threads each operation of TensorFlow uses in a trial; results depend on it in their last digits. It is
        settled for a whole process when TensorFlow is first used. None leaves it as it is; worker processes of
        `isolation="process"` take their share of the cores then. The study's run has it as a tag.
    scheduler : str or None
        With `backend="dask"`, the address of the cluster's scheduler, such as "tcp://10.0.0.1:8786". None takes the
        cluster that this process has a `distributed.Client` of, else the one in Dask's configuration, else starts one
        of `n_jobs` workers on this machine, which ends with the search.
    trial_seconds : float or None
        How long the folds of a trial may run, all together; then the trial is FAILED and its folds have `error_score`.
        Only with `isolation="process"` or `backend="dask"`: nothing else can be stopped.
    nan_loss : {"fail", "ignore"}
        What becomes of a fold whose loss is NaN or infinite after an epoch: it fails there, as with an exception, and
        its trial with it; or it is trained to its end and scored, as scikit-learn alone would do.
    progress : {"auto", "live", "lines", "none"}
        What is shown while the study runs, and at its end: a display that is renewed in its place, on a terminal or in
        a notebook; a line for each trial; or nothing. "auto" is "live" where that can be, and else "none"; it is "none"
        too where scikit-learn itself prints a line a fold (`verbose=2`).
    max_seconds : float or None
        Time budget: no trial begins when so many seconds have passed since the first began; those that have begun
        are finished. Candidates that are not run have NaN scores in `cv_results_`, and no run.
    patience : int or None
        The study ends early when so many trials, one after the other, were no better than the best before them.
    warm_start_from : str or None
        Name or run id of another study of the same experiment. What its trials have found is not trained again where
        candidate and all that decides its result are the same; Gaussian processes know its trials from the start.
    report : bool
        Whether the study's run has a report, `report.html`, and its plots: renewed every five minutes at most, and made
        a last time when the study has ended, by a process of its own. `MLFLOW_HPO_REPORT=false` switches all
        of them off.
    tags : mapping of str to str or None
        Tags of the study's run.

    Raises
    ------
    InvalidArgumentError
        A value is not allowed.

    Examples
    --------
    >>> Tracking(study="digits", register_as="digits").alias
    'champion'
    """

    study: str | None = None
    register_as: str | None = None
    alias: str = "champion"
    log_models: LogModels = "best_fold"
    keep_best: int | None = None
    resume: bool = True
    isolation: Isolation | None = None
    backend: Backend | None = None
    n_threads: int | None = None
    scheduler: str | None = None
    trial_seconds: float | None = None
    nan_loss: NanLoss = "fail"
    progress: Progress = "auto"
    max_seconds: float | None = None
    patience: int | None = None
    warm_start_from: str | None = None
    report: bool = True
    tags: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        _check_choice("log_models", self.log_models, get_args(LogModels))
        _check_choice("nan_loss", self.nan_loss, get_args(NanLoss))
        _check_choice("progress", self.progress, get_args(Progress))
        _check_count("keep_best", self.keep_best)
        _check_count("patience", self.patience)
        _check_seconds("max_seconds", self.max_seconds)
        _check_backend(self)
        _check_isolation(self)
        _check_threads(self)
        _check_names(self)


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        hint = did_you_mean(str(value), allowed)
        raise InvalidArgumentError(f"Tracking({name}=...) is one of {', '.join(allowed)}; got {value!r}.{hint}")


def _check_count(name: str, value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InvalidArgumentError(f"Tracking({name}=...) is None or a whole number of at least 1; got {value!r}.")


def _check_seconds(name: str, value: object) -> None:
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf
    ):
        raise InvalidArgumentError(f"Tracking({name}=...) is None or a number of seconds above 0; got {value!r}.")


def _check_backend(tracking: Tracking) -> None:
    if tracking.backend is not None:
        _check_choice("backend", tracking.backend, get_args(Backend))
    if tracking.scheduler is None:
        return
    if not isinstance(tracking.scheduler, str) or not tracking.scheduler.strip():
        raise InvalidArgumentError(
            f"Tracking(scheduler=...) is None or an address such as 'tcp://10.0.0.1:8786'; got {tracking.scheduler!r}."
        )
    if tracking.backend != "dask":
        raise InvalidArgumentError("Tracking(scheduler=...) is a Dask scheduler's address: it needs backend='dask'.")


def _check_threads(tracking: Tracking) -> None:
    _check_count("n_threads", tracking.n_threads)
    if tracking.n_threads is not None and tracking.backend == "loky" and tracking.isolation is None:
        raise InvalidArgumentError(
            "Tracking(n_threads=...) is not for joblib's own workers: use joblib.parallel_config(backend='loky', "
            "inner_max_num_threads=...), or isolation='process'."
        )


def _check_isolation(tracking: Tracking) -> None:
    if tracking.isolation is not None and tracking.isolation not in get_args(Isolation):
        hint = did_you_mean(str(tracking.isolation), get_args(Isolation))
        raise InvalidArgumentError(f"Tracking(isolation=...) is None or 'process'; got {tracking.isolation!r}.{hint}")
    if tracking.isolation is not None and tracking.backend == "threading":
        raise InvalidArgumentError("Tracking(isolation='process') needs processes, and backend='threading' has none.")
    _check_seconds("trial_seconds", tracking.trial_seconds)
    if tracking.trial_seconds is not None and tracking.isolation is None and tracking.backend != "dask":
        raise InvalidArgumentError(
            "Tracking(trial_seconds=...) needs isolation='process' (or backend='dask'): only a process can be stopped "
            "within a fit."
        )


def _check_names(tracking: Tracking) -> None:
    for name in ("study", "register_as", "alias", "warm_start_from"):
        value = getattr(tracking, name)
        optional = name != "alias"
        if not (optional and value is None) and not (isinstance(value, str) and value.strip()):
            allowed = "None or a non-empty name" if optional else "a non-empty name"
            raise InvalidArgumentError(f"Tracking({name}=...) is {allowed}; got {value!r}.")

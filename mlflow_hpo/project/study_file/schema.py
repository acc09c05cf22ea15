"""What a study file may hold: the shape of each section. What keys mean together is checked in `_meaning`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StrictBool, StrictStr

from mlflow_hpo.core.config import Isolation, LogModels, NanLoss

Strategy = Literal["grid", "random", "bayes"]
Task = Literal["classification", "regression"]
Splitter = Literal["auto", "kfold", "stratified", "group", "stratified_group", "time_series"]

# A search lists its candidates before it begins.
MOST_TRIALS = 100_000

Whole = Annotated[int, Strict()]
AtLeastOne = Annotated[int, Strict(), Field(ge=1, le=10**9)]
Number = Annotated[float, Strict()]
Seconds = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Name = Annotated[str, Strict(), Field(min_length=1, max_length=250, pattern=r"^\P{Cc}*[^\p{Cc}\s]\P{Cc}*$")]
Scalar = str | Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[float, Strict()] | None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[Name], BeforeValidator(_as_list), Field(min_length=1)]


class Section(BaseModel):
    """A mapping in the study file that takes its own keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(Section):
    """Where the samples come from: exactly one of the first five."""

    csv: Name | None = Field(None, description="a CSV file with a header")
    parquet: Name | None = Field(None, description="a Parquet file")
    npz: Name | None = Field(None, description="a NumPy archive (.npz)")
    loader: Name | None = Field(None, description="a function, as file.py:function, that returns X, y (and groups)")
    sklearn: Name | None = Field(None, description="a data set that scikit-learn brings along")
    target: Name | None = Field(None, description="the column (or array) to predict")
    features: Names | None = Field(None, description="the columns (or the one array) to predict from")
    drop: Names | None = Field(None, description="columns to leave out")
    separator: Annotated[str, Strict(), Field(min_length=1, max_length=1)] | None = Field(
        None, description="what separates a CSV file's columns"
    )
    args: dict[str, Scalar] | None = Field(None, description="arguments of the loader function")


class ParameterSection(Section):
    """One hyperparameter: exactly one of the first five says of which kind."""

    real: list[Number] | None = Field(None, description="two bounds, as [low, high]")
    integer: list[Whole] | None = Field(None, description="two bounds, as [low, high]")
    categories: list[Any] | None = Field(None, description="the choices")
    fixed: Any = Field(None, description="one value for all trials")
    distribution: Name | None = Field(None, description="a distribution of scipy.stats")
    prior: StrictStr | None = Field(None, description="uniform or log")
    grid: list[Any] | None = Field(None, description="the values that a grid search tries")
    steps: Whole | None = Field(None, description="how many values a grid search tries")
    args: list[Finite] | dict[str, Finite] | None = Field(None, description="arguments of the distribution")


class CVSection(Section):
    """How the samples are split: into folds, or once."""

    folds: Annotated[int, Strict(), Field(ge=2, le=10**6)] | None = None
    holdout: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = None
    splitter: Splitter = "auto"
    shuffle: StrictBool = True
    groups: Name | None = None


class EarlyStoppingSection(Section):
    """Arguments of Keras's EarlyStopping."""

    monitor: Name = "val_loss"
    min_delta: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = 0.0
    patience: Annotated[int, Strict(), Field(ge=0)] = 0
    mode: Literal["auto", "min", "max"] = "auto"
    baseline: Finite | None = None
    restore_best_weights: StrictBool = False
    start_from_epoch: Annotated[int, Strict(), Field(ge=0)] = 0


class ReduceLROnPlateauSection(Section):
    """Arguments of Keras's ReduceLROnPlateau."""

    monitor: Name = "val_loss"
    factor: Annotated[float, Strict(), Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Strict(), Field(ge=0)] = 10
    mode: Literal["auto", "min", "max"] = "auto"
    min_delta: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = 0.0001
    cooldown: Annotated[int, Strict(), Field(ge=0)] = 0
    min_lr: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = 0.0


class CallbacksSection(Section):
    """Keras callbacks of each fit."""

    early_stopping: EarlyStoppingSection | None = None
    reduce_lr_on_plateau: ReduceLROnPlateauSection | None = None
    custom: Names | None = Field(None, description="functions, as file.py:function, that return a callback each")


class FitSection(Section):
    """How a network is trained; each is set on the estimator, and on the network inside of a pipeline."""

    epochs: AtLeastOne | None = None
    batch_size: AtLeastOne | None = None
    validation_split: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = None
    class_weight: Literal["balanced"] | None = None
    callbacks: CallbacksSection | None = None


class StudySection(Section):
    """A whole study file."""

    name: Name | None = Field(None, description="of the study")
    model: Name | None = Field(None, description="a function, as file.py:function, that returns a Keras model")
    estimator: Name | None = Field(None, description="a function, as file.py:function, that returns an estimator")
    data: DataSection = Field(description="where the samples come from, such as {csv: data.csv, target: price}")
    task: Task = Field(description="classification or regression")
    space: Annotated[dict[Name, ParameterSection], Field(min_length=1)] = Field(
        description="the hyperparameters, such as learning_rate: {real: [0.0001, 0.1], prior: log}"
    )
    strategy: Strategy = "random"
    trials: Annotated[int, Strict(), Field(ge=1, le=MOST_TRIALS)] | None = Field(
        None, description="how many candidates random and bayes try"
    )
    initial_points: AtLeastOne | None = Field(None, description="how many random candidates bayes begins with")
    cv: CVSection = CVSection()
    scoring: Names | None = None
    decide_by: Name | None = Field(None, description="the scoring that says which trial is best")
    fit: FitSection = FitSection()
    seed: Annotated[int, Strict(), Field(ge=0, lt=2**32)] | None = 0
    n_jobs: Annotated[int, Strict(), Field(ge=-(10**4), le=10**4)] | None = None
    log_models: LogModels = "best_fold"
    keep_best: AtLeastOne | None = None
    register_as: Name | None = None
    alias: Name = "champion"
    resume: StrictBool = True
    warm_start_from: Name | None = Field(None, description="another study of the experiment to start from")
    max_seconds: Seconds | None = Field(None, description="no trial begins after so many seconds")
    patience: AtLeastOne | None = Field(None, description="the study ends after so many trials without a better one")
    isolation: Isolation | None = Field(None, description="process: train in worker processes that may crash")
    trial_seconds: Seconds | None = Field(None, description="how long a trial may take (with isolation: process)")
    nan_loss: NanLoss = Field("fail", description="what becomes of a fold whose loss is NaN or infinite")
    report: StrictBool = Field(True, description="whether the study's run has a report.html")
    tags: dict[Name, StrictStr] = Field(default_factory=dict)

"""What a study file may hold: the shape of each section. What keys mean together is checked in `_meaning`.

The descriptions and examples are what editors show: `json_schema` makes the published schema of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StrictBool, StrictStr, WithJsonSchema
from pydantic.config import JsonDict

from mlflow_hpo.core._space_checks import Prior
from mlflow_hpo.core.config import Backend, Isolation, LogModels, NanLoss, Progress

Strategy = Literal["grid", "random", "bayes"]
Task = Literal["classification", "regression"]
Mode = Literal["auto", "min", "max"]
Splitter = Literal["auto", "kfold", "stratified", "group", "stratified_group", "time_series"]

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")  # scikit-learn's data sets

# A search lists its candidates before it begins.
MOST_TRIALS = 100_000

Whole = Annotated[int, Strict()]
AtLeastOne = Annotated[int, Strict(), Field(ge=1, le=10**9)]
Number = Annotated[float, Strict()]
Seconds = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
# No control characters, and not blank; written so that Rust's, Python's and JavaScript's engines read the same.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
Name = Annotated[str, Strict(), Field(min_length=1, max_length=250, pattern=_LINE)]
# `_meaning` words what is no reference, and `core` what is no prior; editors mark both.
Reference = Annotated[Name, WithJsonSchema({"type": "string", "pattern": r"^.+:[^:\s]+$"})]
PriorName = Annotated[StrictStr, WithJsonSchema({"enum": list(get_args(Prior))})]
Scalar = str | Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[float, Strict()] | None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Several = Annotated[list[Name], Field(min_length=1)]
Names = Annotated[_Several, BeforeValidator(_as_list, json_schema_input_type=Name | _Several)]
_TWO: JsonDict = {"minItems": 2, "maxItems": 2}  # `core` words it
_SCORINGS = ["accuracy", "f1_macro", "neg_log_loss", "r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"]


class Section(BaseModel):
    """A mapping in the study file that takes its own keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(Section):
    """Where the samples come from: exactly one of the first five."""

    csv: Name | None = Field(None, description="a CSV file with a header", examples=["data.csv"])
    parquet: Name | None = Field(None, description="a Parquet file", examples=["data.parquet"])
    npz: Name | None = Field(None, description="a NumPy archive (.npz)", examples=["data.npz"])
    loader: Reference | None = Field(
        None,
        description="a function, as file.py:function, that returns X, y (and groups)",
        examples=["model.py:load_data"],
    )
    sklearn: Name | None = Field(None, description="a data set that scikit-learn brings along", examples=list(BUNDLED))
    target: Name | None = Field(None, description="the column (or array) to predict")
    features: Names | None = Field(None, description="the columns (or the one array) to predict from")
    drop: Names | None = Field(None, description="columns to leave out")
    separator: Annotated[str, Strict(), Field(min_length=1, max_length=1)] | None = Field(
        None, description="what separates a CSV file's columns", examples=[";"]
    )
    args: dict[str, Scalar] | None = Field(None, description="arguments of the loader function")


class ParameterSection(Section):
    """One hyperparameter: exactly one of the first five says of which kind."""

    real: list[Number] | None = Field(
        None, description="two bounds, as [low, high]", examples=[[0.0001, 0.1]], json_schema_extra=_TWO
    )
    integer: list[Whole] | None = Field(
        None, description="two bounds, as [low, high]", examples=[[16, 128]], json_schema_extra=_TWO
    )
    categories: list[Any] | None = Field(None, description="the choices", examples=[["relu", "tanh"]])
    fixed: Any = Field(None, description="one value for all trials")
    distribution: Name | None = Field(
        None, description="a distribution of scipy.stats", examples=["uniform", "loguniform", "randint", "norm"]
    )
    prior: PriorName | None = Field(None, description="uniform or log")
    grid: list[Any] | None = Field(None, description="the values that a grid search tries")
    steps: Whole | None = Field(None, description="how many values a grid search tries")
    args: list[Finite] | dict[str, Finite] | None = Field(None, description="arguments of the distribution")


class CVSection(Section):
    """How the samples are split: into folds, or once."""

    folds: Annotated[int, Strict(), Field(ge=2, le=10**6)] | None = Field(
        None, description="how many folds of cross-validation", examples=[3, 5]
    )
    holdout: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = Field(
        None, description="the share of the samples that scores each trial, in place of folds", examples=[0.2]
    )
    splitter: Splitter = Field("auto", description="how samples are dealt out; auto keeps classes and groups in mind")
    shuffle: StrictBool = Field(True, description="whether samples are shuffled first")
    groups: Name | None = Field(None, description="a column; rows of one group stay together")


class EarlyStoppingSection(Section):
    """Arguments of Keras's EarlyStopping."""

    monitor: Name = Field("val_loss", description="what is watched; val_... needs validation_split")
    min_delta: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="what counts as an improvement"
    )
    patience: Annotated[int, Strict(), Field(ge=0)] = Field(0, description="epochs without improvement before it stops")
    mode: Mode = Field("auto", description="whether less or more is better")
    baseline: Finite | None = Field(None, description="a value to beat")
    restore_best_weights: StrictBool = Field(False, description="whether the best epoch's weights are kept")
    start_from_epoch: Annotated[int, Strict(), Field(ge=0)] = Field(0, description="epochs before it watches")


class ReduceLROnPlateauSection(Section):
    """Arguments of Keras's ReduceLROnPlateau."""

    monitor: Name = Field("val_loss", description="what is watched; val_... needs validation_split")
    factor: Annotated[float, Strict(), Field(gt=0, lt=1)] = Field(
        0.1, description="what the learning rate is multiplied by"
    )
    patience: Annotated[int, Strict(), Field(ge=0)] = Field(10, description="epochs without improvement before it acts")
    mode: Mode = Field("auto", description="whether less or more is better")
    min_delta: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = Field(
        0.0001, description="what counts as an improvement"
    )
    cooldown: Annotated[int, Strict(), Field(ge=0)] = Field(0, description="epochs before it watches again")
    min_lr: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="the least learning rate"
    )


class CallbacksSection(Section):
    """Keras callbacks of each fit."""

    early_stopping: EarlyStoppingSection | None = Field(
        None,
        description="ends a fit that no longer improves",
        examples=[{"monitor": "val_loss", "patience": 3, "restore_best_weights": True}],
    )
    reduce_lr_on_plateau: ReduceLROnPlateauSection | None = Field(
        None, description="lowers the learning rate of a fit that no longer improves", examples=[{"patience": 3}]
    )
    custom: Names | None = Field(
        None,
        description="functions, as file.py:function, that return a callback each",
        examples=["model.py:make_callback"],
    )


class FitSection(Section):
    """How a network is trained; each is set on the estimator, and on the network inside of a pipeline."""

    epochs: AtLeastOne | None = Field(None, description="how many epochs each network is trained", examples=[10])
    batch_size: AtLeastOne | None = Field(None, description="samples in each training step", examples=[32])
    validation_split: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = Field(
        None, description="the share of a fold's training samples that callbacks watch", examples=[0.1]
    )
    class_weight: Literal["balanced"] | None = Field(None, description="balanced: rare classes weigh more")
    callbacks: CallbacksSection | None = Field(None, description="Keras callbacks of each fit")


class StudySection(Section):
    """A study file of mlflow_hpo."""

    name: Name | None = Field(None, description="of the study; one with a name goes on where it ended")
    model: Reference | None = Field(
        None,
        description="a function, as file.py:function, that returns a Keras model",
        examples=["model.py:create_model"],
    )
    estimator: Reference | None = Field(
        None,
        description="a function, as file.py:function, that returns an estimator",
        examples=["model.py:build_pipeline"],
    )
    data: DataSection = Field(
        description="where the samples come from, such as {csv: data.csv, target: price}",
        examples=[{"csv": "data.csv", "target": "price"}, {"sklearn": "digits"}],
    )
    task: Task = Field(description="classification or regression")
    space: Annotated[dict[Name, ParameterSection], Field(min_length=1)] = Field(
        description="the hyperparameters, such as learning_rate: {real: [0.0001, 0.1], prior: log}",
        examples=[{"learning_rate": {"real": [0.0001, 0.1], "prior": "log"}}],
    )
    strategy: Strategy = Field("random", description="how candidates are chosen")
    trials: Annotated[int, Strict(), Field(ge=1, le=MOST_TRIALS)] | None = Field(
        None, description="how many candidates random and bayes try", examples=[20]
    )
    initial_points: AtLeastOne | None = Field(None, description="how many random candidates bayes begins with")
    cv: CVSection = Field(
        CVSection(), description="how the samples are split: into folds, or once", examples=[{"folds": 3}]
    )
    scoring: Names | None = Field(None, description="how trials are scored: scikit-learn's names", examples=_SCORINGS)
    decide_by: Name | None = Field(None, description="the scoring that says which trial is best")
    fit: FitSection = Field(
        FitSection(), description="how a network is trained", examples=[{"epochs": 10, "batch_size": 32}]
    )
    seed: Annotated[int, Strict(), Field(ge=0, lt=2**32)] | None = Field(
        0, description="of splits, candidates and networks"
    )
    n_jobs: Annotated[int, Strict(), Field(ge=-(10**4), le=10**4)] | None = Field(
        None,
        description="how many folds are trained at a time; -1 is as many as there are cores",
        json_schema_extra={"not": {"const": 0}},
    )
    log_models: LogModels = Field("best_fold", description="which fitted models of a trial are kept")
    keep_best: AtLeastOne | None = Field(None, description="keep the models of so many best trials only")
    register_as: Name | None = Field(None, description="registered model that the best becomes a version of")
    alias: Name = Field("champion", description="alias that moves to the new version if it scored better")
    resume: StrictBool = Field(True, description="whether a study with a name goes on where it ended")
    warm_start_from: Name | None = Field(None, description="another study of the experiment to start from")
    max_seconds: Seconds | None = Field(None, description="no trial begins after so many seconds")
    patience: AtLeastOne | None = Field(None, description="the study ends after so many trials without a better one")
    isolation: Isolation | None = Field(None, description="process: train in worker processes that may crash")
    backend: Backend | None = Field(
        None, description="whose workers train: threading or loky (this machine), dask (a cluster)"
    )
    n_threads: AtLeastOne | None = Field(None, description="threads that each TensorFlow operation uses in a trial")
    scheduler: Name | None = Field(None, description="address of the Dask scheduler; without one, a cluster is started")
    trial_seconds: Seconds | None = Field(
        None, description="how long a trial may take (with isolation: process or backend: dask)"
    )
    nan_loss: NanLoss = Field("fail", description="what becomes of a fold whose loss is NaN or infinite")
    report: StrictBool = Field(True, description="whether the study's run has a report.html")
    progress: Progress = Field("auto", description="what is shown while the study runs")
    tags: dict[Name, StrictStr] = Field(default_factory=dict, description="tags of the study's run")

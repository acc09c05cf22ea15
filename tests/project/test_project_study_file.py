from __future__ import annotations

import pytest

from mlflow_hpo.core.errors import StudyFileError
from mlflow_hpo.core.space import Categorical, Distribution, Fixed, Integer, Real
from mlflow_hpo.project.study_file import Override, load_study_file


def test_a_space_of_every_kind(folder):
    study = load_study_file(
        folder.study(
            strategy="random",
            space="{a: {real: [0, 1], steps: 3}, b: {integer: [1, 8], prior: log}, c: {categories: [x, true, ~, 1]}, "
            "d: {fixed: [1, 2]}, e: {distribution: norm, args: [0, 2]}, f: {distribution: uniform, args: {scale: 3}}}",
        )
    )
    assert study.space.parameters == {
        "a": Real(0.0, 1.0, steps=3),
        "b": Integer(1, 8, "log"),
        "c": Categorical(("x", True, None, 1)),
        "d": Fixed([1, 2]),
        "e": Distribution("norm", (0, 2)),
        "f": Distribution("uniform", kwargs={"scale": 3}),
    }


def test_what_is_left_out_has_defaults(folder):
    config = load_study_file(folder.study()).config
    assert config.seed == 0
    assert config.log_models == "best_fold"
    assert config.alias == "champion"
    assert config.resume
    assert config.name is config.register_as is config.keep_best is None


def test_one_scoring_or_several(folder):
    assert load_study_file(folder.study(scoring="accuracy")).config.scoring == ["accuracy"]
    assert load_study_file(folder.study(scoring="[accuracy, f1_macro]", decide_by="f1_macro")).config.scoring == [
        "accuracy",
        "f1_macro",
    ]


def test_overrides_replace_and_make_sections(folder):
    overrides = [Override(("cv", "folds"), 4, "--folds"), Override(("seed",), 7, "--seed")]
    config = load_study_file(folder.study(seed="1"), overrides).config
    assert (config.cv.folds, config.seed) == (4, 7)


def test_a_mistake_on_the_command_line_names_its_option(folder):
    with pytest.raises(StudyFileError, match=r"^--folds: is at least 2; got 1.$"):
        load_study_file(folder.study(), [Override(("cv", "folds"), 1, "--folds")])
    with pytest.raises(StudyFileError, match=r"^--trials: a grid search tries every combination"):
        load_study_file(folder.study(), [Override(("trials",), 3, "--trials")])


def test_trials_of_other_strategies_may_stand_in_a_file_for_a_grid(folder):
    assert load_study_file(folder.study(trials="5")).config.trials == 5


def test_fewer_trials_by_option_than_initial_points_in_the_file(folder):
    text = folder.study(strategy="bayes", trials="20", initial_points="10")
    assert load_study_file(text, [Override(("trials",), 3, "--trials")]).config.trials == 3
    with pytest.raises(StudyFileError, match="initial_points: is at most the number of trials, 5; got 6"):
        load_study_file(folder.study(strategy="bayes", trials="5", initial_points="6"))


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(folder):
    file = folder.write("s.yaml", "task: no\nspace:\n  a: 1\nfold: 2\nseed: x\n")
    with pytest.raises(StudyFileError) as raised:
        load_study_file(file)
    lines = str(raised.value).splitlines()
    found = [line.split("s.yaml, line ")[1].split(":")[:2] for line in lines]
    assert found == [["1", " task"], ["1", " data"], ["3", " space.a"], ["4", " fold"], ["5", " seed"]] or found == [
        ["1", " data"],
        ["1", " task"],
        ["3", " space.a"],
        ["4", " fold"],
        ["5", " seed"],
    ]


MISTAKES = [
    # keys
    ({"trails": "3"}, r"line 7: trails: is no key that is known here. Did you mean 'trials'\? Allowed: name, model"),
    ({"cv": "{fold: 3}"}, r"line 7: cv.fold: is no key .* Did you mean 'folds'\? Allowed: folds, holdout"),
    ({"fit": "{callbacks: {early_stoping: {}}}"}, r"fit.callbacks.early_stoping: .* Did you mean 'early_stopping'"),
    ({"fit": "{callbacks: {early_stopping: {patients: 1}}}"}, r"early_stopping.patients: .* 'patience'"),
    ({"space": "{C: {reel: [0, 1]}}"}, r"space.C.reel: .* Did you mean 'real'"),
    ({"task": ""}, "task: is missing; classification or regression"),
    ({"data": ""}, "data: is missing; where the samples come from"),
    ({"space": ""}, "space: is missing; the hyperparameters"),
    ({"scheduler": "'tcp://10.0.0.1:8786'"}, "scheduler: is the address of a Dask scheduler: it needs backend: dask"),
    ({"isolation": "process", "backend": "threading"}, "isolation: needs processes, and backend: threading has none"),
    ({"n_threads": "1", "backend": "loky"}, "n_threads: is not for joblib's workers"),
    ({"n_threads": "0"}, "n_threads: "),
    ({"trial_seconds": "60"}, "trial_seconds: needs isolation: process \\(or backend: dask\\)"),
    # types
    ({"trials": "'3'"}, "trials: is a whole number; got '3'"),
    ({"trials": "2.5"}, "trials: is a whole number; got 2.5"),
    ({"trials": "true"}, "trials: is a whole number; got True"),
    ({"trials": "0"}, "trials: is at least 1; got 0"),
    ({"trials": "1e6"}, "trials: is a whole number"),
    ({"trials": "1000000"}, "trials: is at most 100000"),
    ({"seed": "-1"}, "seed: is at least 0; got -1"),
    ({"resume": "yes"}, "resume: is true or false; got 'yes'"),
    ({"name": "5"}, "name: is text; numbers and dates meant as text need quotes; got 5"),
    ({"name": "''"}, "name: is empty text"),
    ({"name": "'  '"}, "name: is empty text"),
    ({"name": "x" * 300}, "name: is text of at most 250 characters; got 'x"),
    ({"cv": "3"}, "cv: is a mapping of keys to values; got 3"),
    ({"data": "iris"}, "data: is a mapping of keys to values; got 'iris'"),
    ({"scoring": "[]"}, "scoring: is empty; name at least one"),
    ({"space": "{}"}, "space: is empty; name at least one"),
    ({"strategy": "gird"}, r"strategy: is one of grid, random, bayes; got 'gird'. Did you mean 'grid'\?"),
    ({"log_models": "all"}, r"log_models: is one of best_fold, all_folds, none; got 'all'"),
    ({"fit": "{validation_split: 1.5}"}, "fit.validation_split: is less than 1.0; got 1.5"),
    ({"n_jobs": "0"}, "n_jobs: is 0; give the number of jobs, or -1"),
    # space
    ({"space": "{C: [0.1, 0.5]}"}, r"space.C: say of which kind it is: \{categories: .*got \[0.1, 0.5\]"),
    ({"space": "{C: 3}"}, r"space.C: say of which kind it is"),
    ({"space": "{C: {}}"}, "space.C: give exactly one of real, integer, categories, fixed, distribution"),
    ({"space": "{C: {real: [0, 1], integer: [0, 1]}}"}, "exactly one of .*; here are real and integer"),
    ({"space": "{C: {real: [1, 0]}}"}, r"space.C: the bounds are reversed: 1.0 is above 0.0; write \[0.0, 1.0\]"),
    ({"space": "{C: {real: [1, 1]}}"}, "both bounds are 1.0"),
    ({"space": "{C: {real: [0, 1, 2]}}"}, "a range has two bounds, as .*; got 3 values"),
    ({"space": "{C: {real: }}"}, "a range has two bounds"),
    ({"space": "{C: {real: [0, 1], prior: log}}"}, "a log prior needs bounds above zero; the lower one is 0.0"),
    ({"space": "{C: {real: [1, 2], prior: lgo}}"}, "prior is one of uniform, log; got 'lgo'. Did you mean 'log'"),
    ({"space": "{C: {real: [.nan, 1]}}"}, "bounds are finite numbers; got nan"),
    ({"space": "{C: {integer: [1.5, 3]}}"}, "space.C.integer.0: is a whole number; got 1.5"),
    ({"space": "{C: {categories: []}}"}, "categories are an empty list"),
    ({"space": "{C: {categories: [[1, 2], [3]]}}"}, r"a category is a single value .* got \[1, 2\]"),
    ({"space": "{C: {categories: [a, a]}}"}, "categories hold 'a' twice"),
    ({"space": "{C: {categories: [a], grid: [a]}}"}, "grid has no meaning beside categories"),
    ({"space": "{C: {fixed: 1}}"}, "space: the search space is empty"),
    ({"space": "{C: {real: [0, 1]}}"}, r"a grid search cannot try a continuous range; add the values"),
    ({"space": "{C: {integer: [0, 9]}}"}, r"a grid search cannot try a range of integers; add the values"),
    ({"space": "{C: {distribution: norm}}"}, "a grid search cannot try a distribution"),
    ({"space": "{C: {distribution: nrom}}"}, "scipy.stats has no distribution 'nrom'. Did you mean 'norm'"),
    (
        {"space": "{C: {distribution: norm}}", "strategy": "bayes"},
        "a Bayesian search cannot model a scipy distribution",
    ),
    ({"space": "{C: {real: [0, 1], steps: 999}, D: {real: [0, 1], steps: 999}}"}, "is a grid of 998,001 combinations"),
    # what is trained
    ({"model": "m.py:f"}, "give either model .* or estimator"),
    ({"estimator": ""}, "line 1: give either model .* such as model: model.py:create_model"),
    ({"estimator": "model.py"}, "estimator: names a function as file.py:function or package.module:function"),
    # data
    ({"data": "{}"}, "data: give exactly one of csv, parquet, npz, loader, sklearn"),
    ({"data": "{csv: a.csv, npz: b.npz, target: y}"}, "data: give exactly one of .*; here are csv and npz"),
    ({"data": "{csv: a.csv}"}, "data: target is missing: name the column to predict"),
    ({"data": "{npz: a.npz}"}, "data: target is missing: name the array to predict"),
    ({"data": "{sklearn: iris, target: y}"}, "data.target: has no meaning beside sklearn, which takes nothing else"),
    ({"data": "{csv: a.csv, target: y, features: [a], drop: [b]}"}, "data.drop: name the features or what to drop"),
    ({"data": "{loader: model.py}"}, "data.loader: names a function as file.py:function"),
    # splits
    ({"cv": "{folds: 3, holdout: 0.2}"}, "cv.folds: give folds or holdout, not both"),
    ({"cv": "{folds: 1}"}, "cv.folds: is at least 2; got 1"),
    ({"cv": "{splitter: stratifed}"}, "cv.splitter: is one of auto, .* Did you mean 'stratified'"),
    ({"cv": "{splitter: stratified}", "task": "regression"}, "stratified needs classes; for a regression take kfold"),
    ({"cv": "{splitter: time_series, shuffle: true}"}, "cv.shuffle: time_series keeps the order"),
    ({"cv": "{groups: g}"}, "cv.groups: names a column, and this data has none"),
    ({"cv": "{splitter: group}"}, "cv.splitter: group needs groups, and scikit-learn's data sets have none"),
    (
        {"cv": "{splitter: group}", "data": "{csv: a.csv, target: y}"},
        "cv.splitter: group needs groups: name the column",
    ),
    (
        {"cv": "{splitter: kfold, groups: g}", "data": "{csv: a.csv, target: y}"},
        "cv.groups: the splitter kfold knows no groups",
    ),
    ({"cv": "{splitter: stratified_group, holdout: 0.2}", "data": "{loader: 'm.py:f'}"}, "makes folds only"),
    # scoring
    ({"scoring": "[accuracy, accuracy]"}, "scoring: names accuracy twice"),
    ({"scoring": "[accuracy]", "decide_by": "acuracy"}, r"decide_by: is one of .* Did you mean 'accuracy'"),
    # fit
    (
        {"fit": "{epochs: 2}", "space": "{epochs: {integer: [1, 3], steps: 2}}"},
        "fit.epochs: epochs is in the space too",
    ),
    (
        {"fit": "{callbacks: {early_stopping: {}}}", "model": "m.py:f", "estimator": ""},
        "early_stopping: monitors val_loss, which needs fit.validation_split",
    ),
    # tracking
    ({"keep_best": "2", "log_models": "none"}, "keep_best: keeps models, and log_models: none keeps none"),
    ({"register_as": "a/b"}, "register_as: a model's name has no '/', no ':'"),
    ({"alias": "v1"}, "alias: is letters, digits"),
    ({"alias": "the best"}, "alias: is letters, digits"),
    ({"tags": "{a: 1}"}, "tags.a: is text"),
    ({"tags": "{'a*b': x}"}, "a tag's name has letters"),
    ({"tags": "{mlflow.parentRunId: x}"}, "names that begin with mlflow"),
    ({"tags": f"{{a: {'x' * 8001}}}"}, "tags.a: is 8,001 characters long; MLflow keeps 8,000"),
]


@pytest.mark.parametrize(("replaced", "message"), MISTAKES, ids=[message[:40] for _, message in MISTAKES])
def test_each_mistake_is_worded(folder, replaced, message):
    with pytest.raises(StudyFileError, match=message) as raised:
        load_study_file(folder.study(**replaced))
    assert "study.yaml, line " in str(raised.value)
    assert ".." not in str(raised.value).replace("...", "")


def test_a_bounded_number_of_mistakes_is_told(folder):
    with pytest.raises(StudyFileError, match=r"\.\.\. and 20 more"):
        load_study_file(folder.study(space="{" + ", ".join(f"p{i}: 1" for i in range(30)) + "}"))

"""Each mistake that people make, by the text of its answer, through the command line and under `mlflow run`'s run."""

from __future__ import annotations

import re
import socket
import threading

import numpy as np
import pytest

LOADERS = """\
import sys
import numpy as np
X, y = np.zeros((12, 2)), np.arange(12) % 3
def gaps(): return X, np.where(y == 1, np.nan, y)
def leaves(): sys.exit(0)
def wide(): return X, np.zeros((12, 2, 2))
def no_features(): return X[:, :0], y
def groups(): return X, y, np.where(y == 1, np.nan, y)
def long(): raise ValueError("a\\n\\nb " * 999)
def mute(): raise type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})()
def calls(): return helper()
def helper(): raise KeyError("column")
"""

IN_THE_FILE = {
    # keys
    "unknown key": ({"trails": "3"}, ["line 7: trails: is no key", "Did you mean 'trials'?", "Allowed: name, model"]),
    "unknown key by habit": ({"n_iter": "3"}, ["line 7: n_iter: is no key", "Did you mean 'trials'?"]),
    "a key that is an option": ({"experiment_name": "x"}, ["Give it as --experiment-name on the command line."]),
    "unknown key in a section": ({"cv": "{n_splits: 3}"}, ["line 7: cv.n_splits: is no key", "Did you mean 'folds'?"]),
    "missing key": ({"task": ""}, ["line 1: task: is missing; classification or regression"]),
    "key given twice": ({"task": "a\ntask: b"}, ["line 7: the key 'task' stands here again, as in line 6"]),
    "parameter given twice": ({"space": "\n  C: {fixed: 1}\n  C: {fixed: 2}"}, ["the key 'C' stands here again"]),
    "a key that looks like another": ({'"task\\u202e"': "x"}, [r"'task\u202e': is no key", "Did you mean 'task'?"]),
    # space
    "reversed bounds": ({"space": "{C: {real: [1, 0.1]}}"}, ["space.C: the bounds are reversed", "write [0.1, 1.0]"]),
    "reversed bounds, integer": ({"space": "{C: {integer: [9, 1]}}"}, ["the bounds are reversed: 9 is above 1"]),
    "equal bounds": ({"space": "{C: {real: [1, 1]}}"}, ["both bounds are 1.0", "{fixed: 1.0}"]),
    "log prior at zero": (
        {"space": "{C: {real: [0, 1], prior: log}}"},
        ["line 5: space.C: a log prior needs bounds above zero; the lower one is 0.0"],
    ),
    "skopt's prior": ({"space": "{C: {real: [1, 2], prior: log-uniform}}"}, ["got 'log-uniform'. Did you mean 'log'?"]),
    "infinite bound": ({"space": "{C: {real: [0, 1e999]}}"}, ["bounds are finite numbers; got inf"]),
    "huge bound": ({"space": f"{{C: {{integer: [1, {'9' * 30}]}}}}"}, ["takes whole numbers up to 2**53"]),
    "empty categories": ({"space": "{C: {categories: []}}"}, ["categories are an empty list; name at least one value"]),
    "empty grid": ({"space": "{C: {real: [0, 1], grid: []}}"}, ["grid is an empty list; name at least one value"]),
    "empty space": ({"space": "{}"}, ["space: is empty; name at least one"]),
    "tuple categories": (
        {"space": "{C: {categories: [[64, 32], [16]]}}"},
        ["a category is a single value", "got [64, 32]", "Give it a name"],
    ),
    "a bare list": ({"space": "{C: [0.1, 0.5]}"}, ["say of which kind it is: {categories: [...]}", "got [0.1, 0.5]"]),
    "grid over a continuous range": (
        {"space": "{C: {real: [0.1, 1]}}"},
        ["a grid search cannot try a continuous range", "such as grid: [0.1, 1.0], or how many, such as steps: 3"],
    ),
    "grid outside the bounds": ({"space": "{C: {real: [0, 1], grid: [2]}}"}, ["lie within the bounds, 0.0 to 1.0"]),
    "skopt's word for a kind": ({"space": "{C: {choices: [1]}}"}, ["space.C.choices", "Did you mean 'categories'?"]),
    "parameter the estimator has not": (
        {"space": "{max_itr: {categories: [5]}}"},
        ["space.max_itr: LogisticRegression has no such parameter", "Did you mean 'max_iter'?"],
    ),
    "parameter with a space in its name": ({"space": "{'C ': {fixed: 1}, C: {categories: [1]}}"}, ["space.'C '"]),
    "value the estimator does not take": (
        {"space": "{solver: {categories: [lbfgs, lbgfs]}}"},
        ["space.solver: The 'solver' parameter of LogisticRegression must be", "Got 'lbgfs'", "Did you mean 'lbfgs'?"],
    ),
    "range the estimator does not take": (
        {"space": "{C: {real: [-1, 1]}}", "strategy": "random"},
        ["space.C: The 'C' parameter of LogisticRegression must be a float in the range (0.0, inf]"],
    ),
    "fixed value the estimator does not take": (
        {"space": "{C: {fixed: no}, tol: {categories: [1]}}"},
        ["space.C: The 'C' parameter of LogisticRegression must be a float", "Got 'no'"],
    ),
    "too large a grid": (
        {"space": "{C: {real: [0, 1], steps: 999}, tol: {real: [0, 1], steps: 999}}"},
        ["space: is a grid of 998,001 combinations; 100,000 is the most"],
    ),
    # scoring and splits
    "unknown scoring": ({"scoring": "acuracy"}, ["scikit-learn has no scoring 'acuracy'. Did you mean 'accuracy'?"]),
    "scoring of another task": ({"scoring": "f1"}, ["scoring: f1 cannot score this classification", "multiclass"]),
    "scoring that is a number": ({"scoring": "5"}, ["scoring: is a name, or a list of names; got 5"]),
    "cv larger than a class": ({"cv": "{folds: 51}"}, ["cv.folds: class '0' has 50 rows, too few for 51 folds"]),
    "more folds than rows": (
        {"cv": "{folds: 151, splitter: kfold}"},
        ["cv.folds: 151 folds need more than the 150 rows there are"],
    ),
    "one fold": ({"cv": "{folds: 1}"}, ["cv.folds: is at least 2; got 1"]),
    # data
    "missing column": (
        {"data": "{csv: d.csv, target: pirce}"},
        ["data.target: there is no 'pirce' in the data. Did you mean 'price'?", "There are: size, price"],
    ),
    "another separator": ({"data": "{csv: semi.csv, target: y}"}, ["has one column only, 'a;b;y'", "separator: ';'"]),
    "no rows": ({"data": "{csv: header.csv, target: y}"}, ["data.csv: has no rows"]),
    "NaN targets": ({"data": "{csv: d.csv, target: price}"}, ["1 of 4 targets are missing, the first in row 3"]),
    "NaN targets of a loader": ({"data": "{loader: 'load.py:gaps'}"}, ["4 of 12 targets are missing, the first"]),
    "NaN groups": ({"data": "{loader: 'load.py:groups'}"}, ["data.loader: 4 rows have no group"]),
    "no features": ({"data": "{loader: 'load.py:no_features'}"}, ["data.loader: has no features"]),
    "targets of three dimensions": ({"data": "{loader: 'load.py:wide'}"}, ["targets are one value a row"]),
    "no such file": ({"data": "{csv: dd.csv, target: y}"}, ["/dd.csv does not exist. Did you mean 'd.csv'?"]),
    "a directory for a file": ({"data": "{csv: ., target: y}"}, ["is a directory; name a file in it"]),
    "no table": ({"data": "{parquet: d.csv, target: y}"}, ["data.parquet:", "is no parquet file that can be read"]),
    "pickled objects": ({"data": "{npz: objects.npz, target: y}"}, ["Object arrays cannot be loaded"]),
    "an address for a file": (
        {"data": "{csv: 'https://me:secret@host/d.csv?token=secret', target: y}"},
        ["names a file, not an address; download https://host/d.csv first"],
    ),
    "a loader that fails": (
        {"data": "{loader: 'load.py:calls'}"},
        ["data.loader: the loader failed: KeyError: 'column' (load.py, line 12)"],
    ),
    "a loader that ends the program": ({"data": "{loader: 'load.py:leaves'}"}, ["SystemExit: 0 (load.py, line 5)"]),
    "a loader with a long message": ({"data": "{loader: 'load.py:long'}"}, ["ValueError: a b a b", "..."]),
    "a loader whose error cannot speak": ({"data": "{loader: 'load.py:mute'}"}, ["the loader failed: Mute (load.py"]),
    # functions
    "no such module": ({"estimator": "modl.py:make"}, ["estimator:", "/modl.py does not exist"]),
    "no such function": ({"estimator": "model.py:maek"}, ["'maek' is not there in model.py. Did you mean 'make'?"]),
    "no function named": ({"estimator": "model.py"}, ["names a function as file.py:function", "got 'model.py'"]),
    "no name of a function": ({"estimator": "'model.py:make:x'"}, ["names a function as file.py:function"]),
    "no Python file": ({"estimator": "/etc/passwd:make"}, ["names a function as file.py:function"]),
    "a syntax error": ({"estimator": "broken.py:make"}, ["broken.py cannot be imported: SyntaxError", "line 2"]),
    # values
    "text for a number": ({"trials": "many"}, ["line 7: trials: is a whole number; got 'many'"]),
    "no jobs": ({"n_jobs": "0"}, ["n_jobs: is 0; give the number of jobs, or -1"]),
    "negative seed": ({"seed": "-1"}, ["seed: is at least 0; got -1"]),
    "very long name": ({"name": "x" * 999}, ["name: is text of at most 250 characters; got 'xxx"]),
    "a name of two lines": ({"name": '"a\\nb"'}, [r"name: is one line of text, without control", r"got 'a\nb'"]),
    "a model's name that leaves its folder": ({"register_as": "../x"}, ["register_as: a model's name has no '/'"]),
    "a model's name of dots": ({"register_as": "'..'"}, ["register_as: a model's name has", "is more than dots"]),
    "a tag that leaves its folder": ({"tags": "{../../x: y}"}, ["tags.../../x: a tag's name has letters"]),
    "two mistakes": ({"trails": "3", "seed": "x"}, ["line 7: trails", "line 8: seed: is a whole number; got 'x'"]),
}  # fmt: skip

AS_TEXT = {
    "a tab": ("task: classification\nspace:\n\tC: 1\n", ["line 3: this is no valid YAML", "Indent with spaces"]),
    "an open bracket": ("a: [1, 2\nb: 3\n", ["line 2: this is no valid YAML", "is not closed, or a comma is missing"]),
    "an open quote": ("a: 'b\nc: d\n", ["line 3: this is no valid YAML", "is not closed"]),
    "a colon in text": ("a: b: c\n", ["line 1: this is no valid YAML: mapping values", "Put quotes around text"]),
    "uneven indentation": ("a:\n  b: 1\n c: 2\n", ["line 3: this is no valid YAML", "begin at the same column"]),
    "two documents": ("a: 1\n---\nb: 2\n", ["line 2: this is no valid YAML", "remove the line '---'"]),
    "a tag that makes objects": (
        "a: 1\nb: !!python/object/apply:os.system [touch pwned]\n",
        ["line 2: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not taken here"],
    ),
    "aliases": (
        "a: &x [1]\nb: [*x, *x]\n",
        ["line 2: aliases (*name) are not taken here; write the value again"],
    ),
    "nothing": ("", ["study.yaml is empty"]),
    "a list": ("- a\n", ["a study file is a mapping of keys to values, such as 'strategy: random'"]),
    "a terminal's commands": ('"a\\e[2J": 1\n', [r"'a\x1b[2J': is no key that is known here"]),
}

AS_OPTION = {
    "no such study file": (["run", "stduy.yaml"], ["does not exist: there is no /", "'study.yaml'?", "whole path"]),
    "a directory": (["run", "."], [". is a directory; name the study file in it, such as study.yaml"]),
    "unknown option": (["run", "STUDY", "--trails", "3"], ["No such option '--trails'. (Did you mean", "'--trials'?"]),
    "unknown option by habit": (["run", "STUDY", "--n-iter", "3"], ["'--n-iter'. Did you mean '--trials'?"]),
    "-P with another name": (["run", "STUDY", "--n_iter", "3"], ["mean '--trials'? See mlflow-hpo run --help."]),
    "unknown command": (["rnu"], ["No such command 'rnu'. Did you mean 'run'?"]),
    "too many arguments": (["run", "STUDY", "more"], ["Got unexpected extra argument (more)"]),
    "no value": (["run", "STUDY", "--trials"], ["Option '--trials' requires an argument"]),
    "a word for a number": (["run", "STUDY", "--trials", "three"], ["'--trials': 'three' is no whole number"]),
    "a fraction": (["run", "STUDY", "--trials", "2.5"], ["'--trials': '2.5' is no whole number"]),
    "no trials": (["run", "STUDY", "--trials", "0"], ["--trials: is at least 1; got 0"]),
    "negative trials": (["run", "STUDY", "--trials", "-3"], ["--trials: is at least 1; got -3"]),
    "trials of a grid": (["run", "STUDY", "--trials", "5"], ["--trials: a grid search tries every combination"]),
    "one fold": (["run", "STUDY", "--folds", "1"], ["--folds: is at least 2; got 1"]),
    "many folds": (["run", "STUDY", "--folds", "60"], ["--folds: class '0' has 50 rows, too few for 60 folds"]),
    "epochs of no network": (["run", "STUDY", "--epochs", "3"], ["--epochs: LogisticRegression has no such parameter"]),
    "no jobs": (["run", "STUDY", "--n-jobs", "0"], ["--n-jobs: is 0; give the number of jobs, or -1"]),
    "negative seed": (["run", "STUDY", "--seed", "-1"], ["--seed: is at least 0; got -1"]),
    "unknown strategy": (["run", "STUDY", "--strategy", "gird"], ["grid, random, bayes; got 'gird'. Did you mean"]),
    "strategy by habit": (["run", "STUDY", "--strategy", "skopt"], ["got 'skopt'. Did you mean 'bayes'?"]),
    "which models": (["run", "STUDY", "--log-models", "best"], ["--log-models: is one of best_fold, all_folds, none"]),
    "a model's name": (["run", "STUDY", "--register-as", "a/b"], ["--register-as: a model's name has no '/'"]),
    "neither yes nor no": (["run", "STUDY", "--resume-as", "perhaps"], ["'perhaps' is neither true nor false"]),
    "experiment of mlflow run": (["run", "STUDY", "--experiment-name", "x"], ["are mlflow run's to choose here"]),
}  # fmt: skip

WITHOUT_A_RUN = {
    "nobody answers": (["run", "STUDY", "--tracking-uri", "http://127.0.0.1:1"], ["answers at http://127.0.0.1:1 ("]),
    "credentials": (
        ["run", "STUDY", "--tracking-uri", "http://u:secret@127.0.0.1:1/?t=secret"],
        ["no tracking server answers at http://127.0.0.1:1/ ("],
    ),
    "a database that is away": (
        ["run", "STUDY", "--tracking-uri", "postgresql://u:secret@127.0.0.1:1/db"],
        ["no tracking server answers at postgresql://127.0.0.1:1/db ("],
    ),
    "no host": (["run", "STUDY", "--tracking-uri", "http://"], ["'http://' is no tracking URI: it names no host"]),
    "no port": (["run", "STUDY", "--tracking-uri", "http://u:secret@x:port"], ["'http://x:port' is no tracking URI"]),
    "a password with a slash": (["run", "STUDY", "--tracking-uri", "http://u:sec/ret@x"], ["'/' as %2F"]),
    "no such scheme": (["run", "STUDY", "--tracking-uri", "htp://x"], ["knows no 'htp'. Did you mean 'http'?"]),
    "a folder": (["run", "STUDY", "--tracking-uri", "./mlruns"], ["is a folder, which MLflow no longer writes to"]),
    "two slashes": (["run", "STUDY", "--tracking-uri", "sqlite://m.db"], ["a sqlite file has three slashes"]),
    "no such folder": (
        ["run", "STUDY", "--tracking-uri", "sqlite:////none/at/all.db"],
        ["the folder of the tracking"],
    ),
    "a directory": (["run", "STUDY", "--tracking-uri", "sqlite:////"], ["is a directory; name a file in it"]),
    "no database": (["run", "STUDY", "--tracking-uri", "sqlite:///d.csv"], ["d.csv is no sqlite database"]),
    "long experiment": (["run", "STUDY", "--experiment-name", "x" * 999], ["one line of at most 500 characters"]),
    "experiment of two lines": (["run", "STUDY", "--experiment-name", "a\nb"], ["--experiment-name is one line"]),
    "no such run": (["trials", "0" * 32], ["No run '00000000000000000000000000000000'"]),
    "no run": (["trials", ""], ["it is the id of a study's run, as MLflow's UI shows it; got nothing"]),
    "no id of a run": (["best", "../x"], ["it is the id of a study's run", "got '../x'"]),
    "no such run to register": (["register", "0" * 32, "--as", "x"], ["No run"]),
    "no name to register": (["register", "0" * 32], ["Missing option '--name'"]),
    "an empty name": (["register", "0" * 32, "--as", ""], ["--name is the name of a registered model; got nothing"]),
    "a model's name": (["register", "0" * 32, "--as", "a/b"], ["--name: a model's name has no '/'", "got 'a/b'"]),
    "an alias": (["register", "0" * 32, "--as", "a", "--alias", "v1"], ["--alias: is letters, digits", "got 'v1'"]),
}


@pytest.fixture
def place(folder, monkeypatch):
    folder.write("d.csv", "size,price\n1,0\n2,1\n3,\n4,1\n")
    folder.write("semi.csv", "a;b;y\n1;2;0\n3;4;1\n")
    folder.write("header.csv", "a,y\n")
    folder.write("load.py", LOADERS)
    folder.write("broken.py", "def make():\n    return (\n")
    np.savez(folder.path / "objects.npz", a=np.array([{}, {}]), y=[0, 1])
    monkeypatch.setattr("mlflow_hpo.project.launch.run_study", lambda _: pytest.fail("trained"))
    return folder


@pytest.fixture
def project_run(store, monkeypatch):
    """A run such as `mlflow run` makes; return a function that tells how it ended."""
    from mlflow import MlflowClient

    client = MlflowClient(store)
    run_id = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    return lambda: client.get_run(run_id)


def check_answer(said, fragments):
    code, out, err = said
    assert code == 2, err
    assert out == ""
    assert err.startswith("Error: ")
    for fragment in fragments:
        assert fragment in err
    assert not re.search(r"Traceback|secret|File \"", err)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", err)
    assert max(map(len, err.splitlines())) < 1000


def check_failed(run, err):
    assert run.info.status == "FAILED"
    assert run.data.tags["mlflow_hpo.error"] in err


@pytest.mark.parametrize(("replaced", "fragments"), IN_THE_FILE.values(), ids=IN_THE_FILE)
def test_in_the_study_file(place, command, project_run, replaced, fragments):
    said = command("run", place.study(**replaced))
    check_answer(said, ["study.yaml, line ", *fragments])
    check_failed(project_run(), said[2])


@pytest.mark.parametrize(("text", "fragments"), AS_TEXT.values(), ids=AS_TEXT)
def test_in_its_text(place, command, project_run, text, fragments):
    said = command("run", place.write("study.yaml", text))
    check_answer(said, fragments)
    check_failed(project_run(), said[2])
    assert not (place.path / "pwned").exists()


@pytest.mark.parametrize(("arguments", "fragments"), AS_OPTION.values(), ids=AS_OPTION)
def test_on_the_command_line(place, command, project_run, arguments, fragments):
    study = place.study()
    said = command(*(study if argument == "STUDY" else argument for argument in arguments))
    check_answer(said, fragments)
    check_failed(project_run(), said[2])


@pytest.mark.parametrize(("arguments", "fragments"), WITHOUT_A_RUN.values(), ids=WITHOUT_A_RUN)
def test_around_the_store(place, store, command, arguments, fragments):
    study = place.study()
    check_answer(command(*(study if argument == "STUDY" else argument for argument in arguments)), fragments)


def test_a_file_that_may_not_be_read(place, command, project_run, monkeypatch):
    from pathlib import Path

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    study = place.study()
    monkeypatch.setattr(Path, "open", refuse)  # root reads whatever the mode of a file says
    said = command("run", study)
    check_answer(said, ["study.yaml cannot be read: Permission denied"])


@pytest.mark.parametrize("run_id", ["0" * 32, "../../x"])
def test_a_run_that_the_store_has_not(place, store, command, monkeypatch, run_id):
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    said = command("run", place.study())
    check_answer(said, [f"MLFLOW_RUN_ID names the run '{run_id}', which is not in sqlite:///"])


def test_a_server_that_is_away_is_asked_once_though_there_is_a_run_to_end(place, store, command, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://u:secret@127.0.0.1:1")
    said = command("run", place.study())
    check_answer(said, ["no tracking server answers at http://127.0.0.1:1 (", "could not be ended"])


@pytest.fixture
def deaf_server():
    """A server that takes connections and hangs up: something answers, and it is no MLflow."""
    server = socket.create_server(("127.0.0.1", 0))

    def hang_up():
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=hang_up, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_a_server_that_is_no_mlflow(place, store, command, deaf_server):
    said = command("run", place.study(), "--tracking-uri", deaf_server)
    check_answer(said, [f"the tracking store {deaf_server} cannot be used: MlflowException"])


def test_debug_shows_the_traceback_before_the_command_and_after_it(place, command):
    study = place.study(task="no")
    for arguments in (["--debug", "run", study], ["run", study, "--debug"]):
        code, _, err = command(*arguments)
        assert code == 2
        assert "Traceback (most recent call last):" in err
        assert err.index("task: is one of") < err.index("Traceback")


NETWORKS = """\
import keras
def net(inputs=4, outputs=3, compiled=True):
    model = keras.Sequential([keras.layers.Input((inputs,)), keras.layers.Dense(outputs, "softmax")])
    if compiled:
        model.compile("adam", loss="sparse_categorical_crossentropy")
    return model
def fails(units=1): raise RuntimeError("no network today")
def nothing(units=1): return None
def loose(units=1): return net(compiled=False)
def narrow(units=1): return net(outputs=2)
def wide(units=1): return net(inputs=7)
def other(width=1): return net()
def needs(units, width): return net()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("other", ["space.units: Invalid parameter 'units'", "neither it nor other() takes this"]),
        ("needs", ["model: needs needs width, which the space does not name", "width: {fixed: 1}"]),
        ("fails", ["model: fails(units=1) failed: RuntimeError: no network today (networks.py, line 7)"]),
        ("nothing", ["model: nothing(units=1) failed: TypeError: it has to return a Keras model, and returned None"]),
        ("loose", ["model: loose returns a network that is not compiled; call its compile(loss=...)"]),
        ("narrow", ["model: the network of narrow has 2 outputs, and the data have 3 classes"]),
        ("wide", ["model: calling the network of wide on samples failed", "input shape to have value 7"]),
    ],
)  # fmt: skip
def test_around_a_model_function(place, command, project_run, name, fragments):
    place.write("networks.py", NETWORKS)
    study = place.study(estimator="", model=f"networks.py:{name}", space="{units: {categories: [1, 2]}}")
    said = command("run", study)
    check_answer(said, ["study.yaml, line ", *fragments])
    check_failed(project_run(), said[2])

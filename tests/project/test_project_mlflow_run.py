"""End to end: `mlflow run` on this checkout and the examples, into a real store, read back with MlflowClient only."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "examples"


class Projects:
    """Runs projects in a folder of the test's, each in an experiment of its own."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.client = MlflowClient(uri)
        self.folder = folder
        self.environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": uri,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def python(self, *arguments, cwd=None):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd or self.folder, env=self.environment, capture_output=True, text=True, timeout=200
        )

    def mlflow_run(self, project, experiment, *arguments, **parameters):
        given = [part for name, value in parameters.items() for part in ("-P", f"{name}={value}")]
        command = ["-m", "mlflow", "run", project, "--env-manager", "local", "--experiment-name", experiment]
        return self.python(*command, *arguments, *given)

    def study_of(self, experiment):
        """Return the one run without a parent, and those below it."""
        found = self.client.get_experiment_by_name(experiment)
        runs = self.client.search_runs([found.experiment_id])
        (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(trials) == len(runs) - 1
        return parent, trials


@pytest.fixture
def projects(store, tmp_path):
    return Projects(store, tmp_path)


@pytest.mark.slow
def test_the_default_study_under_mlflow_run(projects):
    done = projects.mlflow_run(
        CHECKOUT,
        "default",
        "-e",
        "bayes",
        trials=2,
        folds=2,
        epochs=1,
        name="it's a $HOME test",
        register_as="run_digits",
    )
    assert done.returncode == 0, done.stderr
    parent, trials = projects.study_of("default")
    made = re.search(r"in run with ID '(\w+)'", done.stderr)
    assert made is not None
    assert parent.info.run_id == made[1]
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "it's a $HOME test"
    assert parent.data.params["trials"] == "2"
    assert [run.info.status for run in trials] == ["FINISHED"] * 2
    for run in trials:
        assert set(run.data.params) >= {"learning_rate", "dropout_rate", "hidden_units"}
        assert run.data.metrics.keys() >= {"mean_test_score", "split0_test_score", "split0/loss"}
    champion = projects.client.get_model_version_by_alias("run_digits", "champion")
    assert champion.status == "READY"
    assert champion.run_id in {run.info.run_id for run in [parent, *trials]}


@pytest.mark.slow
def test_a_study_of_ones_own_by_entry_point_and_path_with_a_space(projects, folder):
    study = folder.study(strategy="random", trials="2")
    spaced = shutil.copytree(folder.path, folder.path.parent / f"{folder.path.name} spaced ü")
    done = projects.mlflow_run(CHECKOUT, "own", "-e", "grid", study=spaced / study.name, resume="false")
    assert done.returncode == 0, done.stderr
    _, trials = projects.study_of("own")
    assert {run.data.params["C"] for run in trials} == {"0.1", "1.0", "10.0"}


@pytest.mark.slow
def test_a_study_that_the_command_line_began_is_resumed_by_mlflow_run(projects, folder):
    study = folder.study(strategy="grid", name="begun")
    begun = projects.python("-m", "mlflow_hpo", "run", study, "--experiment-name", "twice", "-q")
    assert begun.returncode == 0, begun.stderr
    before, trials = projects.study_of("twice")
    done = projects.mlflow_run(CHECKOUT, "twice", study=study)
    assert done.returncode == 0, done.stderr
    parent, same = projects.study_of("twice")
    made = re.search(r"in run with ID '(\w+)'", done.stderr)
    assert made is not None
    assert parent.info.run_id == made[1]
    assert parent.info.status == "FINISHED"
    assert {run.info.run_id for run in same} == {run.info.run_id for run in trials}
    assert projects.client.get_run(before.info.run_id).info.lifecycle_stage == "deleted"


@pytest.mark.slow
def test_a_bad_parameter_ends_the_run_failed(projects):
    done = projects.mlflow_run(CHECKOUT, "bad", trials="many")
    assert done.returncode != 0
    assert "'many' is no whole number" in done.stderr
    assert "Traceback" not in done.stderr
    parent, trials = projects.study_of("bad")
    assert parent.info.status == "FAILED"
    assert trials == []


@pytest.mark.slow
def test_a_new_project_runs_by_the_command_that_init_tells(projects):
    made = projects.python("-m", "mlflow_hpo", "init", "my stüdy", "--template", "regression-pipeline")
    assert made.returncode == 0, made.stderr
    told = re.search(r"^Run it +(mlflow run .*)$", made.stdout, re.MULTILINE)
    assert told is not None
    smaller = [part for value in ("trials=2", "folds=2", "epochs=2", "strategy=bayes") for part in ("-P", value)]
    done = projects.python("-m", *shlex.split(told[1]), *smaller)
    assert done.returncode == 0, done.stderr
    parent, trials = projects.study_of("my stüdy")
    assert [run.info.status for run in [parent, *trials]] == ["FINISHED"] * 3
    assert parent.info.run_name == "my stüdy"
    assert projects.client.get_model_version_by_alias("my stüdy", "champion")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "budget", "smaller", "trials"),
    [
        ("grid_search", "cv=3", "cv=2", 6),
        ("random_search", "n_iter=10, cv=3", "n_iter=2, cv=2", 2),
        ("bayesian_search", "n_calls=20", "n_calls=3, n_initial_points=2", 3),
    ],
)
def test_each_drop_in_script_runs(projects, script, budget, smaller, trials):
    projects.environment |= {"MLFLOW_EXPERIMENT_NAME": script}
    folder = shutil.copytree(EXAMPLES / "drop_in", projects.folder / "drop_in")
    for file, known, changed in (("digits784.py", ":600]", ":120]"), (f"{script}.py", budget, smaller)):
        text = (folder / file).read_text()
        assert known in text
        (folder / file).write_text(text.replace(known, changed))
    done = projects.python(folder / f"{script}.py")
    assert done.returncode == 0, done.stderr
    assert "Best: " in done.stdout
    parent, runs = projects.study_of(script)
    assert parent.info.status == "FINISHED"
    assert [run.info.status for run in runs] == ["FINISHED"] * trials


@pytest.mark.parametrize(
    "file", [CHECKOUT / "MLproject", *EXAMPLES.glob("*/MLproject")], ids=lambda file: file.parent.name
)
def test_entry_points_pass_on_each_parameter_and_take_it_empty(file):
    project = yaml.safe_load(file.read_text())
    for entry in project["entry_points"].values():
        assert set(re.findall(r"\{(\w+)\}", entry["command"])) == set(entry["parameters"])
        assert {parameter["default"] for parameter in entry["parameters"].values()} == {""}


def test_the_environment_holds_the_projects_own_requirements():
    import tomllib

    requirements = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    conda = yaml.safe_load((CHECKOUT / "conda.yaml").read_text())["dependencies"]
    assert conda[-1]["pip"] == requirements

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from click.testing import CliRunner

import mlflow_hpo
from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.project import cli
from mlflow_hpo.project._reachable import check_reachable
from mlflow_hpo.project._store import choose_store
from mlflow_hpo.project._termination import Terminated
from mlflow_hpo.project.cli._exits import ended

HINT = "Run it again with --debug to see the traceback.\n"


def test_help_answers_at_once_and_loads_nothing_heavy():
    code = (
        "import sys; from mlflow_hpo.project import cli; from click.testing import CliRunner;"
        "result = CliRunner().invoke(cli.cli, ['run', '--help']); assert '--register-as' in result.output;"
        "print({'tensorflow', 'keras', 'sklearn', 'mlflow', 'pandas', 'numpy', 'pydantic'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"
    assert min(seconds_of_help() for _ in range(3)) < 0.5


def seconds_of_help():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mlflow_hpo", "--help"], capture_output=True, check=True)
    return time.perf_counter() - begin


def test_version():
    result = CliRunner().invoke(cli.cli, ["--version"])
    assert result.output == f"mlflow-hpo, version {mlflow_hpo.__version__}\n"


def test_each_command_and_option_is_explained():
    for name, sub in cli.cli.commands.items():
        assert sub.help, name
        assert all(
            option.help
            for option in sub.params
            if option.param_type_name == "option" and not option.hidden and option.name != "form"
        )


@pytest.mark.parametrize("strategy", ["grid", "random", "bayes"])
def test_a_study_from_file_to_registered_model(folder, store, command, strategy):
    from mlflow import MlflowClient

    name = f"iris_{strategy}"
    code, out, err = command(
        "run", folder.study(), "--strategy", strategy, "--experiment-name", name, "--register-as", name,
        *(() if strategy == "grid" else ("--trials", "3")),
    )  # fmt: skip
    assert (code, err) == (0, ""), err
    assert f"{strategy} search over C" in out
    assert "3 trials x 3 splits = 9 fits on 150 x 4 samples" in out
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    (parent,) = parents
    trials = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert len(trials) == 3
    assert all(set(run.data.params) >= {"C"} for run in trials)
    best = max(run.data.metrics["mean_test_score"] for run in trials)
    assert f"Best score  {best:.6g}" in out
    assert f"Run         {parent.info.run_id}" in out
    assert [line.split("]")[0] for line in out.splitlines()[2:5]] == ["[1/3", "[2/3", "[3/3"]
    assert f"Registered  {name} version 1" in out
    assert client.get_model_version_by_alias(name, "champion").run_id in {run.info.run_id for run in runs}


def test_what_a_study_found_is_read_back(folder, store, command):
    code, _, _ = command("run", folder.study(name="reading"), "--experiment-name", "reading", "-q")
    assert code == 0
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("reading").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`mlflow_hpo.kind` = 'study'")
    run_id = parent.info.run_id

    code, out, _ = command("trials", run_id)
    assert code == 0
    assert out.splitlines()[0].split() == ["trial", "score", "+/-", "C", "status"]
    assert len(out.splitlines()) == 4
    code, out, _ = command("trials", run_id, "--format", "json")
    rows = json.loads(out)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    code, out, _ = command("trials", run_id, "--format", "csv")
    assert out.splitlines()[0].startswith("number,status,score,C")

    code, out, _ = command("best", run_id)
    assert code == 0
    assert f"param  C = {rows[0]['C']}" in out

    code, out, _ = command("register", run_id, "--name", "read_back")
    assert (code, out.split(":")[0]) == (0, "read_back version 1")
    assert str(client.get_model_version_by_alias("read_back", "champion").version) == "1"
    code, out, _ = command("register", run_id, "--name", "read_back")
    assert (code, out.split(":")[0]) == (0, "read_back version 1")


@pytest.mark.parametrize("options", [["-q"], ["--progress", "lines", "-q"]])
def test_quiet_says_nothing(folder, store, command, options):
    assert command("run", folder.study(), "--experiment-name", "quiet", *options) == (0, "", "")


def test_progress_is_shown_live_on_a_terminal(folder, store):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "mlflow_hpo", "run", str(folder.study()), "--register-as", "live"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "MLFLOW_HPO_REPORT": "false"}
    with subprocess.Popen(command, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        written = b""
        with suppress(OSError):  # when the other end is closed
            while part := os.read(master, 65536):
                written += part
    os.close(master)
    assert process.returncode == 0
    before, _, live = written.decode().partition("\x1b[?25l")  # a display hides the cursor, and shows it at its end
    live, _, end = live.partition("\x1b[?25h")
    assert before.splitlines()[-1] == "3 trials x 3 splits = 9 fits on 150 x 4 samples"
    assert "/3 trials" in live
    assert "Best score  0.97" in end
    assert "Registered  live version 1" in end
    assert end.splitlines()[-2].startswith("Study       http://127.0.0.1:5000/#/experiments/")
    assert end.splitlines()[-1].startswith("Trials      http://127.0.0.1:5000/#/experiments/")


def test_check_trains_nothing(folder, store, command, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(LogisticRegression, "fit", lambda *_: pytest.fail("trained"))
    code, out, _ = command("check", folder.study())
    assert code == 0
    assert out.endswith("study.yaml: no mistake found\n")


def test_empty_values_mean_as_in_the_file(folder, store, command):
    empty = [part for option in ("name", "trials", "folds", "epochs", "n-jobs", "seed", "register-as", "resume-as",
                                 "strategy", "log-models") for part in (f"--{option}", "")]  # fmt: skip
    code, out, _ = command("check", folder.study(), *empty)
    assert code == 0
    assert "grid search over C" in out


def test_debug_shows_the_traceback(folder, command):
    code, _, err = command("run", folder.study(task="no"), "--debug")
    assert code == 2
    assert "Traceback" in err


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Error: Interrupted.\n"),
        (InvalidArgumentError("no"), 2, "Error: no\n"),
        (RuntimeError("broken"), 1, f"Error: RuntimeError: broken\n{HINT}"),
        (Terminated(143), 143, "Error: Terminated.\n"),
        (
            SystemExit(0),
            1,
            f"Error: a function of the study has called sys.exit(0).\n{HINT}",
        ),
    ],
)
def test_exit_codes(capsys, raised, code, message):
    def fail():
        raise raised

    assert ended(fail, debug=False) == code
    assert capsys.readouterr().err == message


def test_a_termination_ends_a_command_as_an_interrupt_does(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert ended(lambda: signal.raise_signal(signal.SIGTERM), debug=False) == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_store_that_needs_no_check_is_taken_at_its_word():
    check_reachable("databricks")
    check_reachable("")


def test_under_mlflow_run_the_store_is_not_the_commands_to_choose(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "r")
    with pytest.raises(InvalidArgumentError, match="are mlflow run's to choose here"):
        choose_store(None, "other")


def test_a_deleted_experiment_is_not_used(folder, store, command):
    from mlflow import MlflowClient

    client = MlflowClient(store)
    client.delete_experiment(client.create_experiment("gone"))
    code, _, err = command("run", folder.study(), "--experiment-name", "gone")
    assert code == 2
    assert "the experiment 'gone' is deleted" in err

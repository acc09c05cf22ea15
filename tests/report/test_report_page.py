"""The page about a study, for studies of every kind."""

from __future__ import annotations

import dataclasses
import math
import random
import time

import pytest
from mlflow import MlflowClient
from report_pages import check_self_contained
from report_studies import WriteStudy, Written, folds, grid, write_trial

from mlflow_hpo.core.errors import NotFoundError
from mlflow_hpo.report import report_html
from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._figures import study_plots
from mlflow_hpo.report._page import study_page
from mlflow_hpo.report._read import read_study


def test_a_whole_study(write_study: WriteStudy) -> None:
    run_id = write_study(grid(), name="C and kind", params={"space.C": "[0.01, 0.1, 1, 10]", "search.cv": "2"}, best=3)
    page = check_self_contained(report_html(run_id))
    assert page.sections == ["best", "progress", "parameters", "folds", "time", "trials", "setup"]
    assert page.plots == [
        "Best score by trial",
        "Best score by wall time",
        "Parameter importance",
        "Parallel coordinates",
        "C (log)",
        "kind",
        "Scores of the folds",
        "Duration by trial",
        "Score against duration",
    ]
    assert "C and kind" in page.text
    assert "Best mean_test_score 0.745" in page.text
    assert "± 0.015 over 2 folds · higher is better" in page.text
    assert "Permutation importance of a random forest (scikit-learn)" in page.text
    assert "'C': 10.0," in page.text
    assert [attrs["id"] for tag, attrs in page.tags if tag == "tr" and attrs.get("class") == "best"] == ["trial-3"]


def test_a_study_of_one_trial(write_study: WriteStudy) -> None:
    page = check_self_contained(report_html(write_study([Written({"C": 1}, folds(0.8, 0.9))])))
    assert page.sections == ["best", "folds", "trials", "setup"]
    assert "Trials 1 all finished" in page.text


def test_a_study_without_trials(write_study: WriteStudy) -> None:
    page = check_self_contained(report_html(write_study([], status="RUNNING", metric=None)))
    assert "No trial has begun yet." in page.text
    assert "This study is still running." in page.text


def test_a_study_of_failures_tells_their_causes(write_study: WriteStudy) -> None:
    bad = [
        Written({"C": -n, "solver": "x"}, status="FAILED", error=f"ValueError: got -{n}", traceback=f"Trace\nback {n}")
        for n in range(3)
    ]
    other = Written({"C": 1, "solver": "y"}, status="FAILED", error="MemoryError")
    page = check_self_contained(report_html(write_study([*bad, other], status="FAILED", metric=None)))
    assert page.sections == ["failures", "time", "trials", "setup"]
    assert "No trial has a score." in page.text
    assert "3\u00d7 ValueError: got -0" in page.text
    assert "Traceback of trial 0 Trace back 0" in page.text
    assert "1\u00d7 MemoryError" in page.text
    assert "no trial with a score has" not in page.text


def test_failures_are_told_apart_from_what_has_a_score(write_study: WriteStudy) -> None:
    good = [
        Written({"C": 1.0, "penalty": "l2"}, folds(0.8, 0.9)),
        Written({"C": 2.0, "penalty": "l2"}, folds(0.7, 0.9)),
    ]
    bad = [Written({"C": c, "penalty": "l1"}, status="FAILED", error="ValueError: no l1") for c in (1.0, 2.0)]
    nan = Written({"C": 3.0, "penalty": "l2"}, {"mean_test_score": math.nan, "std_test_score": math.nan})
    killed = Written({"C": 3.0, "penalty": "l2"}, status="KILLED")
    page = check_self_contained(report_html(write_study([*good, *bad, nan, killed])))
    assert "Trials 6 2 failed · 1 interrupted · 1 without a score" in page.text
    assert "All of them have penalty = l1 ; no trial with a score has." in page.text
    assert "Finished without a score: it is NaN or infinite" in page.text
    assert "Interrupted: the study ended while it ran" in page.text


def test_several_metrics(write_study: WriteStudy) -> None:
    trials = [
        Written({"C": c}, {"mean_test_f1": c / 10, "mean_test_auc": 1 - c / 10, "split0_test_f1": c / 10})
        for c in (1, 2, 3)
    ]
    page = check_self_contained(report_html(write_study(trials, metric="mean_test_f1", best=2)))
    assert "scores" in page.sections
    assert "mean_test_auc 0.7 0.7 Trial 2 0.9 Trial 0" in page.text


def test_a_running_study(write_study: WriteStudy) -> None:
    page = check_self_contained(
        report_html(write_study([*grid(3), Written({"C": 5}, status="RUNNING")], status="RUNNING"))
    )
    assert "This study is still running." in page.text
    assert "Trials 4 1 running" in page.text


def test_lower_is_better_on_a_log_scale(write_study: WriteStudy) -> None:
    trials = [Written({"rate": 10.0**-i}, {"objective": 10.0**-i}) for i in range(6)]
    html = report_html(write_study(trials, metric="objective", greater_is_better=False))
    page = check_self_contained(html)
    assert "Best objective 1e-05 lower is better" in page.text
    assert "Found in trial 5" in page.text
    assert "10⁻⁴" in html


def test_parameters_of_every_kind(write_study: WriteStudy) -> None:
    rng = random.Random(0)
    trials = []
    for i in range(40):
        params = {
            "depth": rng.choice([None, 2, 3, 5]),
            "tol": 10 ** rng.uniform(-5, -1),
            "C": rng.choice(["inf", 1, 2]),
        }
        if i % 2:
            params["momentum"] = rng.random()
        trials.append(Written(params, folds(rng.random(), rng.random())))
    html = report_html(write_study(trials, params={"space.tol": "loguniform(1e-05, 0.1)"}))
    page = check_self_contained(html)
    assert {"depth", "tol (log)", "C", "momentum"} <= set(page.plots)
    assert ">not set<" in html
    assert ">None<" in html


HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(2)>",
    "{{ 7 * 7 }}",
    "$x_{2}$ & \\frac",
    "日本語 🎉 é",
]


def test_hostile_values_stay_text(write_study: WriteStudy) -> None:
    trials = [
        Written({"kind": value, "C": i, "x" * 200: i % 2}, folds(0.5 + i / 10, 0.6), error=value, traceback=value * 3)
        for i, value in enumerate(HOSTILE)
    ]
    trials += [
        Written({"kind": HOSTILE[0]}, status="FAILED", error=HOSTILE[1] + "\x00\x1b[31m", traceback="</pre>")
    ] * 2
    html = report_html(
        write_study(
            trials,
            name=HOSTILE[0],
            params={"space.kind": HOSTILE[1], "search.cv": HOSTILE[2]},
            tags={"mlflow_hpo.strategy": HOSTILE[1], "mlflow.source.type": "PROJECT", "mlflow.source.name": HOSTILE[0]},
        )
    )
    page = check_self_contained(html)
    assert "alert(1)" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "日本語" in page.text
    assert "\x00" not in html


def test_learning_curves_of_the_best_trial(write_study: WriteStudy) -> None:
    curves = {
        f"split{fold}/{name}": [1 / (epoch + 1) + fold / 50 for epoch in range(5)]
        for fold in range(3)
        for name in ("loss", "val_loss", "accuracy")
    }
    trials = [Written({"rate": 0.1}, folds(0.9, 0.8, 0.7), curves=curves), Written({"rate": 0.2}, folds(0.1, 0.2, 0.3))]
    page = check_self_contained(report_html(write_study(trials)))
    assert page.plots[:2] == ["Learning curve: loss", "Learning curve: accuracy"]
    assert {"training", "validation"} <= set(page.text.split())


def test_of_a_trial_that_was_run_again_the_last_attempt_counts(write_study: WriteStudy, store: MlflowClient) -> None:
    run_id = write_study([*grid(2), Written({"C": 7}, status="KILLED")])
    experiment = store.get_experiment_by_name("tests").experiment_id
    write_trial(store, experiment, run_id, 2, Written({"C": 7}, folds(0.9, 0.95)))
    page = check_self_contained(report_html(run_id))
    assert "Trials 3 all finished" in page.text
    assert "Found in trial 2" in page.text


def test_the_searchs_own_choice_is_explained(write_study: WriteStudy) -> None:
    page = check_self_contained(report_html(write_study(grid(4), best=0)))
    assert "The search itself chose this trial; 3 trials have a better mean_test_score." in page.text


def test_the_registered_model_is_what_is_loaded(write_study: WriteStudy, store: MlflowClient) -> None:
    run_id = write_study(grid(2))
    store.create_registered_model("digits")
    version = store.create_model_version("digits", "file:///nowhere", tags={"mlflow_hpo.study_run": run_id})
    store.set_registered_model_alias("digits", "champion", version.version)
    page = check_self_contained(report_html(run_id))
    assert "digits version 1 @champion" in page.text
    assert "mlflow.pyfunc.load_model('models:/digits@champion')" in page.text
    assert "mlflow models serve -m models:/digits@champion" in page.text


def test_a_project_is_run_again_with_its_parameters(write_study: WriteStudy) -> None:
    tags = {
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": "https://me:secret@example.org/p.git#sub",
        "mlflow.project.entryPoint": "bayes",
    }
    run_id = write_study(grid(2), tags=tags, params={"trials": "30", "study": "'my study.yaml'", "seed": "''"})
    page = check_self_contained(report_html(run_id))
    assert "mlflow run https://example.org/p.git -e bayes --env-manager local" in page.text
    assert "-P trials=30" in page.text
    assert "'study=my study.yaml'" in page.text
    assert "seed=" not in page.text
    assert "secret" not in page.text


def test_a_run_that_is_no_study(write_study: WriteStudy, store: MlflowClient) -> None:
    with pytest.raises(NotFoundError, match="No run 'nothing'"):
        report_html("nothing")
    plain = store.create_run(store.get_experiment_by_name("tests").experiment_id)
    with pytest.raises(NotFoundError, match="not the run of a study"):
        report_html(plain.info.run_id)


def thousand(study: StudyFacts) -> StudyFacts:
    rng = random.Random(0)
    trials = []
    for number in range(1000):
        score = rng.gauss(0.8, 0.1)
        failed = number % 50 == 7
        trials.append(
            TrialFacts(
                number=number,
                run_id=f"{number:032x}",
                status="FAILED" if failed else "FINISHED",
                params={f"p{i}": repr(rng.random()) for i in range(7)} | {"kind": rng.choice("abc")},
                metrics={} if failed else folds(score, score + 0.01, score - 0.02),
                score=None if failed else score,
                start_ms=study.start_ms + number * 1000,
                end_ms=study.start_ms + number * 1000 + rng.randint(100, 5000),
                error=f"ValueError: {number}" if failed else None,
            )
        )
    return dataclasses.replace(study, trials=trials, best=max(trials, key=lambda trial: trial.score or 0))


def test_a_thousand_trials_are_small_and_quick(write_study: WriteStudy) -> None:
    study = thousand(read_study(write_study(grid(1))))
    begin = time.perf_counter()
    html = study_page(study, study_plots(study))
    assert time.perf_counter() - begin < 60  # 3 s on a quiet machine
    assert len(html.encode()) < 3_000_000
    page = check_self_contained(html)
    assert sum(tag == "tr" and (attrs.get("id") or "").startswith("trial-") for tag, attrs in page.tags) == 1000

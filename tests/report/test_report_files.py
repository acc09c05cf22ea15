"""The report as files and artifacts, comparisons, and the commands that make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from report_pages import Page, check_self_contained
from report_studies import WriteStudy, Written, folds, grid

from mlflow_hpo.core.errors import InvalidArgumentError
from mlflow_hpo.report import compare_html, compare_studies, figures, log_report, report_files

PLOTS = {
    "convergence_by_trial.png",
    "convergence_by_time.png",
    "parameter_importance.png",
    "parallel_coordinates.png",
    "parameters.png",
    "scores_by_fold.png",
    "time_by_trial.png",
    "score_against_time.png",
}
Command = Callable[..., tuple[int, str, str]]


def test_the_main_plots_are_png_files(write_study: WriteStudy) -> None:
    made = figures(write_study(grid()))
    assert set(made) == PLOTS
    assert all(content.startswith(b"\x89PNG") for content in made.values())


def test_a_study_of_failures_has_files_too(write_study: WriteStudy) -> None:
    made = report_files(write_study([Written({}, status="FAILED", error="ValueError")], metric=None))
    assert set(made) == {"report.html"}


def test_the_report_is_stored_on_the_studys_run_and_renewed(write_study: WriteStudy, store: MlflowClient) -> None:
    run_id = write_study(grid(4))
    stored = log_report(run_id)
    assert {"report.html", "plots/parallel_coordinates.png"} <= set(stored)
    for _ in range(2):
        assert {file.path for file in store.list_artifacts(run_id)} == {"report.html", "plots"}
        assert {file.path for file in store.list_artifacts(run_id, "plots")} == set(stored) - {"report.html"}
        log_report(run_id)


def two_studies(write_study: WriteStudy) -> list[str]:
    worse = [Written({"C": c}, folds(0.4, 0.5)) for c in (1, 2)]
    return [write_study(grid(), name="<b>grid</b>"), write_study(worse, name="worse")]


def test_studies_side_by_side(write_study: WriteStudy) -> None:
    runs = two_studies(write_study)
    first, second = compare_studies(runs)
    assert (first.is_best, second.is_best) == (True, False)
    assert (first.n_trials, second.n_trials, second.score) == (12, 2, pytest.approx(0.45))
    assert second.fit_seconds == pytest.approx(1.0)
    page = check_self_contained(compare_html(runs))
    assert page.plots == ["Best score by trial", "Best score by wall time", "Scores of all trials"]
    assert "<b>grid</b> is best" in page.text


def test_studies_of_different_metrics_are_not_ranked(write_study: WriteStudy) -> None:
    runs = [
        write_study(grid(3)),
        write_study([Written({"C": 1}, {"loss": 1.0})], metric="loss", greater_is_better=False),
    ]
    assert [one.is_best for one in compare_studies(runs)] == [False, False]
    page = check_self_contained(compare_html(runs))
    assert page.plots == []
    assert "do not rank by one and the same metric" in page.text


def test_a_study_without_a_score_is_compared_too(write_study: WriteStudy) -> None:
    runs = [
        write_study([Written({}, status="FAILED")], metric=None),
        write_study(grid(3)),
        write_study([], metric=None),
    ]
    compared = compare_studies(runs)
    assert [one.is_best for one in compared] == [False, True, False]
    assert [one.label for one in compared] == [f"a study ({run[:6]})" for run in runs]
    assert len(check_self_contained(compare_html(runs)).plots) == 3
    assert check_self_contained(compare_html([runs[0], runs[2]])).plots == []


@pytest.mark.parametrize(("given", "said"), [([], "got 0"), (["a"], "got 1"), (["a", "a"], "got a twice")])
def test_what_cannot_be_compared(given: list[str], said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        compare_studies(given)


def test_the_report_command(write_study: WriteStudy, store: MlflowClient, command: Command, tmp_path: Path) -> None:
    run_id = write_study(grid(3))
    code, out, err = command("report", run_id)
    assert (code, err) == (0, "")
    assert out.startswith("Wrote report.html (")
    Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert store.list_artifacts(run_id) == []
    code, out, _ = command("report", run_id, "--output", tmp_path / "other.html", "--log")
    assert code == 0
    assert f"Stored on run {run_id}: report.html, plots/" in out
    stored = Path(store.download_artifacts(run_id, "report.html"))
    assert stored.read_bytes() == (tmp_path / "other.html").read_bytes()


def test_the_compare_command(write_study: WriteStudy, command: Command, tmp_path: Path) -> None:
    runs = two_studies(write_study)
    code, out, err = command("compare", *runs, "--output", tmp_path / "both.html")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split()[:3] == ["study", "strategy", "best"]
    assert "Best is <b>grid</b>, by mean_test_score (higher is better)" in out
    Page((tmp_path / "both.html").read_text(encoding="utf-8"))


def test_mistakes_of_the_commands(write_study: WriteStudy, command: Command, tmp_path: Path) -> None:
    run_id = write_study(grid(2))
    for arguments, said in [
        (("report", "nothing"), "No run 'nothing'"),
        (("report", ""), "got nothing"),
        (("report", run_id, "--output", tmp_path), "is a folder"),
        (("report", run_id, "--output", tmp_path / "no" / "a.html"), "does not exist"),
        (("compare", run_id), "2 to 7 studies; got 1"),
    ]:
        code, _, err = command(*arguments)
        assert code == 2
        assert said in err

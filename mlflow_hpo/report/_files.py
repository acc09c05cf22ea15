"""The report as files: the page and the plots, on disk or as artifacts of the study's run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow_hpo.report._canvas import to_png
from mlflow_hpo.report._figures import study_plots
from mlflow_hpo.report._page import study_page
from mlflow_hpo.report._read import read_study
from mlflow_hpo.tracking.store import connect

PAGE = "report.html"
PLOTS = "plots"


def report_html(run_id: str, tracking_uri: str | None = None) -> str:
    """Return the page about a study: one HTML file that needs no other and no network.

    Parameters
    ----------
    run_id : str
        The study's run. The study may still be running: the page then says so.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Raises
    ------
    NotFoundError
        There is no such run, or it is not a study's.
    """
    study = read_study(run_id, tracking_uri)
    return study_page(study, study_plots(study))


def figures(run_id: str, tracking_uri: str | None = None) -> dict[str, bytes]:
    """Return the main plots of a study as PNG files, by name; those that the study has no data for are missing.

    Parameters
    ----------
    run_id : str
        The study's run.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Returns
    -------
    dict of str to bytes
        `convergence_by_trial.png`, `convergence_by_time.png`, `learning_curve_loss.png`, `parameter_importance.png`,
        `parallel_coordinates.png`, `parameters.png`, `scores_by_fold.png`, `time_by_trial.png` and
        `score_against_time.png`.

    Raises
    ------
    NotFoundError
        There is no such run, or it is not a study's.
    """
    plots = study_plots(read_study(run_id, tracking_uri))
    return {f"{plot.name}.png": to_png(plot) for plot in plots.files}


def report_files(run_id: str, tracking_uri: str | None = None) -> dict[str, bytes]:
    """Return the page and the plots of a study, by the artifact paths they have on its run.

    Parameters
    ----------
    run_id : str
        The study's run.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Returns
    -------
    dict of str to bytes
        `report.html`, and `plots/*.png` as `figures` returns them. The study is read once.

    Raises
    ------
    NotFoundError
        There is no such run, or it is not a study's.
    """
    study = read_study(run_id, tracking_uri)
    plots = study_plots(study)
    page = study_page(study, plots)
    return {PAGE: page.encode(), **{f"{PLOTS}/{plot.name}.png": to_png(plot) for plot in plots.files}}


def log_report(run_id: str, tracking_uri: str | None = None) -> dict[str, bytes]:
    """Store the page and the plots of a study as artifacts of its run, in the place of earlier ones.

    Parameters
    ----------
    run_id : str
        The study's run.
    tracking_uri : str or None
        The store; None is MLflow's current one.

    Returns
    -------
    dict of str to bytes
        What was stored, as `report_files` returns it.

    Raises
    ------
    NotFoundError
        There is no such run, or it is not a study's.
    """
    files = report_files(run_id, tracking_uri)
    client = connect(tracking_uri)
    with tempfile.TemporaryDirectory(prefix="mlflow_hpo-") as folder:
        for name, content in files.items():
            file = Path(folder) / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        for name in files:
            place = str(Path(name).parent)
            client.log_artifact(run_id, str(Path(folder) / name), None if place == "." else place)
    return files

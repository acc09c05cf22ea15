"""What people look at: a page about a study, its plots, and a page that compares studies, made from what MLflow has."""

from mlflow_hpo.report._compare import ComparedStudy, comparable, compare_html, compare_studies, comparison_page
from mlflow_hpo.report._files import figures, log_report, report_files, report_html
from mlflow_hpo.report._values import show_number, show_seconds

__all__ = [
    "ComparedStudy",
    "comparable",
    "compare_html",
    "compare_studies",
    "comparison_page",
    "figures",
    "log_report",
    "report_files",
    "report_html",
    "show_number",
    "show_seconds",
]

"""What people look at: a page about a study, its plots, and a page that compares studies, made from what MLflow has."""

from mlflow_hpo.report._compare import compare_html, compare_studies
from mlflow_hpo.report._files import figures, log_report, report_files, report_html

__all__ = ["compare_html", "compare_studies", "figures", "log_report", "report_files", "report_html"]

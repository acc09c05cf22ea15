"""`mlflow-hpo init`: a complete small project, made from a template. The examples are what it writes."""

from mlflow_hpo.project.scaffold._environment import Environment
from mlflow_hpo.project.scaffold._templates import DEFAULT, TEMPLATES, project_files
from mlflow_hpo.project.scaffold._write import project_name, write_project

__all__ = ["DEFAULT", "TEMPLATES", "Environment", "project_files", "project_name", "write_project"]

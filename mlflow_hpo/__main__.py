"""`python -m mlflow_hpo` is `mlflow-hpo`."""

from mlflow_hpo.project.cli import main

if __name__ == "__main__":
    main()

"""`python -m mlflow_hpo.report RUN`: store the report of a study on its run."""

from __future__ import annotations

import sys

from mlflow_hpo.report import log_report


def main(run_id: str) -> None:
    """Store the report of a study in MLflow's current store.

    Parameters
    ----------
    run_id : str
        The study's run.
    """
    log_report(run_id)


if __name__ == "__main__":
    main(sys.argv[1])

"""What MLflow itself loads of us, by the entry point `mlflow.run_context_provider`: in every process that imports it.

So it stands outside of the rooms and imports next to nothing; neither MLflow's client nor its projects, which are not
there yet when it is loaded.
"""

from __future__ import annotations

from mlflow.tracking.context.abstract_context import RunContextProvider

from mlflow_hpo.core.inside import tags_inside


class TrialContext(RunContextProvider):
    """Tags the runs that user code begins inside of a trial with the study and the trial."""

    def in_context(self) -> bool:
        """Return whether a trial trains here, or has started this process."""
        return bool(tags_inside())

    def tags(self) -> dict[str, str]:
        """Return the tags."""
        return tags_inside()

"""The plots that a study has, in the order of the report's sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_hpo.report._axis import ParameterAxis, parameter_axes
from mlflow_hpo.report._canvas import Plot
from mlflow_hpo.report._facts import StudyFacts
from mlflow_hpo.report._importance import Importance, parameter_importance
from mlflow_hpo.report._parallel_plot import parallel_plot
from mlflow_hpo.report._parameter_plots import importance_plot, slice_plots, slices_plot
from mlflow_hpo.report._progress_plots import progress_plots, time_plots, trial_tooltip
from mlflow_hpo.report._read import read_curves
from mlflow_hpo.report._trial_plots import curve_plots, fold_plot


@dataclass(frozen=True)
class StudyPlots:
    """All plots of a study; those that it has no data for are missing.

    Parameters
    ----------
    curves : sequence of Plot
        Learning curves of the best trial.
    progress, slices, time : sequence of Plot
    importance, parallel, folds : Plot or None
    axes : sequence of ParameterAxis
        The parameters that differ, the most important first.
    measured : Importance or None
        What `importance` shows.
    """

    curves: Sequence[Plot]
    progress: Sequence[Plot]
    importance: Plot | None
    parallel: Plot | None
    slices: Sequence[Plot]
    folds: Plot | None
    time: Sequence[Plot]
    axes: Sequence[ParameterAxis]
    measured: Importance | None

    @property
    def files(self) -> list[Plot]:
        """The plots that make files of their own; the parameters share a sheet."""
        sheet = slices_plot(self.slices)
        single = [self.importance, self.parallel, sheet, self.folds]
        return [*self.progress, *self.curves, *(plot for plot in single if plot is not None), *self.time]


def study_plots(study: StudyFacts) -> StudyPlots:
    """Return the plots of a study."""
    axes = parameter_axes(study)
    measured = parameter_importance(study, axes)
    if measured is not None:
        place = {name: index for index, (name, _, _) in enumerate(measured.shares)}
        axes = sorted(axes, key=lambda axis: place[axis.name])
    params = [axis.name for axis in axes]
    tooltips = {trial.number: trial_tooltip(trial, params) for trial in study.trials}
    return StudyPlots(
        curves=curve_plots(read_curves(study)),
        progress=progress_plots(study, tooltips),
        importance=None if measured is None else importance_plot(measured),
        parallel=parallel_plot(study, axes),
        slices=slice_plots(study, axes, tooltips),
        folds=fold_plot(study),
        time=time_plots(study, tooltips),
        axes=axes,
        measured=measured,
    )

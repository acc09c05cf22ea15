"""How a study went on: the best score so far, by trial and by wall time; scores against time; what fits took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mlflow_hpo.report import _theme as theme
from mlflow_hpo.report._canvas import Plot, dress, trial_links
from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._score_axis import beyond_note, mark_best, score_axis
from mlflow_hpo.report._scores import ScoreScale, best_so_far, score_scale
from mlflow_hpo.report._values import shorten, show_number, show_seconds, time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (420.0, 275.0)
_MOST_LINKED = 400
_GOOD_DOT: dict[str, Any] = {"s": 9, "color": theme.BLUE, "alpha": 0.5, "linewidths": 0}
_BAD_DOT: dict[str, Any] = {"s": 16, "color": theme.VERMILLION, "alpha": 0.9, "linewidths": 0.9, "marker": "x"}


def progress_plots(study: StudyFacts, tooltips: Mapping[int, str]) -> list[Plot]:
    """Return the plots of how the best score came about; none for fewer than two scores."""
    if len(study.scored) < 2:
        return []
    scale = score_scale([trial.score for trial in study.scored if trial.score is not None],
                        greater_is_better=study.greater_is_better)  # fmt: skip
    beyond = beyond_note(scale)
    return [
        Plot(
            "convergence_by_trial",
            "Best score by trial",
            *_SIZE,
            partial(_draw_by_trial, study=study, scale=scale),
            caption=f"Each dot is a trial, the line is the best score so far.{_failed_note(study)}{beyond}",
            tooltips=tooltips,
        ),
        Plot(
            "convergence_by_time",
            "Best score by wall time",
            *_SIZE,
            partial(_draw_by_time, study=study, scale=scale),
            caption=f"The same, at the time since the study began at which a trial ended.{beyond}",
            tooltips=tooltips,
        ),
    ]


def time_plots(study: StudyFacts, tooltips: Mapping[int, str]) -> list[Plot]:
    """Return the plots of where time went; none where fewer than two trials have ended."""
    ended = [trial for trial in study.trials if trial.seconds is not None]
    if len(ended) < 2:
        return []
    plots = [
        Plot(
            "time_by_trial",
            "Duration by trial",
            *_SIZE,
            partial(_draw_durations, trials=ended),
            caption="Wall time from a trial's first fold to its end; trials that failed are orange.",
        )
    ]
    if len(study.scored) >= 2:
        scale = score_scale([trial.score for trial in study.scored if trial.score is not None],
                            greater_is_better=study.greater_is_better)  # fmt: skip
        plots.append(
            Plot(
                "score_against_time",
                "Score against duration",
                *_SIZE,
                partial(_draw_score_against_time, study=study, scale=scale),
                caption="The line is the best score among trials that took no longer." + beyond_note(scale),
                tooltips=tooltips,
            )
        )
    return plots


def _failed_note(study: StudyFacts) -> str:
    return " Crosses at the edge are trials that failed." if study.failed else ""


def _draw_by_trial(figure: Figure, study: StudyFacts, scale: ScoreScale) -> None:
    axes = figure.subplots()
    trials = study.scored
    _draw_scores(axes, [trial.number for trial in trials], trials, study, scale)
    worst = scale.low if study.greater_is_better else scale.high
    failed = [trial.number for trial in study.failed]
    axes.scatter(failed, [worst] * len(failed), marker="x", s=20, color=theme.MUTED, linewidths=1, clip_on=False)
    dress(axes, xlabel="Trial", ylabel=shorten(study.metric or "", 34))
    _whole_numbers(axes, max(trial.number for trial in study.trials))


def _draw_by_time(figure: Figure, study: StudyFacts, scale: ScoreScale) -> None:
    axes = figure.subplots()
    trials = sorted(study.scored, key=lambda trial: (trial.end_ms or 0, trial.number))
    seconds = [max(0, (trial.end_ms or study.start_ms) - study.start_ms) / 1000 for trial in trials]
    unit, size = time_unit(seconds[-1])
    _draw_scores(axes, [second / size for second in seconds], trials, study, scale)
    dress(axes, xlabel=f"Time since the study began ({unit})", ylabel=shorten(study.metric or "", 34))
    axes.set_xlim(left=0)


def _draw_scores(
    axes: Axes, places: Sequence[float], trials: Sequence[TrialFacts], study: StudyFacts, scale: ScoreScale
) -> None:
    many = len(trials) > _MOST_LINKED
    scores = [scale.clip(trial.score) for trial in trials if trial.score is not None]
    urls = None if many else trial_links(trial.number for trial in trials)
    axes.scatter(places, scores, s=9 if many else 22, color=theme.SOFT, alpha=0.6 if many else 0.9, linewidths=0,
                 urls=urls, clip_on=False)  # fmt: skip
    reached = [scale.clip(score) for score in best_so_far(study, trials)]
    # The line goes on to where the study is now.
    axes.step([*places, max(places)], [*reached, reached[-1]], where="post", color=theme.BLUE, linewidth=2.2)
    score_axis(axes, scale)
    if study.best is not None and study.best in trials:
        place = places[list(trials).index(study.best)]
        mark_best(axes, place, study.best, scale)


def _whole_numbers(axes: Axes, last: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.set_xlim(-0.02 * max(last, 1) - 0.3, last + 0.02 * max(last, 1) + 0.3)


def _draw_durations(figure: Figure, trials: Sequence[TrialFacts]) -> None:
    axes = figure.subplots()
    unit, size = time_unit(max(trial.seconds or 0 for trial in trials))
    for good in (True, False):
        group = [trial for trial in trials if (trial.status == "FINISHED") is good]
        heights = [(trial.seconds or 0) / size for trial in group]
        numbers = [trial.number for trial in group]
        if len(trials) > _MOST_LINKED:
            look = _GOOD_DOT if good else _BAD_DOT
            axes.scatter(numbers, heights, **look)
        else:
            axes.bar(numbers, heights, width=0.72, color=theme.BLUE if good else theme.SURFACE, linewidth=0.9,
                     edgecolor=theme.BLUE if good else theme.VERMILLION, hatch=None if good else "////")  # fmt: skip
    dress(axes, xlabel="Trial", ylabel=f"Duration ({unit})")
    _whole_numbers(axes, max(trial.number for trial in trials))
    axes.set_ylim(bottom=0)


def _draw_score_against_time(figure: Figure, study: StudyFacts, scale: ScoreScale) -> None:
    axes = figure.subplots()
    trials = [trial for trial in study.scored if trial.seconds is not None]
    longest = max((trial.seconds or 0 for trial in trials), default=1.0)
    unit, size = time_unit(longest)
    seconds = [(trial.seconds or 0) / size for trial in trials]
    many = len(trials) > _MOST_LINKED
    axes.scatter(seconds, [scale.clip(trial.score or 0.0) for trial in trials], s=9 if many else 24, color=theme.SKY,
                 alpha=0.6 if many else 0.95, linewidths=0, clip_on=False,
                 urls=None if many else trial_links(trial.number for trial in trials))  # fmt: skip
    by_time = sorted(trials, key=lambda trial: trial.seconds or 0)
    if by_time:
        places = [(trial.seconds or 0) / size for trial in by_time]
        reached = [scale.clip(score) for score in best_so_far(study, by_time)]
        axes.step(places, reached, where="post", color=theme.BLUE, linewidth=1.4)
    score_axis(axes, scale)
    if study.best is not None and study.best.seconds is not None:
        mark_best(axes, study.best.seconds / size, study.best, scale)
    dress(axes, xlabel=f"Duration of the trial ({unit})", ylabel=shorten(study.metric or "", 34))
    axes.set_xlim(left=0)


def trial_tooltip(trial: TrialFacts, params: Sequence[str]) -> str:
    """Return what is said of a trial where its mark is pointed at."""
    shown = "\n".join(f"{name} = {trial.params[name][:80]}" for name in params[:8] if name in trial.params)
    return f"Trial {trial.number} · {show_number(trial.score)} · {show_seconds(trial.seconds)}\n{shown}"

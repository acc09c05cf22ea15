"""Failures of a study, grouped by their causes, with what the failed trials have in common."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_hpo.report._facts import StudyFacts, TrialFacts
from mlflow_hpo.report._read import read_traceback
from mlflow_hpo.report._values import shorten, show_param

_MOST_GROUPS = 12
_MOST_TRACEBACKS = 5
_TRACEBACK = 6000
_CAUSE = 400
_VARYING = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
_WITHOUT_WORDS = {
    "KILLED": "Interrupted: the study ended while it ran",
    "FAILED": "Failed without an error of its own",
}
NOT_A_NUMBER = "Finished without a score: it is NaN or infinite"


@dataclass(frozen=True)
class FailureGroup:
    """Trials that failed for one cause.

    Parameters
    ----------
    cause : str
        The last line of the first one's traceback.
    trials : sequence of TrialFacts
    common : sequence of str
        Parameter values that all of them have, and no trial that has a score.
    traceback : str or None
        The first one's.
    """

    cause: str
    trials: Sequence[TrialFacts]
    common: Sequence[str]
    traceback: str | None


def failure_groups(study: StudyFacts) -> list[FailureGroup]:
    """Return the failures of a study by cause, the most frequent first; numbers in a message make no other cause."""
    groups: defaultdict[str, list[TrialFacts]] = defaultdict(list)
    for trial in study.trials:
        if (cause := _cause(trial)) is not None:
            groups[_VARYING.sub("#", cause)].append(trial)
    ranked = sorted(groups.values(), key=lambda trials: (-len(trials), trials[0].number))[:_MOST_GROUPS]
    return [_group(study, trials, with_traceback=index < _MOST_TRACEBACKS) for index, trials in enumerate(ranked)]


def _cause(trial: TrialFacts) -> str | None:
    if trial.status in _WITHOUT_WORDS:
        return trial.error or _WITHOUT_WORDS[trial.status]
    return NOT_A_NUMBER if trial.status == "FINISHED" and trial.score is None else None


def _group(study: StudyFacts, trials: Sequence[TrialFacts], *, with_traceback: bool) -> FailureGroup:
    first = trials[0]
    traceback = read_traceback(study, first) if with_traceback and first.error else None
    return FailureGroup(
        cause=shorten(_cause(first) or "", _CAUSE),
        trials=trials,
        common=_in_common(study, trials),
        traceback=None if traceback is None else traceback[-_TRACEBACK:],
    )


def _in_common(study: StudyFacts, trials: Sequence[TrialFacts]) -> list[str]:
    if len(trials) < 2 or not study.scored:
        return []
    common = set(trials[0].params.items()).intersection(*(trial.params.items() for trial in trials[1:]))
    good = {pair for trial in study.scored for pair in trial.params.items()}
    return [f"{name} = {shorten(show_param(value), 60)}" for name, value in sorted(common - good)]

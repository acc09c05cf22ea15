"""Finished runs: kept as lines of JSON, and what they add up to."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Record:
    """One finished run of one contender.

    Parameters
    ----------
    search, contender : str
        Their names.
    seed : int
        Also the round in which it ran.
    seconds : float or None
        None where it failed.
    best_score : float or None
    scores : list of list of float, or None
    rss_mb : float or None
    others : float or None
        How many cores others kept busy meanwhile.
    error : str or None
    """

    search: str
    contender: str
    seed: int
    seconds: float | None = None
    best_score: float | None = None
    scores: list[list[float]] | None = None
    rss_mb: float | None = None
    others: float | None = None
    error: str | None = None

    @classmethod
    def of(cls, job: dict[str, Any], measured: dict[str, Any]) -> Record:
        """Return the record of a job."""
        return cls(**_known(cls, job | measured))


@dataclass(frozen=True)
class Start:
    """How soon the folds of one study began.

    Parameters
    ----------
    way : str
        Who trained them.
    seed : int
        Also the round in which it ran.
    first_epoch, first_fold : float or None
        Seconds from `fit` until the study heard of an epoch, and had a fold's result; None where it failed.
    error : str or None
    """

    way: str
    seed: int
    first_epoch: float | None = None
    first_fold: float | None = None
    error: str | None = None

    @classmethod
    def of(cls, job: dict[str, Any], measured: dict[str, Any]) -> Start:
        """Return the record of a job."""
        return cls(**_known(cls, job | measured))


@dataclass
class Records:
    """All runs so far, of searches and of long studies.

    Parameters
    ----------
    runs : list of Record
    scale : dict of str to dict
        Figures by long study.
    starts : list of Start
    """

    runs: list[Record]
    scale: dict[str, dict[str, Any]]
    starts: list[Start] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Records:
        """Return what a file has."""
        records = cls([], {})
        for line in path.read_text().splitlines():
            values = json.loads(line)
            if "scale" in values:
                records.scale[values.pop("scale")] = values
            elif "way" in values:
                records.starts.append(Start(**values))
            else:
                records.runs.append(Record(**values))
        return records

    def write(self, path: Path) -> None:
        """Write all to a file."""
        lines = [asdict(record) for record in [*self.runs, *self.starts]]
        lines += [{"scale": name, **figures} for name, figures in self.scale.items()]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def of(self, search: str, contender: str) -> dict[int, Record]:
        """Return the runs that succeeded, by seed."""
        runs = (run for run in self.runs if run.search == search and run.contender == contender)
        return {run.seed: run for run in runs if run.seconds is not None}

    def median(self, search: str, contender: str, value: str = "seconds") -> float | None:
        """Return the median of a value over the rounds."""
        values = [getattr(run, value) for run in self.of(search, contender).values()]
        values = [value for value in values if value is not None]
        return statistics.median(values) if values else None

    def ratios(self, search: str, numerator: str, denominator: str) -> list[float]:
        """Return how many times as long one contender took as another, by round in which both ran."""
        above, below = self.of(search, numerator), self.of(search, denominator)
        return [_seconds(above[seed]) / _seconds(below[seed]) for seed in sorted(above.keys() & below.keys())]

    def ratio(self, search: str, numerator: str, denominator: str) -> float | None:
        """Return the median of `ratios`."""
        ratios = self.ratios(search, numerator, denominator)
        return statistics.median(ratios) if ratios else None

    def started(self, way: str) -> list[Start]:
        """Return the short studies that succeeded, by who trained their folds."""
        return [start for start in self.starts if start.way == way and start.error is None]

    def waited(self, way: str, what: str) -> float | None:
        """Return the median of what was waited for, over the rounds."""
        values = [value for start in self.started(way) if (value := getattr(start, what)) is not None]
        return statistics.median(values) if values else None

    def agree(self, search: str, one: str, other: str, same: Callable[[Record, Record], bool]) -> bool | None:
        """Return whether two contenders found the same in each round in which both ran; None if there is none."""
        left, right = self.of(search, one), self.of(search, other)
        rounds = left.keys() & right.keys()
        return all(same(left[seed], right[seed]) for seed in rounds) if rounds else None


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    return {known.name: values[known.name] for known in fields(cls) if known.name in values}


def _seconds(record: Record) -> float:
    assert record.seconds is not None
    return record.seconds


def same_scores(one: Record, other: Record) -> bool:
    """Return whether all scores are equal to the last bit."""
    return one.scores == other.scores and one.best_score == other.best_score

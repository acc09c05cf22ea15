"""The command: runs all contenders in turn, and keeps the report up to date after each run."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import click

from benchmarks.contenders import CONTENDERS, Contender, Store
from benchmarks.launch import Launcher, launcher
from benchmarks.plot import write_plot
from benchmarks.records import Record, Records, Start
from benchmarks.report import write_report
from benchmarks.scale import STUDIES
from benchmarks.schedule import Repeats, schedule
from benchmarks.searches import SEARCHES
from benchmarks.startup import WAYS

_HERE = Path(__file__).resolve().parent


class _Names(click.ParamType):
    """Names from a list, with commas between."""

    name = "names"

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def convert(self, value: Any, param: Any, ctx: Any) -> list[str]:
        """Return the names, each a known one."""
        if isinstance(value, list):
            return value
        names = [name.strip() for name in value.split(",") if name.strip()]
        for name in names:
            if name not in self._known:
                self.fail(f"{name!r} is none of {', '.join(self._known)}", param, ctx)
        return names


class _Session:
    """One call of the command: what is measured goes into the records and the report."""

    def __init__(
        self, launched: Launcher, records: Records, output: Path, *, quick: bool, minutes: float, note: str
    ) -> None:
        self._launched = launched
        self._records = records
        self._output = output
        self._quick = quick
        self._note = note
        self._deadline = time.monotonic() + 60 * minutes

    def search(self, seed: int, search: str, contender: Contender) -> None:
        """Run one contender on one search."""
        job = {"search": search, "contender": contender.name, "seed": seed, "quick": self._quick}
        measured = self._run(f"round {seed}, {search}, {contender.name}", job, contender.store)
        self._records.runs.append(Record.of(job, measured))
        self.report(complete=False)

    def study(self, name: str) -> None:
        """Run one long study."""
        study = STUDIES[name]
        store = Store.NONE if study.log_models is None else Store.SQLITE
        measured = self._run(f"long study {name}", {"scale": name, "quick": self._quick}, store)
        self._records.scale[name] = {"title": study.title, **measured}
        self.report(complete=False)

    def start(self, seed: int, way: str) -> None:
        """Measure how soon the workers of one short study begin."""
        job = {"way": way, "seed": seed}
        measured = self._run(f"round {seed}, start-up, {way}", job, Store.SQLITE)
        self._records.starts.append(Start.of(job, measured))
        self.report(complete=False)

    def has_time(self, expected: float | None) -> bool:
        """Return whether a run that takes this long would end in time."""
        return time.monotonic() + (expected or 0.0) < self._deadline

    def expected(self, search: str, contender: str) -> float | None:
        """Return how long a run has taken before, or else the plain search, which most are near; in seconds."""
        return self._records.median(search, contender) or self._records.median(search, "plain")

    def report(self, *, complete: bool) -> None:
        """Write what there is."""
        self._records.write(self._output / "results.jsonl")
        report(self._records, self._output, complete=complete, quick=self._quick, note=self._note)

    def _run(self, title: str, job: Mapping[str, Any], store: Store) -> dict[str, Any]:
        click.echo(f"{title} ... ", nl=False)
        measured = self._launched.run(job, store)
        log = measured.pop("log", "")
        seconds = measured.get("seconds", measured.get("first_fold"))
        click.echo(f"failed\n{log}" if seconds is None else f"{seconds:.2f} s")
        return measured


def report(records: Records, output: Path, *, complete: bool, quick: bool, note: str) -> None:
    """Write the table and the plot of some records."""
    drawn = write_plot(records, output / "results.png")
    plot = "results.png" if drawn else None
    write_report(records, output / "RESULTS.md", complete=complete, quick=quick, plot=plot, note=note)


@click.command(context_settings={"show_default": True})
@click.option("--searches", type=_Names(SEARCHES), default=",".join(SEARCHES), help="Which searches.")
@click.option("--contenders", type=_Names(CONTENDERS), default=",".join(CONTENDERS), help="Who takes part.")
@click.option("--workers", type=click.IntRange(1, 2), default=None, help="Only those with so many; default: all.")
@click.option("--startup", type=_Names(WAYS), default=",".join(WAYS), help="Whose start-up; '' for none.")
@click.option("--scale", type=_Names(STUDIES), default=",".join(STUDIES), help="Which long studies; '' for none.")
@click.option("--repeats", type=click.IntRange(1), default=5, help="Rounds of ours and of the floor.")
@click.option("--plain-repeats", type=click.IntRange(0), default=3, help="Rounds of plain scikit-learn.")
@click.option("--peer-repeats", type=click.IntRange(0), default=2, help="Rounds of the other peers.")
@click.option("--minutes", type=float, default=240.0, help="No run is begun that would not end in this time.")
@click.option("--quick", is_flag=True, help="Tiny searches, one round: only to see whether everything works.")
@click.option("--keep", is_flag=True, help="Add to the results there are, rounds that are in are not run again.")
@click.option("--report-only", is_flag=True, help="Write table and plot again from the results there are.")
@click.option("--note", default="", help="A sentence for the report: what was special about this run.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where results go.  [default: this directory; build/benchmarks-quick if --quick]",
)
def main(
    searches: list[str],
    contenders: list[str],
    workers: int | None,
    startup: list[str],
    scale: list[str],
    repeats: int,
    plain_repeats: int,
    peer_repeats: int,
    minutes: float,
    quick: bool,
    keep: bool,
    report_only: bool,
    note: str,
    output: Path | None,
) -> None:
    """Time the same searches side by side: this project, what users have instead, and the arithmetic alone."""
    # Ends the run that is on, and the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    output = output or (Path("build/benchmarks-quick") if quick else _HERE)
    output.mkdir(parents=True, exist_ok=True)
    kept = output / "results.jsonl"
    records = Records.read(kept) if (keep or report_only) and kept.exists() else Records([], {})
    if keep:
        records.runs = [run for run in records.runs if run.error is None]
        records.starts = [start for start in records.starts if start.error is None]
    if report_only:
        report(records, output, complete=True, quick=quick, note=note)
        return
    if quick:
        repeats, plain_repeats, peer_repeats = 1, min(1, plain_repeats), min(1, peer_repeats)
    taking_part = [CONTENDERS[name] for name in contenders if workers in (None, CONTENDERS[name].workers)]
    for contender in [contender for contender in taking_part if contender.missing]:
        click.echo(f"{contender.title} is left out: {', '.join(contender.missing)} not installed.")
        taking_part.remove(contender)
    ways = [WAYS[name] for name in startup if not WAYS[name].missing]
    rounds = schedule([SEARCHES[name] for name in searches], taking_part, Repeats(repeats, plain_repeats, peer_repeats))
    with launcher(timeout=900) as launched:
        session = _Session(launched, records, output, quick=quick, minutes=minutes, note=note)
        complete = True
        for seed, search, contender in rounds:
            if keep and seed in records.of(search.name, contender.name):
                continue
            if session.has_time(session.expected(search.name, contender.name)):
                session.search(seed, search.name, contender)
            else:
                complete = False
        for seed, way in product(range(repeats), ways):
            if all(start.seed != seed for start in records.started(way.name)) and session.has_time(None):
                session.start(seed, way.name)
        for name in scale:
            if not (keep and name in records.scale) and session.has_time(None):
                session.study(name)
        session.report(complete=complete)

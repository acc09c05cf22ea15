"""`RESULTS.md`: the table of all contenders, the targets, the long studies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.machine import machine, versions
from benchmarks.records import Records, same_scores
from benchmarks.searches import SEARCHES
from benchmarks.targets import verdicts

_BUSY = 0.2


def write_report(records: Records, path: Path, *, complete: bool, quick: bool, plot: str | None, note: str) -> None:
    """Write the report.

    Parameters
    ----------
    records : Records
    path : Path
        The file.
    complete : bool
        Whether all that was asked for has been run.
    quick : bool
        Whether the searches were made tiny.
    plot : str or None
        Name of the picture beside it.
    note : str
        What was special about this run, empty if nothing was.
    """
    path.write_text("\n\n".join(_sections(records, complete=complete, quick=quick, plot=plot, note=note)) + "\n")


def _sections(records: Records, *, complete: bool, quick: bool, plot: str | None, note: str) -> Iterable[str]:
    yield "# Results"
    yield (
        "Written by `python -m benchmarks`; [README.md](README.md) says what is compared and how.\n\n"
        f"- Machine: {machine()}\n- Versions: {versions()}\n- {_load(records)}"
    )
    if quick:
        yield "**These are tiny searches that show that everything works; their times mean nothing.**"
    if not complete:
        yield "**Not all runs that were asked for are in: the benchmark is still running, or was cut off.**"
    if note:
        yield f"**{note}**"
    if plot:
        yield f"![Seconds a search takes, by contender]({plot})"
    searches = [name for name in SEARCHES if any(run.search == name for run in records.runs)]
    if searches:
        yield "## Searches"
        yield (
            "Median seconds of a whole search (the median of the rounds' ratios to plain scikit-learn + scikeras in "
            "brackets: 2x is twice as fast), number of rounds, and the largest resident memory. A dash: not run."
        )
        yield _search_table(records, searches)
        yield from _notes(records)
    found = verdicts(records)
    if found:
        yield "## Targets"
        yield _table(
            ["", "target", "measured", ""],
            [[v.what, v.target, v.measured, "met" if v.met else "**missed**"] for v in found],
        )
    if records.scale:
        yield "## Long studies"
        yield _scale_table(records)
        yield (
            "Cost of a trial: the mean over a hundred trials, between the last fold's score of one trial and that of "
            "another; what is left to do after the last score (refit, report, what is not written yet) is told apart. "
            "Memory: resident, from the first tenth of the fits to the last fit. Reading back: `read_trials` "
            "on a sqlite file, all parameters and metrics of all trials as one table."
        )


def _search_table(records: Records, searches: Sequence[str]) -> str:
    rows = []
    for name, contender in CONTENDERS.items():
        if any(records.median(search, name) is not None for search in searches):
            rows.append([contender.title, *(_cell(records, search, name) for search in searches)])
    rows.append(["*best_score_ and all fold scores, ours against plain*", *(_equal(records, s) for s in searches)])
    return _table(["", *(SEARCHES[search].title for search in searches)], rows)


def _cell(records: Records, search: str, name: str) -> str:
    seconds = records.median(search, name)
    if seconds is None:
        return "-"
    ratio = records.ratio(search, "plain", name)
    against = "" if ratio is None or name == "plain" else f" ({_factor(ratio)})"
    memory = records.median(search, name, "rss_mb")
    return f"**{seconds:.1f} s**{against}, n={len(records.of(search, name))}, {memory:,.0f} MB"


def _factor(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio >= 1.95 else f"{ratio:.2f}x"


def _equal(records: Records, search: str) -> str:
    ours = [name for name in CONTENDERS if name.startswith("ours")]
    agree = [same for name in ours if (same := records.agree(search, "plain", name, same_scores)) is not None]
    if not agree:
        return "-"
    return f"equal to the last bit in all {len(agree)} variants" if all(agree) else "**differ**"


def _notes(records: Records) -> Iterable[str]:
    notes = [
        f"- Left out, {', '.join(contender.missing)} not installed: {contender.title}."
        for contender in CONTENDERS.values()
        if contender.missing and all(run.contender != contender.name for run in records.runs)
    ]
    notes += [
        f"- Failed ({run.error}): {CONTENDERS[run.contender].title}, {SEARCHES[run.search].title}, round {run.seed}."
        for run in records.runs
        if run.error
    ]
    if any(run.contender == "ray" and run.seconds for run in records.runs):
        notes.append("- Ray's seconds include the start of its one worker process and TensorFlow's import there.")
    if notes:
        yield "\n".join(notes)


def _load(records: Records) -> str:
    local = [run for run in records.runs if run.contender != "ray" and not run.contender.endswith("_http")]
    busy = sorted(run.others for run in local if run.others is not None)
    if not busy:
        return "What else the machine did meanwhile is not known."
    loud = sum(value > _BUSY for value in busy)
    middle = busy[len(busy) // 2]
    return (
        f"Other processes kept {middle:.2f} cores busy during the median run, {busy[-1]:.2f} at most; "
        f"more than {_BUSY:g} in {loud} of {len(busy)} runs (Ray and HTTP not counted: their servers are others too)."
    )


def _scale_table(records: Records) -> str:
    header = [
        "study",
        "trials",
        "fits",
        "a trial, first hundred",
        "a trial, last hundred",
        "after the last",
        "memory",
        "read back",
    ]
    rows = []
    for figures in records.scale.values():
        if "error" in figures:
            rows.append([figures["title"], f"failed ({figures['error']})", *[""] * 6])
            continue
        read = f"{figures['read_rows']:,} trials in {figures['read_s']:.2f} s" if "read_s" in figures else "-"
        rows.append(
            [
                figures["title"],
                f"{figures['trials']:,}",
                f"{figures['fits']:,}",
                f"{figures['first_window_ms']:.1f} ms",
                f"{figures['last_window_ms']:.1f} ms",
                f"{figures['after_last_trial_s']:.1f} s",
                f"{figures['warm_mb']:.0f} MB {figures['growth_mb']:+.0f} MB",
                read,
            ]
        )
    return _table(header, rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

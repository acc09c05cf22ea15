"""`RESULTS.md`: the table of all contenders, the targets, the long studies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.contenders import Contender, Role, with_workers
from benchmarks.machine import machine, versions
from benchmarks.records import Records, same_scores
from benchmarks.searches import SEARCHES
from benchmarks.startup import INLINE, WAYS
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
    if searches := _searched(records, 1):
        yield "## Searches"
        yield (
            "Median seconds of a whole search (the median of the rounds' ratios to plain scikit-learn + scikeras in "
            "brackets: 2x is twice as fast), number of rounds, and the largest resident memory. A dash: not run."
        )
        yield _search_table(records, searches, 1)
        yield from _notes(records, 1)
    if searches := _searched(records, 2):
        yield "## Two workers"
        yield (
            "The same searches, two workers: median seconds (the median of the rounds' ratios to plain scikit-learn + "
            "scikeras with `n_jobs=2` in brackets), speed-up against the same with one worker, and number of rounds. "
            "The seconds include the start of worker processes and TensorFlow's import there. Scores are compared with "
            "plain's, and where an operation uses one thread with those of one worker that does so, too."
        )
        yield _search_table(records, searches, 2)
        yield from _notes(records, 2)
    if records.starts:
        yield "## Start-up of workers"
        yield (
            "Seconds from `fit`, in a fresh process that has made its `KerasClassifier`, until the study hears of the "
            "first epoch, and until it has the first fold's result (in brackets against one at a time). Medians."
        )
        yield _startup_table(records)
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


def _searched(records: Records, workers: int) -> list[str]:
    names = {contender.name for contender in with_workers(workers)}
    run = {run.search for run in records.runs if run.contender in names}
    return [name for name in SEARCHES if name in run]


def _search_table(records: Records, searches: Sequence[str], workers: int) -> str:
    contenders = with_workers(workers)
    plain = next(contender.name for contender in contenders if contender.role is Role.PLAIN)
    rows = []
    for contender in contenders:
        if any(records.median(search, contender.name) is not None for search in searches):
            rows.append([contender.title, *(_cell(records, search, contender, plain) for search in searches)])
    rows.append(
        [
            "*best_score_ and all fold scores of ours*",
            *(_equal(records, search, contenders) for search in searches),
        ]
    )
    return _table(["", *(SEARCHES[search].title for search in searches)], rows)


def _cell(records: Records, search: str, contender: Contender, plain: str) -> str:
    name = contender.name
    seconds = records.median(search, name)
    if seconds is None:
        return "-"
    parts = [f"**{seconds:.1f} s**"]
    ratio = records.ratio(search, plain, name)
    if ratio is not None and name != plain:
        parts[0] += f" ({_factor(ratio)})"
    alone = records.ratio(search, contender.alone, name)
    if alone is not None:
        parts.append(f"speed-up {alone:.2f}x")
    parts.append(f"n={len(records.of(search, name))}")
    if contender.workers == 1:  # that of several processes is not known
        parts.append(f"{records.median(search, name, 'rss_mb'):,.0f} MB")
    return ", ".join(parts)


def _factor(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio >= 1.95 else f"{ratio:.2f}x"


def _equal(records: Records, search: str, contenders: Sequence[Contender]) -> str:
    found = {
        contender.title: same
        for contender in contenders
        if contender.equals
        and (same := records.agree(search, contender.equals, contender.name, same_scores)) is not None
    }
    differ = [title for title, same in found.items() if not same]
    if differ:
        return f"**differ**: {'; '.join(differ)}"
    return f"equal to the last bit in all {len(found)} variants" if found else "-"


def _notes(records: Records, workers: int) -> Iterable[str]:
    contenders = {contender.name: contender for contender in with_workers(workers)}
    runs = [run for run in records.runs if run.contender in contenders]
    notes = [
        f"- Left out, {', '.join(contender.missing)} not installed: {contender.title}."
        for contender in contenders.values()
        if contender.missing and all(run.contender != contender.name for run in runs)
    ]
    notes += [
        f"- Failed ({run.error}): {contenders[run.contender].title}, {SEARCHES[run.search].title}, round {run.seed}."
        for run in runs
        if run.error
    ]
    if any(run.contender == "ray" and run.seconds for run in runs):
        notes.append("- Ray's seconds include the start of its worker processes and TensorFlow's import there.")
    if notes:
        yield "\n".join(notes)


def _startup_table(records: Records) -> str:
    rows = []
    for way in WAYS.values():
        of_way = [start for start in records.starts if start.way == way.name]
        if n_rounds := len(records.started(way.name)):
            waited = [_waited(records, way.name, what) for what in ("first_epoch", "first_fold")]
            rows.append([way.title, *waited, str(n_rounds)])
        elif of_way or way.missing:
            why = f"failed ({of_way[-1].error})" if of_way else f"{', '.join(way.missing)} not installed"
            rows.append([way.title, why, "", ""])
    return _table(["", "first epoch", "first fold", "rounds"], rows)


def _waited(records: Records, way: str, what: str) -> str:
    seconds, inline = records.waited(way, what), records.waited(INLINE, what)
    if seconds is None:
        return "-"
    return f"**{seconds:.1f} s**" + ("" if inline is None or way == INLINE else f" ({_factor(seconds / inline)})")


def _load(records: Records) -> str:
    local = [run for run in records.runs if not run.contender.startswith("ray") and not run.contender.endswith("_http")]
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

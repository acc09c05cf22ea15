"""What this project set out to reach, and whether it does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from benchmarks.contenders import CONTENDERS, Role, with_workers
from benchmarks.records import Records, same_scores
from benchmarks.searches import SEARCHES

SAVING_ALL = "ours_all"
_SPEEDUPS = {"digits": 8.0, "widths": 4.0, "cnn": 3.0, "mlp784": 2.5, "mlp784_long": 2.5}
_OVERHEADS = {"ours_none": 1.01, "ours_best": 1.03, "ours_all": 1.03, "ours_none_http": 1.01, "ours_all_http": 1.03}
_LARGEST = "mlp784"
# Their trials take two seconds and more.
_LONG_TRIALS = ("mlp784", "mlp784_long")
_FLOOR = 1.3
_WORKERS = 1.8
_GROWTH_MB = 100.0
_LAST_TO_FIRST = 1.1


@dataclass(frozen=True)
class Verdict:
    """One target.

    Parameters
    ----------
    what, target, measured : str
    met : bool
    """

    what: str
    target: str
    measured: str
    met: bool


def verdicts(records: Records) -> list[Verdict]:
    """Return all targets that something was measured for."""
    measured = [name for name in SEARCHES if records.median(name, SAVING_ALL) is not None]
    found = [verdict for name in measured for verdict in (_speedup(records, name), _scores(records, name)) if verdict]
    found += [verdict for name in measured for verdict in _peers(records, name)]
    found += [verdict for name in measured for verdict in _overheads(records, name)]
    ratio = records.ratio(_LARGEST, SAVING_ALL, "floor")
    if ratio is not None:
        title = f"{SEARCHES[_LARGEST].title}: every model saved, against the training steps alone"
        found.append(Verdict(title, f"at most {_FLOOR:g}x", _spread(records, _LARGEST, "floor"), ratio <= _FLOOR))
    return found + _workers(records) + _scale(records)


def _speedup(records: Records, search: str) -> Verdict | None:
    ratios = records.ratios(search, "plain", SAVING_ALL)
    if not ratios:
        return None
    ratio = records.ratio(search, "plain", SAVING_ALL) or 0.0
    target = _SPEEDUPS[search]
    title = f"{SEARCHES[search].title}: every model saved, against plain untracked"
    return Verdict(title, f"at least {target:g}x faster", f"{ratio:.1f}x faster", ratio >= target)


def _scores(records: Records, search: str) -> Verdict | None:
    names = [name for name in _names(Role.OURS) if CONTENDERS[name].equals]
    agree = [records.agree(search, CONTENDERS[name].equals, name, same_scores) for name in names]
    agree = [same for same in agree if same is not None]
    if not agree:
        return None
    title = f"{SEARCHES[search].title}: best_score_ and all fold scores, ours against plain"
    return Verdict(title, "equal to the last bit", "equal" if all(agree) else "differ", all(agree))


def _peers(records: Records, search: str) -> list[Verdict]:
    peers = _names(Role.PEER)
    ratios = {name: records.ratio(search, name, SAVING_ALL) for name in peers}
    known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    if not known:
        return []
    closest = min(known, key=lambda name: known[name])
    title = f"{SEARCHES[search].title}: every model saved, against the fastest peer"
    measured = f"{known[closest]:.1f}x faster than {CONTENDERS[closest].title} ({len(known)} of {len(peers)} peers run)"
    return [Verdict(title, "faster than each", measured, known[closest] > 1)]


def _overheads(records: Records, search: str) -> list[Verdict]:
    found = []
    for name, target in _OVERHEADS.items():
        ratio = records.ratio(search, name, "ours_untracked")
        if ratio is not None:
            title = f"{SEARCHES[search].title}: {CONTENDERS[name].title}, against ours untracked"
            measured = _spread(records, search, "ours_untracked", name)
            found.append(Verdict(title, f"at most {target:g}x", measured, ratio <= target))
    return found


def _spread(records: Records, search: str, denominator: str, name: str = SAVING_ALL) -> str:
    ratios = records.ratios(search, name, denominator)
    return f"{records.ratio(search, name, denominator):.3f}x ({min(ratios):.3f} to {max(ratios):.3f})"


def _workers(records: Records) -> list[Verdict]:
    found = []
    for search, name in itertools.product(_LONG_TRIALS, _names(Role.OURS, workers=2)):
        ratio = records.ratio(search, CONTENDERS[name].alone, name)
        if ratio is not None:
            title = f"{SEARCHES[search].title}: {CONTENDERS[name].title}, against one worker"
            found.append(Verdict(title, f"at least {_WORKERS:g}x faster", f"{ratio:.2f}x faster", ratio >= _WORKERS))
    return found


def _scale(records: Records) -> list[Verdict]:
    found = []
    for figures in records.scale.values():
        if "error" in figures:
            continue
        ratio = figures["last_window_ms"] / figures["first_window_ms"]
        title = f"{figures['title']}: last {figures['window']} trials of {figures['trials']} against the first"
        found.append(Verdict(title, f"at most {_LAST_TO_FIRST:g}x", f"{ratio:.2f}x", ratio <= _LAST_TO_FIRST))
        if figures["fits"] > 500 and "Ridge" not in figures["title"]:
            growth = figures["growth_mb"]
            title = f"{figures['title']}: memory over {figures['fits']:,} fits"
            found.append(
                Verdict(title, f"grows by less than {_GROWTH_MB:g} MB", f"{growth:+.0f} MB", growth < _GROWTH_MB)
            )
    return found


def _names(role: Role, workers: int = 1) -> list[str]:
    return [contender.name for contender in with_workers(workers) if contender.role is role]

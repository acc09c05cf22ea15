"""In which order contenders run: in turn, each round begun by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.contenders import Contender, Role
from benchmarks.searches import Search


@dataclass(frozen=True)
class Repeats:
    """How many rounds each takes part in.

    Parameters
    ----------
    ours, plain, peers : int
        The floor goes with ours.
    """

    ours: int
    plain: int
    peers: int

    def of(self, contender: Contender) -> int:
        """Return the number of rounds of a contender."""
        return {Role.PLAIN: self.plain, Role.PEER: self.peers}.get(contender.role, self.ours)


def schedule(
    searches: Sequence[Search], contenders: Sequence[Contender], repeats: Repeats
) -> Iterator[tuple[int, Search, Contender]]:
    """Yield seed, search and contender of each run, by rounds."""
    for seed in range(max((repeats.of(contender) for contender in contenders), default=0)):
        taking_part = [contender for contender in contenders if seed < repeats.of(contender)]
        first = 5 * seed % len(taking_part)
        for search in searches:
            for contender in taking_part[first:] + taking_part[:first]:
                yield seed, search, contender

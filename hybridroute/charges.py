"""What an arm is charged: it answers where its estimate, less its charge, is the largest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """One charge an arm, in units of the estimate; the arms stand in the router's order.

    Two arms and a threshold t are the charges (t, 0) on the estimates (score, 0): the edge answers
    if score >= t. Costs c and a weight w are the charges w * c (RouterBench, arXiv 2403.12031,
    section 4: the utility q - w c).

    Parameters
    ----------
    fixed : tuple of float
    per_character : tuple of float
        What each character of the routed text adds; empty if nothing.
    """

    fixed: tuple[float, ...]
    per_character: tuple[float, ...] = ()

    def of(self, characters: int) -> tuple[float, ...]:
        """The charges for a routed text of so many characters."""
        if not self.per_character:
            return self.fixed
        both = zip(self.fixed, self.per_character, strict=True)
        return tuple(fixed + slope * characters for fixed, slope in both)


def best_arm(estimates: Sequence[float], charges: Sequence[float], among: Iterable[int]) -> int:
    """The place of the largest estimate - charge; the first of equals, which is the cheapest.

    Parameters
    ----------
    estimates, charges : sequence of float, length m
    among : iterable of int
        The places that may be chosen, in rising order; at least one.
    """
    return max(among, key=lambda at: estimates[at] - charges[at])

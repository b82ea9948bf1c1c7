"""Timing: rounds that interleave what is compared, and fresh processes with an empty run beside."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds of one call, one a round."""

    rounds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The least disturbed round."""
        return min(self.rounds)

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.rounds)


def interleaved(
    calls: Mapping[str, Callable[[], object]], *, repeats: int = 1, rounds: int = ROUNDS
) -> dict[str, Times]:
    """Time calls turn by turn, so that what else the machine does falls on all alike.

    Parameters
    ----------
    calls : mapping of str to callable
    repeats : int
        Calls that make up one round's mean.
    rounds : int
        After one that is thrown away.
    """
    held: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            if number:
                held[name].append((time.perf_counter() - start) * 1000.0 / repeats)
    return {name: Times(rounds=tuple(values)) for name, values in held.items()}


def in_fresh_processes(programs: Mapping[str, str], *, rounds: int = ROUNDS) -> dict[str, Times]:
    """Time whole interpreters that run a program each, the first round thrown away."""
    calls = {name: _runner(code) for name, code in programs.items()}
    return interleaved(calls, rounds=rounds)


def _runner(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

"""Which rows are fitted on, selected by and judged: the same for every router.

Parts are cut by the hash of the prompt, so equal prompts never part and every machine cuts alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.splits import split_of

Rows = NDArray[np.intp]
HeldOut = Literal["given", "prompts", "domains"]

FOLDS = 5
SELECT_SHARE = 0.2
_FEWEST_DOMAINS = 5
_FEWEST_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """Row numbers of one run: fitted on, selected by, judged. No prompt is in two of them."""

    seed: int
    fit: Rows
    select: Rows
    test: Rows

    @property
    def train(self) -> Rows:
        """Fitted on once the settings are chosen."""
        return np.concatenate([self.fit, self.select])


def folds_of(
    table: ScoreTable, *, held_out: HeldOut, seeds: int, test: Rows | None = None
) -> tuple[Fold, ...]:
    """One fold a seed.

    Parameters
    ----------
    table : ScoreTable
    held_out : {"given", "prompts", "domains"}
        ``given``: every seed judges the rows ``test``, and cuts the others anew into those to fit
        on and those to select by. ``prompts``: the rows fall into as many parts as there are
        seeds, or five if those are under three, by their hash; seed s judges part s.
        ``domains``: whole domains do.
    seeds : int
        At most as many as there are domains, with ``domains``.
    test : ndarray of int
        With ``given`` alone. Rows whose prompt is among them are not fitted on.

    Raises
    ------
    ConfigError
        If seeds is below 1.
    DataError
        If a part comes out empty.
    """
    if seeds < 1:
        raise ConfigError(f"seeds is {seeds}; give at least 1")
    if held_out == "given":
        if test is None or not len(test):
            raise DataError("there are no rows to judge; give --test, or rows marked as test")
        judged = {table.hashes[row] for row in test}
        rest = np.array(
            [row for row, key in enumerate(table.hashes) if key not in judged], dtype=np.intp
        )
        return tuple(_fold(table, seed, rest, test, by_domain=False) for seed in range(seeds))
    by_domain = held_out == "domains"
    parts = _domain_parts(table, seeds) if by_domain else _prompt_parts(table, seeds)
    whole = np.arange(len(table))
    return tuple(
        _fold(table, seed, np.setdiff1d(whole, part), part, by_domain=by_domain)
        for seed, part in enumerate(parts[:seeds])
    )


def _count(seeds: int) -> int:
    return seeds if seeds >= _FEWEST_PARTS else FOLDS


def _prompt_parts(table: ScoreTable, seeds: int) -> list[Rows]:
    count = _count(seeds)
    names = [(str(at), 1.0 / count) for at in range(count)]
    place = np.array([int(split_of(key, 0, names)) for key in table.hashes])
    return [np.flatnonzero(place == at) for at in range(count)]


def _domain_parts(table: ScoreTable, seeds: int) -> list[Rows]:
    """Domains in the order of their hashes, dealt out in turn."""
    names = sorted({name for name in table.domains if name is not None})
    if None in table.domains or len(names) < 2:
        raise DataError(
            f"{table.source} has {len(names)} domains, or rows without one: whole domains cannot "
            "be held out; hold out prompts"
        )
    count = min(_count(seeds), len(names))
    names.sort(key=lambda name: _shuffled(name, 0))
    of_name = {name: at % count for at, name in enumerate(names)}
    place = np.array([of_name[name] for name in table.domains if name is not None])
    return [np.flatnonzero(place == at) for at in range(count)]


def _fold(table: ScoreTable, seed: int, rest: Rows, test: Rows, *, by_domain: bool) -> Fold:
    domains = [str(table.domains[row]) for row in rest]
    # To choose settings for unknown domains, select by unknown domains, if there are enough.
    if by_domain and len(set(domains)) >= _FEWEST_DOMAINS:
        picked = set(_some_domains(set(domains), seed))
        chosen = np.array([name in picked for name in domains], dtype=np.bool_)
    else:
        parts = (("fit", 1.0 - SELECT_SHARE), ("select", SELECT_SHARE))
        cut = [split_of(table.hashes[row], seed, parts) for row in rest]
        chosen = np.array([name == "select" for name in cut], dtype=np.bool_)
    if not len(rest) or chosen.all() or not chosen.any() or not len(test):
        raise DataError(
            f"{len(rest)} rows to train on and {len(test)} to judge cannot be cut into parts; "
            "give more rows"
        )
    return Fold(seed=seed, fit=rest[~chosen], select=rest[chosen], test=test)


def _some_domains(names: set[str], seed: int) -> list[str]:
    """A fifth of them."""
    ranked = sorted(names, key=lambda name: _shuffled(name, seed))
    return ranked[: round(SELECT_SHARE * len(ranked))]


def _shuffled(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\x00{name}".encode("utf-8", "surrogatepass")).digest()

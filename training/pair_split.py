"""The rows of one pair of arms, split by hash into fit, select, calibrate and test."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.left_out import pair_rows
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.splits import split_by_domain, split_by_prompt

logger = logging.getLogger(__name__)

SplitBy = Literal["prompt", "domain"]
PARTS = (("fit", 0.60), ("select", 0.15), ("calibrate", 0.10), ("test", 0.15))
_FEWEST = 2
_SEEN = (("fit", 0.9), ("seen", 0.1))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSplit:
    """The parts of one pair's rows. No prompt stands in two of them.

    Parameters
    ----------
    fit : OutcomeTable
        What the weights are fitted on.
    select : OutcomeTable
        Chooses checkpoint, seed and configuration.
    calibrate : OutcomeTable
        Sets the score's slope and offset, the dial's table and the quantiles.
    test : OutcomeTable
        Opened once, for the report.
    seen : OutcomeTable
        With a split by domain: a tenth of the rows of the fitted domains, held out by prompt; else
        empty. Tells how the router does on domains it knows.
    facts : mapping
        Counts and choices, for the manifest.
    """

    fit: OutcomeTable
    select: OutcomeTable
    calibrate: OutcomeTable
    test: OutcomeTable
    seen: OutcomeTable
    facts: dict[str, Any]


def with_selection_fitted(split: PairSplit) -> PairSplit:
    """The split with its selection rows fitted on, too.

    They select nothing then; they still stand under ``select``, where the export is checked on
    them.
    """
    fit = joined((split.fit, split.select))
    rows = split.facts["rows"] | {"fit": len(fit), "select": 0}
    domains = split.facts["domains"]
    named = domains | {"fit": sorted({*domains["fit"], *domains["select"]}), "select": []}
    return replace(split, fit=fit, facts=split.facts | {"rows": rows, "domains": named})


def can_select(select: OutcomeTable, edge: str, cloud: str) -> bool:
    """Whether the rows tell routers apart: not if all have the same gap, which the log then says.

    Any order of such rows is as good as any other.
    """
    gap = select.mean_quality(edge) - select.mean_quality(cloud)
    if np.ptp(gap) > 0.0:
        return True
    logger.warning(
        "all %d selection rows have the same gap q(edge) - q(cloud), %g: nothing can be selected "
        "by them, so the first seed's last weights are kept; give more rows or another "
        "--split-seed",
        len(gap),
        gap[0],
    )
    return False


def split_pair(
    table: OutcomeTable,
    edge: str,
    cloud: str,
    *,
    by: SplitBy,
    seed: int,
    also_fit: OutcomeTable | None = None,
) -> PairSplit:
    """Select the pair, drop duplicate prompts, split by hash.

    Parameters
    ----------
    also_fit : OutcomeTable, optional
        Rows used for fitting only; those whose prompt stands in another part are dropped.

    Raises
    ------
    DataError
        If a part comes out with fewer than two rows, or a row has no domain where the split is by
        domain.
    """
    if by not in get_args(SplitBy):
        raise ConfigError(f"split is by {by!r}; choose from {list(get_args(SplitBy))}")
    pair = pair_rows(table, edge, cloud)
    parts = hash_parts(pair.table, by, seed)
    fit, seen = parts["fit"], OutcomeTable(rows=(), source=table.source)
    if by == "domain":
        held = split_by_prompt(fit, seed, _SEEN)
        fit, seen = held["fit"], held["seen"]
    held_out = (parts["select"], parts["calibrate"], parts["test"])
    added, others = 0, {}
    if also_fit is not None:
        more = pair_rows(also_fit, edge, cloud)
        extra = _without(more.table, (*held_out, seen, fit))
        added = len(extra)
        others = more.left_out.to_dict() | {"rows_in_the_main_table": len(more.table) - added}
        fit = joined((fit, extra))
    rows = {name: len(held) for name, held in parts.items()}
    facts = {
        "by": by,
        "seed": seed,
        "shares": dict(PARTS),
        "rows": rows | {"fit": len(fit), "seen": len(seen), "fit_from_other_tables": added},
        "domains": {name: _domain_names(held) for name, held in parts.items()},
        **pair.left_out.to_dict(),
        "left_out_of_other_tables": others,
    }
    select, calibrate, test = held_out
    return PairSplit(fit=fit, select=select, calibrate=calibrate, test=test, seen=seen, facts=facts)


def hash_parts(table: OutcomeTable, by: SplitBy, seed: int) -> dict[str, OutcomeTable]:
    """The parts by name, each with two rows or more. Raises DataError as :func:`split_pair`."""
    parts = (split_by_domain if by == "domain" else split_by_prompt)(table, seed, PARTS)
    # Known now, not after hours of training: one row has no spread to calibrate or judge by.
    short = {name: len(held) for name, held in parts.items() if len(held) < _FEWEST}
    if short:
        counts = ", ".join(f"{name} {count}" for name, count in short.items())
        raise DataError(
            f"the split of {len(table)} rows by {by} leaves too few rows ({counts}, at "
            f"least {_FEWEST} are needed); give more rows, another --split-seed, or --split-by "
            "prompt"
        )
    return parts


def _without(table: OutcomeTable, others: Sequence[OutcomeTable]) -> OutcomeTable:
    taken = {key for other in others for key in other.prompt_hashes()}
    return table.select([i for i, key in enumerate(table.prompt_hashes()) if key not in taken])


def _domain_names(table: OutcomeTable) -> list[str]:
    return sorted({domain for domain in table.domains() if domain is not None})

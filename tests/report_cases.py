"""Made-up outcome tables and judged rows for the tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.training.bootstrap import resample_weights
from hybridroute.training.evaluate_pair import Judged
from hybridroute.training.left_out import LeftOut
from hybridroute.training.out_of_scope import outside_of
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.report_page.routers import Rows

EDGE, CLOUD = "small", "large"


def table_of(
    edge: Sequence[Sequence[float]],
    cloud: Sequence[Sequence[float]],
    *,
    domains: Sequence[str | None] | None = None,
    extra: Sequence[tuple[dict[str, Any], dict[str, Any]]] | None = None,
    cost: tuple[float, float] | None = None,
    names: tuple[str, str] = (EDGE, CLOUD),
    prompts: Sequence[str] | None = None,
) -> OutcomeTable:
    """One row a pair of lists of qualities."""
    rows = []
    for at, held in enumerate(zip(edge, cloud, strict=True)):
        more = extra[at] if extra else ({}, {})
        rows.append(
            Outcome(
                id=str(at),
                prompt=prompts[at] if prompts else f"question {at} " + "word " * (at % 7),
                domain=domains[at] if domains else None,
                arms={
                    name: ArmOutcome(
                        quality=tuple(values),
                        cost_usd=(cost[place],) * len(values) if cost else None,
                        extra=more[place],
                    )
                    for place, (name, values) in enumerate(zip(names, held, strict=True))
                },
            )
        )
    return OutcomeTable(rows=tuple(rows), source="made-up.jsonl")


def fractional_table(n: int, *, seed: int = 0, samples: int = 5) -> OutcomeTable:
    """Negative fractional qualities (as BARTScore's), two domains, and two more metrics."""
    draw = np.random.default_rng(seed)
    hard = draw.random(n)
    edge = -2.4 - 1.5 * hard[:, None] + 0.4 * draw.normal(size=(n, samples))
    cloud = -2.6 - 0.3 * hard[:, None] + 0.4 * draw.normal(size=(n, samples))
    extra = [
        (_metrics(edge[at], 1.0 - hard[at], draw), _metrics(cloud[at], 0.8, draw))
        for at in range(n)
    ]
    domains = ["chat" if at % 3 else "code" for at in range(n)]
    return table_of(edge.tolist(), cloud.tolist(), domains=domains, extra=extra)


def _metrics(
    values: np.ndarray, chance: float, draw: np.random.Generator
) -> dict[str, dict[str, list[float]]]:
    right = (draw.random(len(values)) < chance).astype(float)
    return {"qualities": {"bartscore": values.tolist(), "exact_match": right.tolist()}}


def rows_of(table: OutcomeTable, *, resamples: int = 60, seed: int = 0) -> Rows:
    """The whole table with row weights."""
    weights = resample_weights(len(table), None, resamples=resamples, seed=seed)
    return Rows(table=table, edge=EDGE, cloud=CLOUD, weights=weights, resampled="rows")


def judged_of(
    bundle: Bundle, table: OutcomeTable, *, names: tuple[str, str] = (EDGE, CLOUD)
) -> Judged:
    """The table with the bundle's own scores."""
    known = set(bundle.manifest.training_hashes)
    scorer = bundle.scorer(threads=1)
    return Judged(
        table=table,
        edge=names[0],
        cloud=names[1],
        scores=scorer.score(table.texts()),
        outside=outside_of(scorer, table.texts(), bundle.manifest.unknown_token_limit),
        seen=np.array([key in known for key in table.prompt_hashes()]),
        left_out=LeftOut(),
    )

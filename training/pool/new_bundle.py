"""The manifest of a pool's bundle, measured with the exported router."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute._version import __version__
from hybridroute.edge_runtime.manifest import CalibratedArm, GoldenVector, Manifest
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.pool import Pool, PoolArm
from hybridroute.routed_text import TEXT_RULE
from hybridroute.training.new_bundle import GOLDEN_TEXTS
from hybridroute.training.out_of_scope import (
    ROUTER_DECIDES,
    UNKNOWN_TOKEN_LIMIT,
    outside_of,
    told,
)
from hybridroute.training.pool.calibrate import calibrate_pool, costs_alone
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.rows_seen import CALIBRATION_HASHES

Floats = NDArray[np.float64]

FITTED_QUALITY = "fitted_quality"
"""In a pool manifest's training facts: each arm's mean q on the rows the router was fitted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """What a pool's manifest says beside its measurements.

    ``models`` names the model of each arm, in the order of the router's columns; ``best_single`` is
    the arm with the largest mean q on the fitted rows, ``calibrated_on`` says what its tables were
    measured on. ``fitted_quality`` holds each arm's mean q on the fitted rows; None where they are
    not at hand. ``unjudged`` is why nothing is known of the choices' quality; the tables then hold
    costs alone.
    """

    name: str
    estimator: str
    models: Mapping[str, str]
    best_single: str
    max_tokens: int
    hashes: Iterable[str]
    training: Mapping[str, Any]
    calibrated_on: str = "calibration rows"
    fitted_quality: Mapping[str, float] | None = None
    unjudged: str | None = None


def pool_manifest(
    facts: PoolFacts,
    scorer: OnnxScorer,
    table: ScoreTable,
    cost: ExpectedCost,
    *,
    estimates: Floats | None = None,
) -> Manifest:
    """Calibrate on a table's rows, its columns in the router's order.

    Parameters
    ----------
    estimates : ndarray, shape (n, m), optional
        Of the rows, where the router was fitted on some; by default its own.

    Raises
    ------
    TrainingError, ScoringError
        If there are too few rows or it can read none of them, or the router fails.
    """
    if estimates is None:
        estimates = scorer.estimate(table.texts)[0].astype(np.float64)
    outside = outside_of(scorer, table.texts, UNKNOWN_TOKEN_LIMIT)
    return Manifest(
        name=facts.name,
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        hybridroute_version=__version__,
        score_kind=scorer.score_kind,
        text_rule=TEXT_RULE,
        max_tokens=facts.max_tokens,
        unknown_token_limit=UNKNOWN_TOKEN_LIMIT,
        arms=tuple(CalibratedArm(name=arm, model=facts.models[arm]) for arm in table.arms),
        calibration=None,
        pool=_pool(facts, table, estimates, cost, outside),
        golden=tuple(_golden(scorer, text) for text in GOLDEN_TEXTS),
        training_hashes=tuple(sorted(set(facts.hashes))),
        training=_training(facts, table),
    )


def _training(facts: PoolFacts, table: ScoreTable) -> dict[str, Any]:
    """The facts, with the calibration rows' hashes; what an earlier router had of both is gone."""
    held = {key: value for key, value in facts.training.items() if key != FITTED_QUALITY}
    if facts.fitted_quality is not None:
        held[FITTED_QUALITY] = dict(facts.fitted_quality)
    return held | {CALIBRATION_HASHES: sorted(set(table.hashes))}


def _pool(
    facts: PoolFacts,
    table: ScoreTable,
    estimates: Floats,
    cost: ExpectedCost,
    outside: NDArray[np.bool_],
) -> Pool:
    """Rows out of scope go to the best single arm, as the client sends them."""
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    expected = cost.of(characters)
    fixed = np.where(outside, table.arms.index(facts.best_single), ROUTER_DECIDES)
    if facts.unjudged is None:
        found = calibrate_pool(estimates, table.quality, expected, fixed=fixed)
    else:
        found = costs_alone(estimates, expected, facts.unjudged, fixed=fixed)
    means = np.nanmean(table.quality, axis=0)
    return Pool(
        estimator=facts.estimator,
        arms=tuple(
            PoolArm(
                name=arm,
                model=facts.models[arm],
                quality=float(means[at]),
                base_usd=float(cost.base_usd[at]),
                usd_per_character=float(cost.usd_per_character[at]),
            )
            for at, arm in enumerate(table.arms)
        ),
        source=told(f"{len(table)} {facts.calibrated_on}", outside),
        n=len(table),
        best_single=facts.best_single,
        dearest_usd=found.dearest_usd,
        dial=found.dial,
        advantage=found.advantage,
        flat=found.flat_reason is not None,
        flat_reason=found.flat_reason,
    )


def _golden(scorer: OnnxScorer, text: str) -> GoldenVector:
    estimates = tuple(scorer.estimate([text])[0][0].tolist())
    return GoldenVector(
        text=text, token_ids=scorer.encode(text).ids, score=estimates[0], estimates=estimates
    )

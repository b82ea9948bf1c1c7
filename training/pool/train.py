"""From outcomes of many arms to a bundle: split, costs, fit, one graph, calibrate, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle, check_place
from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import OnStep
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import SplitBy
from hybridroute.training.pool.card import pool_card
from hybridroute.training.pool.estimator import Estimator
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.fitted_router import PoolRouter, fitted_router, needs_selection
from hybridroute.training.pool.new_bundle import PoolFacts, pool_manifest
from hybridroute.training.pool.prices import pool_prices
from hybridroute.training.pool.report import pool_report
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.pool.split import PoolSplit, split_pool
from hybridroute.training.stages import OnStage, untold


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """What to train on, how, and where to put it.

    Parameters
    ----------
    outcomes : OutcomeTable
    estimator : str
        A name of :data:`ESTIMATORS`.
    made : Estimator or None
        One with settings of its own, in place of the one that ``estimator`` stands for.
    arms : tuple of str or None
        The pool; None for every arm of the outcomes.
    models : mapping of str to str
        The model of an arm, where it has another name.
    costs : mapping of str to float
        US dollars of a query, in place of what the outcomes state.
    config : FitConfig
        Encoder, pooling, input length and seed; a fine-tuned estimator reads the rest of it, too.
    split_by, split_seed
        Whole domains or single prompts, by hash.
    work : Path
        Where a fine-tuned estimator's checkpoints lie.
    """

    outcomes: OutcomeTable
    estimator: str
    out: Path
    work: Path
    name: str
    made: Estimator | None = None
    arms: tuple[str, ...] | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    config: FitConfig = field(default_factory=FitConfig)
    split_by: SplitBy = "prompt"
    split_seed: int = 0
    sources: tuple[str, ...] = ()
    licence: str | None = None
    command: str = ""

    def __post_init__(self) -> None:
        if self.split_seed < 0:
            raise ConfigError(f"split_seed is {self.split_seed}; give at least 0")


def train_pool(
    plan: PoolPlan, *, on_step: OnStep | None = None, on_stage: OnStage = untold
) -> tuple[Bundle, dict[str, Any]]:
    """Train a pool's router; its bundle, and what ``train --json`` prints of it.

    ``on_step`` is told of each step of a fine-tuned estimator: seed, step, steps in all, loss;
    ``on_stage`` of each stage.

    Raises
    ------
    DataError, TrainingError, ConfigError, BundleError
        As the stages do. What can be known to be wrong is raised before the fit.
    """
    check_place(plan.out)
    kept_apart = needs_selection(plan.estimator)
    split = split_pool(
        plan.outcomes, plan.arms, by=plan.split_by, seed=plan.split_seed, with_selection=kept_apart
    )
    _check_outcomes(split.fit)
    prices = pool_prices(split.fit, plan.costs)
    split, cost = _cheapest_first(split, prices.cost)
    _check_models(plan.models, split.fit.arms)
    on_stage(f"fitting {plan.estimator} on {len(split.fit):,} rows")
    router = fitted_router(
        plan.estimator, plan.config, split, work=plan.work, made=plan.made, on_step=on_step
    )
    on_stage(f"calibrating on {len(split.calibrate):,} rows")
    facts = _run_facts(plan, split, router) | {"costs": prices.source}
    manifest = pool_manifest(_described(plan, split, facts), router.scorer, split.calibrate, cost)
    files = {MODEL: router.graph, TOKENIZER: router.tokenizer.encode("utf-8")}
    bundle = Bundle.write(plan.out, manifest, {**files, CARD: b""})
    on_stage(f"judging it on {len(split.test):,} rows")
    report = {**facts, "report": {"test": pool_report(bundle, split.test)}}
    return with_pool_report(bundle, report), report


def _run_facts(plan: PoolPlan, split: PoolSplit, router: PoolRouter) -> dict[str, Any]:
    config = plan.config
    return {
        "command": plan.command,
        "sources": list(plan.sources),
        "licence": plan.licence,
        "data": plan.outcomes.source,
        "split": split.facts,
        "config": {
            "estimator": plan.estimator,
            "settings": None if plan.made is None else str(plan.made),
            "encoder": config.encoder,
            "pooling": config.pooling,
            "max_tokens": config.max_tokens,
            "seed": config.seed,
        },
        "fit_s": round(router.fit_s, 3),
        "parity": router.parity,
    }


def _described(plan: PoolPlan, split: PoolSplit, facts: Mapping[str, Any]) -> PoolFacts:
    means = np.nanmean(split.fit.quality, axis=0)
    return PoolFacts(
        name=plan.name,
        estimator=plan.estimator,
        models={arm: plan.models.get(arm, arm) for arm in split.fit.arms},
        best_single=split.fit.arms[int(means.argmax())],
        max_tokens=plan.config.max_tokens,
        hashes=(*split.fit.hashes, *split.select.hashes),
        training=facts,
        fitted_quality=dict(zip(split.fit.arms, means.tolist(), strict=True)),
    )


def with_pool_report(bundle: Bundle, facts: Mapping[str, Any]) -> Bundle:
    """Write the bundle again with its report and model card; the router itself is unchanged."""
    manifest = replace(bundle.manifest, training={**bundle.manifest.training, **facts})
    files = {name: bundle.read(name) for name in (MODEL, TOKENIZER)}
    card = pool_card(manifest, files).encode("utf-8")
    return Bundle.write(bundle.path, manifest, {**files, CARD: card})


def _check_outcomes(table: ScoreTable) -> None:
    held = table.quality[~np.isnan(table.quality)]
    if held.min() == held.max():
        raise TrainingError(
            f"every quality is {held.min():g}: there is nothing to learn from these rows"
        )


def _check_models(models: Mapping[str, str], arms: Sequence[str]) -> None:
    unknown = [arm for arm in models if arm not in arms]
    if unknown:
        raise ConfigError(f"a model is stated for {unknown[0]!r}; the arms are {list(arms)}")


def _cheapest_first(split: PoolSplit, cost: ExpectedCost) -> tuple[PoolSplit, ExpectedCost]:
    """The split and the costs with the arms by their mean expected cost; equal ones as given."""
    characters = np.array([len(text) for text in split.fit.texts], dtype=np.int64)
    order = np.argsort(cost.of(characters).mean(axis=0), kind="stable")
    parts = {
        name: getattr(split, name).with_arms(order)
        for name in ("fit", "select", "calibrate", "test")
    }
    sorted_cost = ExpectedCost(
        base_usd=cost.base_usd[order], usd_per_character=cost.usd_per_character[order]
    )
    return replace(split, **parts), sorted_cost

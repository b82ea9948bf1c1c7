"""The straight line: outcomes, split, labels, fit, export, calibrate, bundle, report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from hybridroute._version import __version__
from hybridroute.calibration import score_quantiles
from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import (
    CalibratedArm,
    GoldenVector,
    Manifest,
    ScoreQuantiles,
)
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.routed_text import TEXT_RULE
from hybridroute.training.batches import fit_rows
from hybridroute.training.calibrate import calibrate
from hybridroute.training.device_export import DeviceModel, WeightKind, export_for_device
from hybridroute.training.encoders import load_encoder
from hybridroute.training.fit import evidence_of
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import Chosen, OnStep, SelectionRows, fit_seeds
from hybridroute.training.model_card import model_card
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import PairSplit, SplitBy, split_pair
from hybridroute.training.report import report_on
from hybridroute.training.score_map import ScoreMap, fit_score_map
from hybridroute.training.targets import QualityRange, Targets, targets_of

logger = logging.getLogger(__name__)

UNKNOWN_TOKEN_LIMIT = 0.3
"""A query with a larger share of unknown tokens is out of scope: the router cannot read it."""
_GOLDEN = (
    "What is 2+2?",
    "Write a haiku about the sea at night.",
    "Explain why the sky is blue to a child of six.",
    "Переведи на английский: доброе утро",
    "def quicksort(values):\n    # finish this function",
    "a",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What to train on, how, and where to put it.

    Parameters
    ----------
    outcomes : OutcomeTable
    edge, cloud : str
        The arms' names in the table, which become the models the bundle is calibrated for.
    also_fit : OutcomeTable or None
        Rows used for fitting only.
    split_by, split_seed
        Whole domains or single prompts, by hash.
    seeds : sequence of int
        One fit each; the best on the selection rows is kept.
    weights, max_bytes
        Kind and limit of the exported graph.
    baselines : bool
        Whether to fit and judge the baselines too.
    sources : sequence of str
        Where the rows come from and under which licence, for the model card.
    command : str
        What was typed, for the model card.
    """

    outcomes: OutcomeTable
    edge: str
    cloud: str
    config: FitConfig
    out: Path
    work: Path
    name: str
    also_fit: OutcomeTable | None = None
    split_by: SplitBy = "prompt"
    split_seed: int = 0
    seeds: tuple[int, ...] = (1,)
    weights: WeightKind = "int8"
    max_bytes: int = 32 * 10**6
    baselines: bool = True
    sources: tuple[str, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ConfigError(f"seeds are {list(self.seeds)}; give one or more different ones")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The bundle and the run's report (what ``train --json`` prints)."""

    bundle: Bundle
    report: Mapping[str, Any]


def train(plan: TrainingPlan, *, on_step: OnStep | None = None) -> Trained:
    """Train a router and write its bundle.

    Raises
    ------
    DataError, TrainingError, ConfigError, BundleError
        As the stages do.
    """
    split = split_pair(
        plan.outcomes,
        plan.edge,
        plan.cloud,
        by=plan.split_by,
        seed=plan.split_seed,
        also_fit=plan.also_fit,
    )
    tokenizer = _tokenizer(plan.config)
    scale = QualityRange.of(split.fit, plan.edge, plan.cloud)
    targets = _targets(plan, split.fit, scale)
    chosen = fit_seeds(
        fit_rows(split.fit.texts(), targets.values, tokenizer),
        SelectionRows.of(split.select, plan.edge, plan.cloud, tokenizer),
        plan.config,
        seeds=plan.seeds,
        folder=plan.work,
        on_step=on_step,
    )
    score_map = _score_map(plan, split, scale, chosen, tokenizer)
    exported = export_for_device(
        chosen.model,
        score_map,
        tokenizer,
        rows=split.select,
        edge=plan.edge,
        cloud=plan.cloud,
        weights=plan.weights,
        max_bytes=plan.max_bytes,
        seed=plan.split_seed,
    )
    facts = _run_facts(plan, split, chosen, exported) | {
        "labels": targets.labels.summary(),
        "quality_range": [scale.low, scale.high],
        "score_map": {"slope": score_map.slope, "offset": score_map.offset},
    }
    scorer = OnnxScorer(exported.onnx, tokenizer, score_kind=chosen.model.score_kind)
    bundle = Bundle.write(
        plan.out,
        _manifest(plan, split, chosen, scorer, facts),
        {MODEL: exported.onnx, TOKENIZER: tokenizer.to_json().encode("utf-8"), CARD: b""},
    )
    facts = {**facts, "report": report_on(bundle, plan, split)}
    return Trained(bundle=_with_report(bundle, facts), report=facts)


def _tokenizer(config: FitConfig) -> RouterTokenizer:
    encoder = load_encoder(config.encoder, position_buckets=config.position_buckets, dropout=0.0)
    held = Tokenizer.from_str(encoder.tokenizer_json)
    return RouterTokenizer(held, max_tokens=config.max_tokens)


def _targets(plan: TrainingPlan, table: OutcomeTable, scale: QualityRange) -> Targets:
    return targets_of(
        table,
        plan.edge,
        plan.cloud,
        kind=plan.config.label,
        scale=scale,
        seed=plan.split_seed,
    )


def _score_map(
    plan: TrainingPlan,
    split: PairSplit,
    scale: QualityRange,
    chosen: Chosen,
    tokenizer: RouterTokenizer,
) -> ScoreMap:
    held = _targets(plan, split.calibrate, scale)
    rows = fit_rows(split.calibrate.texts(), held.values, tokenizer)
    found = evidence_of(chosen.model, rows)
    return fit_score_map(chosen.model.score_kind, found, held.labels.values)


def _run_facts(
    plan: TrainingPlan, split: PairSplit, chosen: Chosen, exported: DeviceModel
) -> dict[str, Any]:
    return {
        "command": plan.command,
        "sources": list(plan.sources),
        "data": plan.outcomes.source,
        "split": split.facts,
        "config": chosen.config.to_dict(),
        "seeds": [
            {"seed": item.seed, "select": item.value, "best_step": item.best_step}
            for item in chosen.seeds
        ],
        "chosen_seed": chosen.config.seed,
        "weights": exported.weights,
        "kept_fp32": len(exported.kept_fp32),
        "parity": exported.parity.to_dict(),
        "fp32_parity": exported.fp32_parity.to_dict(),
    }


def _manifest(
    plan: TrainingPlan,
    split: PairSplit,
    chosen: Chosen,
    scorer: OnnxScorer,
    facts: Mapping[str, Any],
) -> Manifest:
    """Calibrate with the exported router, not with torch, and say all there is to say."""
    table = split.calibrate
    scores = scorer.score(table.texts()).astype(np.float64)
    source = f"{len(table)} calibration rows"
    hashes = {*split.fit.prompt_hashes(), *split.select.prompt_hashes()}
    return Manifest(
        name=plan.name,
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        hybridroute_version=__version__,
        score_kind=chosen.model.score_kind,
        text_rule=TEXT_RULE,
        max_tokens=chosen.config.max_tokens,
        unknown_token_limit=UNKNOWN_TOKEN_LIMIT,
        arms=(
            CalibratedArm(name="edge", model=plan.edge),
            CalibratedArm(name="cloud", model=plan.cloud),
        ),
        calibration=calibrate(
            scores, table.mean_quality(plan.edge), table.mean_quality(plan.cloud), source
        ),
        score_quantiles=_rounded(score_quantiles(scores, source)),
        golden=tuple(_golden(scorer, text) for text in _GOLDEN),
        training_hashes=tuple(sorted(hashes)),
        training=facts,
    )


def _rounded(quantiles: ScoreQuantiles) -> ScoreQuantiles:
    return replace(quantiles, values=tuple(round(value, 6) for value in quantiles.values))


def _golden(scorer: OnnxScorer, text: str) -> GoldenVector:
    score = float(scorer.score([text])[0])
    return GoldenVector(text=text, token_ids=scorer.encode(text).ids, score=score)


def _with_report(bundle: Bundle, facts: Mapping[str, Any]) -> Bundle:
    """Write the bundle again with its report and model card; the router itself is unchanged."""
    manifest = replace(bundle.manifest, training=facts)
    files = {name: bundle.read(name) for name in (MODEL, TOKENIZER)}
    return Bundle.write(
        bundle.path, manifest, {**files, CARD: model_card(manifest, files).encode("utf-8")}
    )

"""The bundle of a run: its manifest, calibrated with the exported router, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hybridroute._version import __version__
from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle
from hybridroute.edge_runtime.manifest import (
    CalibratedArm,
    Calibration,
    GoldenVector,
    Manifest,
    ScoreQuantiles,
)
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.promises import Promises
from hybridroute.routed_text import TEXT_RULE
from hybridroute.score_quantiles import score_quantiles
from hybridroute.training.calibrate import calibrate
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.model_card import model_card
from hybridroute.training.out_of_scope import UNKNOWN_TOKEN_LIMIT, outside_of, told
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import PairSplit
from hybridroute.training.promise.bundle_rows import paired_rows
from hybridroute.training.promise.outcomes import QualityRange
from hybridroute.training.promise.table import promise_table
from hybridroute.training.rows_seen import CALIBRATION_HASHES
from hybridroute.training.training_plan import TrainingPlan

GOLDEN_TEXTS = (
    "What is 2+2?",
    "Write a haiku about the sea at night.",
    "Explain why the sky is blue to a child of six.",
    "Переведи на английский: доброе утро",
    "def quicksort(values):\n    # finish this function",
    "a",
)


def new_manifest(
    plan: TrainingPlan,
    split: PairSplit,
    config: FitConfig,
    scorer: OnnxScorer,
    facts: Mapping[str, Any],
    *,
    name: str,
) -> Manifest:
    """Calibrate with the exported router, not with torch, and say all there is to say.

    Calibration rows that the router cannot read are the cloud's at every setting of the dial, and
    have no say in the score quantiles: the client does not look at their scores.

    Raises
    ------
    TrainingError
        If it can read none of the calibration rows, or there are fewer than two.
    """
    table = split.calibrate
    scores = scorer.score(table.texts()).astype(np.float64)
    outside = outside_of(scorer, table.texts(), UNKNOWN_TOKEN_LIMIT)
    source = told(f"{len(table)} calibration rows", outside)
    hashes = {*split.fit.prompt_hashes(), *split.select.prompt_hashes()}
    edge_q, cloud_q = table.mean_quality(plan.edge), table.mean_quality(plan.cloud)
    calibration = calibrate(scores, edge_q, cloud_q, source, outside=outside)
    return Manifest(
        name=name,
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        hybridroute_version=__version__,
        score_kind=scorer.score_kind,
        text_rule=TEXT_RULE,
        max_tokens=config.max_tokens,
        unknown_token_limit=UNKNOWN_TOKEN_LIMIT,
        arms=(
            CalibratedArm(name="edge", model=plan.edge),
            CalibratedArm(name="cloud", model=plan.cloud),
        ),
        calibration=calibration,
        promises=_promises(plan, table, scorer, calibration),
        score_quantiles=_rounded(score_quantiles(scores[~outside], source)),
        golden=tuple(_golden(scorer, text) for text in GOLDEN_TEXTS),
        training_hashes=tuple(sorted(hashes)),
        training={**facts, CALIBRATION_HASHES: sorted(set(table.prompt_hashes()))},
    )


def _promises(
    plan: TrainingPlan, table: OutcomeTable, scorer: OnnxScorer, calibration: Calibration
) -> Promises | None:
    """None where qualities leave 0 to 1: no range of theirs is known (``calibrate`` takes one)."""
    qualities = np.concatenate([table.mean_quality(plan.edge), table.mean_quality(plan.cloud)])
    if qualities.min() < 0.0 or qualities.max() > 1.0:
        return None
    keys = table.prompt_hashes()
    ordered = table.select(sorted(range(len(keys)), key=keys.__getitem__))
    rows, _ = paired_rows(
        ordered, plan.edge, plan.cloud, scorer, UNKNOWN_TOKEN_LIMIT, quality_range=QualityRange()
    )
    return promise_table(rows, source=calibration.source, calibration=calibration)


def _rounded(quantiles: ScoreQuantiles) -> ScoreQuantiles:
    return replace(quantiles, values=tuple(round(value, 6) for value in quantiles.values))


def _golden(scorer: OnnxScorer, text: str) -> GoldenVector:
    score = float(scorer.score([text])[0])
    return GoldenVector(text=text, token_ids=scorer.encode(text).ids, score=score)


def write_bundle(path: Path, manifest: Manifest, graph: bytes, tokenizer: bytes) -> Bundle:
    """Write the bundle; its model card stays empty until there is a report."""
    return Bundle.write(path, manifest, {MODEL: graph, TOKENIZER: tokenizer, CARD: b""})


def with_report(bundle: Bundle, facts: Mapping[str, Any]) -> Bundle:
    """Write the bundle again with its report and model card; the router itself is unchanged."""
    manifest = replace(bundle.manifest, training={**bundle.manifest.training, **facts})
    files = {name: bundle.read(name) for name in (MODEL, TOKENIZER)}
    return Bundle.write(
        bundle.path, manifest, {**files, CARD: model_card(manifest, files).encode("utf-8")}
    )

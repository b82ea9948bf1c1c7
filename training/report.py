"""What a run reports of its bundle: test rows and, with a split by domain, rows of seen domains."""

from __future__ import annotations

from typing import Any

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.training.curve import curve_of
from hybridroute.training.embeddings import frozen_embeddings
from hybridroute.training.evaluate_pair import Embedded, against_baselines, evaluate_bundle
from hybridroute.training.metrics import pgr_undefined
from hybridroute.training.out_of_scope import as_routed, outside_of
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import PairSplit
from hybridroute.training.training_plan import TrainingPlan


def report_on(bundle: Bundle, plan: TrainingPlan, split: PairSplit) -> dict[str, Any]:
    """Evaluate the exported bundle on the held-out parts, beside the baselines.

    ``unseen`` holds the test rows; ``seen`` the held-out rows of fitted domains, if there are any.
    """
    parts = {"unseen": split.test}
    if len(split.seen):
        parts["seen"] = split.seen
    found: dict[str, Any] = {}
    for name, table in parts.items():
        found[name] = evaluate_bundle(bundle, table, plan.edge, plan.cloud)
    if plan.baselines:
        fitted = _embedded(split.fit, plan)
        for name, table in parts.items():
            found[name]["baselines"] = _baselines(bundle, plan, fitted, _embedded(table, plan))
    return found


def _embedded(table: OutcomeTable, plan: TrainingPlan) -> Embedded:
    held = frozen_embeddings(
        table.texts(), encoder=plan.config.encoder, max_tokens=plan.config.max_tokens
    )
    return Embedded(table=table, embeddings=held)


def _baselines(
    bundle: Bundle, plan: TrainingPlan, fitted: Embedded, judged: Embedded
) -> list[dict[str, Any]]:
    scorer, texts = bundle.scorer(), judged.table.texts()
    outside = outside_of(scorer, texts, bundle.manifest.unknown_token_limit)
    scores = as_routed(scorer.score(texts), outside)
    edge_q = judged.table.mean_quality(plan.edge)
    if pgr_undefined(curve_of(scores, edge_q, judged.table.mean_quality(plan.cloud))):
        return []  # the report's pgr_undefined says why
    return against_baselines(scores, fitted, judged, plan.edge, plan.cloud, seed=plan.split_seed)

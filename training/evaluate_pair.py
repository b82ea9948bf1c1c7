"""A bundle judged on rows it has not seen: its numbers, the baselines', the dial's promise.

It is judged as the client routes: a row that the router cannot read is the cloud's at every
setting, and the first to go there on the curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import DataError, TrainingError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.training.baselines import LengthBaseline, NeighbourBaseline, RandomBaseline
from hybridroute.training.bootstrap import apgr_difference, apgr_interval
from hybridroute.training.calibrate import calibrate
from hybridroute.training.curve import curve_of
from hybridroute.training.labels import labels_at
from hybridroute.training.left_out import LeftOut, pair_rows
from hybridroute.training.metrics import brier, ece, evaluate_scores, pgr_undefined
from hybridroute.training.out_of_scope import Mask, as_routed, outside_of
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.rows_seen import count_seen_in_calibration, seen_in_training

NEIGHBOURS = (50, 200)
DIALS = (0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """A table with an embedding of shape (n, d) for each row."""

    table: OutcomeTable
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A pair's rows with the bundle's scores.

    Parameters
    ----------
    table : OutcomeTable
        Rows that have both arms, one a prompt.
    scores : ndarray of float32, shape (n,)
    outside : ndarray of bool, shape (n,)
        Whether a row is out of scope: the router cannot read it, so its score decides nothing.
    seen : ndarray of bool, shape (n,)
        Whether the router was fitted or selected on the row's prompt.
    left_out : LeftOut
        Rows that are not judged.
    """

    table: OutcomeTable
    edge: str
    cloud: str
    scores: NDArray[np.float32]
    outside: Mask
    seen: Mask
    left_out: LeftOut

    def select(self, which: Mask) -> Self:
        """The rows at a mask of shape (n,)."""
        return replace(
            self,
            table=self.table.select(which),
            scores=self.scores[which],
            outside=self.outside[which],
            seen=self.seen[which],
        )


def evaluate_bundle(
    bundle: Bundle, table: OutcomeTable, edge: str, cloud: str, *, threads: int = 2
) -> dict[str, Any]:
    """Evaluate a bundle's exported router on a pair's rows.

    Returns
    -------
    dict
        The numbers of ``Evaluation``, ``n_out_of_scope`` (rows that the router cannot read: the
        cloud's at every setting, and left out of ECE and Brier), ``n_seen_in_training`` (rows whose
        prompt the router was fitted or selected on), ``n_seen_in_calibration`` (rows that set its
        dial; null if the bundle does not store them), ``unseen`` (the numbers without the rows seen
        in training, null if there are none or all), the counts of :class:`LeftOut`, and ``dials``
        (requested against realised).
    """
    return evaluate_judged(bundle, judged_rows(bundle, table, edge, cloud, threads=threads))


def judged_rows(
    bundle: Bundle, table: OutcomeTable, edge: str, cloud: str, *, threads: int = 2
) -> Judged:
    """Score a pair's rows with a bundle's exported router."""
    rows = pair_rows(table, edge, cloud)
    scorer, texts = bundle.scorer(threads=threads), rows.table.texts()
    return Judged(
        table=rows.table,
        edge=edge,
        cloud=cloud,
        scores=scorer.score(texts),
        outside=outside_of(scorer, texts, bundle.manifest.unknown_token_limit),
        seen=seen_in_training(bundle.manifest, rows.table),
        left_out=rows.left_out,
    )


def evaluate_judged(bundle: Bundle, judged: Judged) -> dict[str, Any]:
    """The numbers of scored rows, as ``evaluate_bundle`` returns them."""
    seen = judged.seen
    found = numbers_of(bundle.manifest, judged)
    found["n_seen_in_training"] = int(seen.sum())
    found["n_seen_in_calibration"] = count_seen_in_calibration(bundle.manifest, judged.table)
    found |= judged.left_out.to_dict()
    found["unseen"] = None
    if seen.any() and not seen.all():
        found["unseen"] = numbers_of(bundle.manifest, judged.select(~seen))
    return found


def numbers_of(manifest: Manifest, judged: Judged) -> dict[str, Any]:
    """``Evaluation`` as a JSON object, with ``n_out_of_scope``, ``apgr_interval`` and ``dials``.

    ECE and Brier are of the rows in scope: no score of the others is ever looked at.
    """
    table, edge, cloud = judged.table, judged.edge, judged.cloud
    scores, outside, inside = judged.scores, judged.outside, ~judged.outside
    edge_q, cloud_q = table.mean_quality(edge), table.mean_quality(cloud)
    routed = as_routed(scores, outside)
    held = evaluate_scores(routed, edge_q, cloud_q)
    if manifest.score_kind == "label" and inside.any():
        labels = labels_at(table, edge, cloud, shift_of(manifest))[inside]
        held = replace(held, ece=ece(scores[inside], labels), brier=brier(scores[inside], labels))
    found = held.to_dict() | {"n_out_of_scope": int(outside.sum()), "apgr_interval": None}
    if held.apgr is not None:
        drawn = apgr_interval(routed, edge_q, cloud_q, domains=resampled_domains(table))
        found["apgr_interval"] = [drawn.low, drawn.high]
    found["dials"] = dial_rows(manifest, scores, edge_q, cloud_q, outside=outside)
    return found


def shift_of(manifest: Manifest) -> float:
    """The t of the labels Pr[H >= -t] that the bundle's scores estimate; 0 unless ``trans``."""
    labels = manifest.training.get("labels")
    held = labels.get("t_star") if isinstance(labels, Mapping) else None
    return float(held) if isinstance(held, (int, float)) else 0.0


def dial_rows(
    manifest: Manifest,
    scores: NDArray[np.float32],
    edge_q: NDArray[np.float64],
    cloud_q: NDArray[np.float64],
    *,
    outside: Mask,
) -> list[dict[str, Any]]:
    """For each dial setting: what the bundle expects and what these rows give.

    ``realised`` is (q - q_edge) / (q_best - q_edge) with q_best the curve's maximum on these rows,
    the dial's own scale, on which rows out of scope are the cloud's at both ends; null where that
    gain is too small to say (under 2 SE). ``cloud_share`` holds those rows.
    """
    calibration = manifest.calibration
    if calibration is None or calibration.flat:
        return []
    exact = scores.astype(np.float64)  # the policy compares in float64 too
    best = _best_gain(exact, edge_q, cloud_q, outside)
    turned = np.where(outside, 0.0, cloud_q - edge_q)
    rows = []
    for dial in DIALS:
        at = round(dial * GRID)
        to_cloud = outside | (exact < calibration.dial.thresholds[at])
        gain = float(np.where(to_cloud, turned, 0.0).mean())
        rows.append(
            {
                "dial": dial,
                "threshold": calibration.dial.thresholds[at],
                "expected_cloud_share": calibration.dial.cloud_share[at],
                "cloud_share": float(to_cloud.mean()),
                "realised": gain / best if best else None,  # rounding can leave 0
            }
        )
    return rows


def _best_gain(
    scores: NDArray[np.float64],
    edge_q: NDArray[np.float64],
    cloud_q: NDArray[np.float64],
    outside: Mask,
) -> float | None:
    try:
        held = calibrate(scores, edge_q, cloud_q, "judged rows", outside=outside)
    except TrainingError:  # a single row, or none in scope
        return None
    return None if held.flat else held.best_quality - held.edge_quality


def against_baselines(
    scores: NDArray[np.float32] | NDArray[np.float64],
    fitted: Embedded,
    judged: Embedded,
    edge: str,
    cloud: str,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """The router beside random, length and kNN, all fitted and judged on the same rows.

    The router's scores are as it routes, see :func:`as_routed`. Each row holds APGR, CPT50, CPT80,
    and the paired 95 % bootstrap interval of APGR(router) - APGR(baseline), resampling domains and
    then rows.

    Raises
    ------
    DataError
        If APGR is undefined on the judged rows.
    """
    edge_q, cloud_q = judged.table.mean_quality(edge), judged.table.mean_quality(cloud)
    undefined = pgr_undefined(curve_of(scores, edge_q, cloud_q))
    if undefined is not None:
        raise DataError(f"nothing to compare: {undefined}")
    domains = resampled_domains(judged.table)
    rows = []
    for name, others in _baseline_scores(fitted, judged, edge, cloud, seed).items():
        found = evaluate_scores(others, edge_q, cloud_q)
        difference = apgr_difference(scores, others, edge_q, cloud_q, domains=domains, seed=seed)
        rows.append(
            {
                "name": name,
                "apgr": found.apgr,
                "cpt50": found.cpt50,
                "cpt80": found.cpt80,
                "router_minus_this": difference.estimate,
                "interval": [difference.low, difference.high],
            }
        )
    return rows


def _baseline_scores(
    fitted: Embedded, judged: Embedded, edge: str, cloud: str, seed: int
) -> Mapping[str, NDArray[np.float64]]:
    edge_q, cloud_q = fitted.table.mean_quality(edge), fitted.table.mean_quality(cloud)
    length = LengthBaseline.fit(fitted.table.texts(), edge_q, cloud_q)
    held = {
        "random": RandomBaseline(seed=seed).score(len(judged.table)),
        "length": length.score(judged.table.texts()),
    }
    for k in NEIGHBOURS:
        if k <= len(fitted.table):
            near = NeighbourBaseline.fit(fitted.embeddings, edge_q, cloud_q, k=k)
            held[f"kNN, k = {k}"] = near.score(judged.embeddings)
    return held


def resampled_domains(table: OutcomeTable) -> Sequence[str | None] | None:
    """Domains to resample, None where rows have fewer than two of them."""
    domains = table.domains()
    return domains if len(set(domains)) > 1 else None

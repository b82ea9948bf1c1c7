"""One table of all that was fitted, judged on the selection rows; the best one ships.

Each candidate is judged by its exported graph, which is what ships, and never on test rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.training.bootstrap import area_difference
from hybridroute.training.candidates import Candidate, Line, exported
from hybridroute.training.curve import curve_of
from hybridroute.training.device_export import DeviceModel
from hybridroute.training.judge import resampled_domains
from hybridroute.training.metrics import area_over_random

Picked = tuple[Candidate, DeviceModel]


def select_best(line: Line, made: Iterable[Candidate]) -> tuple[Candidate, DeviceModel, list[Any]]:
    """Export and judge each candidate, and keep the one of largest area over random.

    Returns
    -------
    candidate, graph, rows
        A row holds ``name``, ``fit``, ``label``, ``seed``, ``select`` (area over random in units
        of q), ``minus_first`` with its paired bootstrap ``interval`` (both null for the first that
        stands), ``bytes``, ``chosen``, and ``refused``: why it could not be exported, or null.

    Raises
    ------
    TrainingError
        If no candidate could be exported.
    """
    best: Picked | None = None
    best_at = -1
    rows: list[dict[str, Any]] = []
    first: NDArray[np.float64] | None = None
    for candidate in made:
        row = _row(candidate)
        rows.append(row)
        try:
            device = exported(line, candidate)
        except TrainingError as exc:
            row["refused"] = str(exc)
            continue
        scores = _judge(line, candidate, device, row, first)
        first = scores if first is None else first
        if best is None or row["select"] > rows[best_at]["select"]:
            best, best_at = (candidate, device), len(rows) - 1
    if best is None:
        reasons = "; ".join(f"{row['name']}: {row['refused']}" for row in rows)
        raise TrainingError(f"no candidate could be exported: {reasons}")
    rows[best_at]["chosen"] = True
    return (*best, rows)


def _row(candidate: Candidate) -> dict[str, Any]:
    config = candidate.config
    return {
        "name": candidate.name,
        "fit": config.fit,
        "label": config.label,
        "seed": config.seed if config.fit == "deberta" else None,
        "select": None,
        "minus_first": None,
        "interval": None,
        "bytes": None,
        "chosen": False,
        "refused": None,
    }


def _judge(
    line: Line,
    candidate: Candidate,
    device: DeviceModel,
    row: dict[str, Any],
    first: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    table, plan = line.split.select, line.plan
    edge_q, cloud_q = table.mean_quality(plan.edge), table.mean_quality(plan.cloud)
    scorer = OnnxScorer(device.onnx, line.tokenizer, score_kind=candidate.model.score_kind)
    scores = scorer.score(table.texts()).astype(np.float64)
    row["select"] = area_over_random(curve_of(scores, edge_q, cloud_q))
    row["bytes"] = len(device.onnx)
    if first is not None:
        held = area_difference(
            scores,
            first,
            edge_q,
            cloud_q,
            domains=resampled_domains(table),
            seed=plan.split_seed,
        )
        row["minus_first"], row["interval"] = held.estimate, [held.low, held.high]
    return scores

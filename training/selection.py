"""One table of all that was fitted, judged on the selection rows; the best one ships.

Each candidate is judged by its exported graph, which is what ships, and never on test rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import HybridRouteError, TrainingError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.training.bootstrap import area_difference
from hybridroute.training.candidates import Attempt, Candidate, Line, exported
from hybridroute.training.curve import curve_of
from hybridroute.training.device_export import DeviceModel
from hybridroute.training.evaluate_pair import resampled_domains
from hybridroute.training.metrics import area_over_random

logger = logging.getLogger(__name__)


Keep = Callable[[Attempt, Candidate, DeviceModel], Path]
"""Writes a candidate's bundle and says where."""


def select_best(
    line: Line, made: Iterable[Attempt], *, keep: Keep | None = None
) -> tuple[Candidate, DeviceModel, list[Any]]:
    """Fit, export and judge each candidate, and return the one of largest area over random.

    One that fails at any stage is listed with its reason, and the others go on. ``keep`` is called
    with each that stands; what it raises ends the run.

    Returns
    -------
    candidate, graph, rows
        A row holds ``name``, ``fit``, ``label``, ``heads``, ``seed``, ``select`` (area over random
        in units of q), ``minus_first`` with its paired bootstrap ``interval`` (both null for the
        first that stands), ``bytes``, ``kept_fp32`` (products computed in fp32 from int8 weights),
        ``chosen``, ``bundle`` (the folder it is kept in, or null), and ``failed``: the stage and
        the reason, or null.

    Raises
    ------
    TrainingError
        If all of them failed.
    """
    best: tuple[Candidate, DeviceModel, dict[str, Any]] | None = None
    rows: list[dict[str, Any]] = []
    first: NDArray[np.float64] | None = None
    for attempt in made:
        row = _row(attempt)
        rows.append(row)
        stage = "fit"
        try:
            candidate = attempt.fit()
            stage = "export"
            device = exported(line, candidate)
            stage = "judgement"
            scores, figures = _judged(line, candidate, device, first)
        except Exception as exc:  # torch and onnxruntime raise many kinds; the others must go on
            row["failed"] = f"{stage}: {_reason(exc)}"
            logger.warning("%s failed at its %s", attempt.name, row["failed"])
            logger.debug("%s", attempt.name, exc_info=True)
            continue
        row |= figures
        if keep is not None:
            row["bundle"] = str(keep(attempt, candidate, device))
        first = scores if first is None else first
        if best is None or row["select"] > best[2]["select"]:
            best = candidate, device, row
    if best is None:
        reasons = "; ".join(f"{row['name']}: {row['failed']}" for row in rows)
        raise TrainingError(f"every candidate failed: {reasons}")
    best[2]["chosen"] = True
    return best[0], best[1], rows


def _reason(exc: Exception) -> str:
    if isinstance(exc, HybridRouteError):
        return str(exc)
    said = next(iter(str(exc).strip().splitlines()), "")
    return f"{type(exc).__name__}: {said}" if said else type(exc).__name__


def _row(attempt: Attempt) -> dict[str, Any]:
    config = attempt.config
    tuned = config.fit == "deberta"
    return {
        "name": attempt.name,
        "fit": config.fit,
        "label": config.label,
        "heads": config.heads if tuned else None,
        "seed": config.seed if tuned else None,
        "select": None,
        "minus_first": None,
        "interval": None,
        "bytes": None,
        "kept_fp32": None,
        "chosen": False,
        "bundle": None,
        "failed": None,
    }


def _judged(
    line: Line, candidate: Candidate, device: DeviceModel, first: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Scores on the selection rows, and what stands in the candidate's row."""
    table, plan = line.split.select, line.plan
    edge_q, cloud_q = table.mean_quality(plan.edge), table.mean_quality(plan.cloud)
    scorer = OnnxScorer(device.onnx, line.tokenizer, score_kind=candidate.model.score_kind)
    scores = scorer.score(table.texts()).astype(np.float64)
    area = area_over_random(curve_of(scores, edge_q, cloud_q))
    kept = len(device.kept_fp32)
    figures: dict[str, Any] = {"select": area, "bytes": len(device.onnx), "kept_fp32": kept}
    if first is not None:
        held = area_difference(
            scores,
            first,
            edge_q,
            cloud_q,
            domains=resampled_domains(table),
            seed=plan.split_seed,
        )
        figures |= {"minus_first": held.estimate, "interval": [held.low, held.high]}
    return scores, figures

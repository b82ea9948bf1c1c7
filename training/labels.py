"""What the router learns: ``det``, ``prob``, ``trans`` (Hybrid LLM, arXiv 2404.14618, section 3).

H = q(edge) - q(cloud). ``det`` is 1[H >= 0] from one response each, ``prob`` Pr[H >= 0] over all
response pairs, ``trans`` Pr[H >= -t*] with t* = argmax over t >= 0 of the mean pairwise absolute
difference of the labels (their equation 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.fit_config import LabelKind
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.transform import best_shift, gini_difference

Qualities = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels of n rows.

    Parameters
    ----------
    requested, kind : {"det", "prob", "trans"}
        What was asked for and what ``values`` are: ``trans`` falls back to ``prob`` at t* = 0.
    values : ndarray of float32, shape (n,)
        In [0, 1]; high means the edge will do.
    t_star : float or None
        In units of q; None unless ``trans`` was asked for.
    curve : tuple of (float, float)
        The t's tried, ascending, and the Gini mean difference of the labels at each.
    note : str or None
        What the user should know about these labels.
    share_zero, share_one : float
        Shares of labels that are exactly 0 and exactly 1.
    gini_before, gini_after : float
        Gini mean difference of the ``prob`` labels and of ``values``, in [0, .5].
    """

    requested: LabelKind
    kind: LabelKind
    values: NDArray[np.float32]
    t_star: float | None
    curve: tuple[tuple[float, float], ...]
    note: str | None
    share_zero: float
    share_one: float
    gini_before: float
    gini_after: float

    def summary(self) -> dict[str, Any]:
        """The figures without the rows and the curve, ready for JSON."""
        names = ("requested", "kind", "t_star", "note", "share_zero", "share_one")
        held = {name: getattr(self, name) for name in (*names, "gini_before", "gini_after")}
        return {"n": len(self.values)} | held


def labels_of(
    table: OutcomeTable, edge: str, cloud: str, kind: LabelKind, *, seed: int = 0
) -> Labels:
    """Labels of a table's rows; see ``make_labels``."""
    edge_q = [arm.quality for arm in table.outcomes_of(edge)]
    cloud_q = [arm.quality for arm in table.outcomes_of(cloud)]
    return make_labels(edge_q, cloud_q, kind, seed=seed)


def labels_at(table: OutcomeTable, edge: str, cloud: str, t: float) -> NDArray[np.float32]:
    """Pr[H >= -t] of a table's rows over all response pairs, shape (n,); t in units of q."""
    edge_q = [arm.quality for arm in table.outcomes_of(edge)]
    cloud_q = [arm.quality for arm in table.outcomes_of(cloud)]
    return _share_at_least(*_cross_gaps(edge_q, cloud_q), -t).astype(np.float32)


def make_labels(edge_q: Qualities, cloud_q: Qualities, kind: LabelKind, *, seed: int = 0) -> Labels:
    """Labels of n rows, each with its responses' qualities (their number may differ by row).

    ``det`` draws one response of each arm by ``seed``: a pass rate read as ten 0/1 responses is
    sorted, so the first would not be a fair draw.

    Raises
    ------
    ConfigError
        If ``kind`` is none of det, prob, trans.
    DataError
        If there is no row, the lengths differ, or a quality is missing or not finite.
    """
    if kind not in get_args(LabelKind):
        raise ConfigError(f"label is {kind!r}; use one of {list(get_args(LabelKind))}")
    rows, gaps, pairs = _cross_gaps(edge_q, cloud_q)
    prob = _share_at_least(rows, gaps, pairs, 0.0)
    if kind == "det":
        drawn = _drawn(edge_q, seed) >= _drawn(cloud_q, seed + 1)
        return _built(kind, kind, drawn.astype(np.float64), prob)
    if kind == "prob":
        return _built(kind, kind, prob, prob)
    shift = best_shift(rows, gaps, pairs)
    if shift.t > 0.0:
        values = _share_at_least(rows, gaps, pairs, -shift.t)
        return _built(kind, kind, values, prob, t_star=shift.t, curve=shift.curve)
    note = f"t* = 0, so trans falls back to prob: {_why_zero(edge_q, cloud_q, gaps)}"
    return _built(kind, "prob", prob, prob, t_star=0.0, curve=shift.curve, note=note)


def _built(
    requested: LabelKind,
    kind: LabelKind,
    values: NDArray[np.float64],
    prob: NDArray[np.float64],
    *,
    t_star: float | None = None,
    curve: tuple[tuple[float, float], ...] = (),
    note: str | None = None,
) -> Labels:
    if note is None and values.min() == values.max():
        note = f"every label is {values[0]:g}: there is nothing to learn from these rows"
    return Labels(
        requested=requested,
        kind=kind,
        values=values.astype(np.float32),
        t_star=t_star,
        curve=curve,
        note=note,
        share_zero=float(np.mean(values == 0.0)),
        share_one=float(np.mean(values == 1.0)),
        gini_before=gini_difference(prob),
        gini_after=gini_difference(values),
    )


def _why_zero(edge_q: Qualities, cloud_q: Qualities, gaps: NDArray[np.float64]) -> str:
    if not np.any(gaps < 0.0):
        return "no cloud response is better than an edge response, so every label is 1 already"
    if len({value for row in (*edge_q, *cloud_q) for value in row}) <= 2:
        return (
            "q takes two values only, and no t short of their difference changes a label; "
            "a finer q (BARTScore, a judge's score) gives trans something to move"
        )
    return "no t > 0 spreads the labels more than t = 0 does"


def _cross_gaps(
    edge_q: Qualities, cloud_q: Qualities
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Each pair's row (p,) and gap q(edge) - q(cloud) (p,); each row's number of pairs (n,)."""
    if len(edge_q) != len(cloud_q) or not edge_q:
        raise DataError(f"edge has {len(edge_q)} rows, cloud {len(cloud_q)}; give as many, over 0")
    shapes: dict[tuple[int, int], list[int]] = {}
    for row, (edge, cloud) in enumerate(zip(edge_q, cloud_q, strict=True)):
        if not len(edge) or not len(cloud):
            raise DataError(f"row {row} has no quality for an arm; give at least one")
        shapes.setdefault((len(edge), len(cloud)), []).append(row)
    all_rows, all_gaps = [], []
    pairs = np.zeros(len(edge_q), dtype=np.int64)
    for (edges, clouds), members in shapes.items():
        edge_block = np.array([edge_q[row] for row in members], dtype=np.float64)
        cloud_block = np.array([cloud_q[row] for row in members], dtype=np.float64)
        all_gaps.append((edge_block[:, :, None] - cloud_block[:, None, :]).reshape(-1))
        all_rows.append(np.repeat(np.array(members, dtype=np.int64), edges * clouds))
        pairs[members] = edges * clouds
    gaps = np.concatenate(all_gaps)
    if not np.isfinite(gaps).all():
        bad = int(np.concatenate(all_rows)[~np.isfinite(gaps)][0])
        raise DataError(f"row {bad} holds a quality that is not finite; give finite numbers")
    return np.concatenate(all_rows), gaps, pairs


def _share_at_least(
    rows: NDArray[np.int64], gaps: NDArray[np.float64], pairs: NDArray[np.int64], level: float
) -> NDArray[np.float64]:
    """Pr[H >= level] of each row, shape (n,)."""
    counts: NDArray[np.int64] = np.bincount(rows[gaps >= level], minlength=len(pairs))
    return counts / pairs


def _drawn(qualities: Qualities, seed: int) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    sizes = np.array([len(row) for row in qualities], dtype=np.int64)
    picks = draw.integers(0, sizes)
    return np.array([row[pick] for row, pick in zip(qualities, picks, strict=True)])

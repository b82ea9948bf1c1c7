"""From a router's judged rows to its figures, all on the same scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.averaged_rows import AveragedRows
from hybridroute.training.judging.comparison_row import (
    ComparisonRow,
    Difference,
    Pair,
    Role,
    Savings,
)
from hybridroute.training.judging.cost_curve import (
    cost_share_at,
    hull_with,
    saving_against_random,
)
from hybridroute.training.judging.paired import Resamples, limits
from hybridroute.training.judging.yardstick import Yardstick
from hybridroute.training.pool.metrics import effective_p, relative_quality

Floats = NDArray[np.float64]


def comparison_row_of(
    name: str, role: Role, held: AveragedRows, yardstick: Yardstick
) -> ComparisonRow:
    """The figures that every router has."""
    rows = yardstick.resamples
    quality = rows.mean(held.quality)
    ends = rows.mean(yardstick.chance.quality), rows.mean(yardstick.oracle.quality)
    found = effective_p(quality, *ends)
    best = rows.mean(yardstick.best_single.quality)
    cost = None if held.cost is None else rows.mean(held.cost)
    return ComparisonRow(
        name=name,
        role=role,
        quality=quality,
        ci95=rows.interval(held.quality),
        quality_by_run=held.by_run,
        effective_p=found,
        effective_p_ci95=None if found is None else _effective_interval(held, yardstick),
        cost=cost,
        v_b=relative_quality(quality, best),
        v_r=None if yardstick.reference is None else relative_quality(quality, yardstick.reference),
        pgr=_pgr(quality, yardstick),
        cost_advantage=_cost_advantage(held, cost, yardstick),
        quality_drop=best - quality,
        e_p=held.entropy,
        choices=dict(zip(yardstick.arms, held.shares.tolist(), strict=True)),
        by_domain=_by_domain(held.quality, yardstick.domains),
        over_best_single=difference_of(name, held, "best single", yardstick.best_single, rows),
        savings=savings_of(held, yardstick),
    )


def _pgr(quality: float, yardstick: Yardstick) -> float | None:
    ends = yardstick.ends
    if not ends.clear:
        return None
    return (quality - ends.low_quality) / (ends.high_quality - ends.low_quality)


def _cost_advantage(held: AveragedRows, cost: float | None, yardstick: Yardstick) -> float | None:
    if len(yardstick.arms) == 2:
        return float(held.shares[yardstick.cheapest])
    if cost is None or yardstick.best_single.cost is None:
        return None
    dear = yardstick.resamples.mean(yardstick.best_single.cost)
    return 1.0 - cost / dear if dear > 0.0 else None


def _effective_interval(held: AveragedRows, yardstick: Yardstick) -> Pair | None:
    rows = yardstick.resamples
    chance = rows.means(yardstick.chance.quality)
    gain = rows.means(yardstick.oracle.quality) - chance
    defined = gain > 0.0
    if defined.sum() < 2:
        return None
    return limits((rows.means(held.quality)[defined] - chance[defined]) / gain[defined])


def _by_domain(quality: Floats, domains: Sequence[str | None]) -> dict[str, float]:
    names = np.array(["" if name is None else name for name in domains])
    return {str(name): float(quality[names == name].mean()) for name in np.unique(names) if name}


def difference_of(
    a: str, one: AveragedRows, b: str, other: AveragedRows, rows: Resamples
) -> Difference | None:
    """Quality of one minus the other, paired; None of a router and itself."""
    if a == b:
        return None
    held = one.quality - other.quality
    return Difference(a=a, b=b, difference=rows.mean(held), ci95=rows.interval(held))


def _points(held: AveragedRows) -> tuple[Floats, Floats] | None:
    """Quality and cost of each row at each weight, (n, points)."""
    if held.cost is None:
        return None
    if held.swept is None:
        return held.quality[:, None], held.cost[:, None]
    return held.swept.quality, held.swept.cost


def savings_of(held: AveragedRows, yardstick: Yardstick) -> Savings | None:
    """Quality for cost; None without a range of costs or without costs of its own."""
    span, points, ends = yardstick.cost_range, _points(held), yardstick.ends
    if span is None or points is None:
        return None
    base = yardstick.resamples.base
    hull = hull_with(base @ points[0], base @ points[1], (ends.low_cost, ends.low_quality))
    shares: list[float | None] = [None, None]
    if yardstick.cpt_undefined is None:
        shares = [cost_share_at(hull, ends, level) for level in (0.5, 0.8)]
    drawn = aiq_draws(held, yardstick)
    return Savings(
        aiq=hull.aiq(*span),
        aiq_ci95=_defined_limits(drawn),
        ndch=tuple(zip(hull.cost.tolist(), hull.quality.tolist(), strict=True)),
        cpt50=None if shares[0] is None else 100.0 * shares[0],
        cpt80=None if shares[1] is None else 100.0 * shares[1],
        saving50=saving_against_random(shares[0], 0.5),
        saving80=saving_against_random(shares[1], 0.8),
    )


def aiq_draws(held: AveragedRows, yardstick: Yardstick) -> Floats | None:
    """AIQ in each resample, shape (resamples,), over its own range of costs and from its own
    cheapest arm on; NaN in one where all arms cost the same. None without costs."""
    points, drawn = _points(held), yardstick.drawn
    if points is None or drawn is None:
        return None
    quality, cost = (yardstick.resamples.means(one) for one in points)
    found = [
        hull_with(quality[at], cost[at], low).aiq(*span)
        for at, (low, span) in enumerate(zip(drawn.low, drawn.spans, strict=True))
    ]
    return np.array(found, dtype=np.float64)  # None becomes NaN


def _defined_limits(drawn: Floats | None) -> Pair | None:
    """Of the resamples in which a figure is defined; None where hardly any is left."""
    if drawn is None:
        return None
    held = drawn[np.isfinite(drawn)]
    return limits(held) if len(held) > 1 else None


def aiq_difference(
    a: str, one: AveragedRows, b: str, other: AveragedRows, yardstick: Yardstick
) -> Difference | None:
    """AIQ of one minus the other, paired over the same resamples; None where one is undefined."""
    held, beside = savings_of(one, yardstick), savings_of(other, yardstick)
    mine, theirs = aiq_draws(one, yardstick), aiq_draws(other, yardstick)
    if held is None or beside is None or held.aiq is None or beside.aiq is None:
        return None
    if mine is None or theirs is None or a == b:
        return None
    interval = _defined_limits(mine - theirs)
    if interval is None:
        return None
    return Difference(a=a, b=b, difference=held.aiq - beside.aiq, ci95=interval, figure="aiq")

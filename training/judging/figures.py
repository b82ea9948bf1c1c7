"""From a router's judged rows to its figures, all on the same scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.curve import standard_error
from hybridroute.training.judging.cost_curve import (
    Ends,
    cost_share_at,
    hull_with,
    saving_against_random,
)
from hybridroute.training.judging.entry import Difference, Entry, Pair, Role, Savings
from hybridroute.training.judging.paired import Resamples, limits
from hybridroute.training.judging.pool_metrics import effective_p, relative_quality
from hybridroute.training.judging.standing import Standing

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """What every router's figures are measured against.

    Parameters
    ----------
    arms : tuple of str
    domains : tuple of (str or None)
        Of the judged rows.
    resamples : Resamples
    chance, oracle, best_single : Standing
    reference : float or None
        A strong model's mean quality, for V_R.
    arm_cost, arm_quality : ndarray, shape (m,), or None
        Means of the judged rows; the cheapest and the dearest give the cost range.
    """

    arms: tuple[str, ...]
    domains: tuple[str | None, ...]
    resamples: Resamples
    chance: Standing
    oracle: Standing
    best_single: Standing
    reference: float | None
    arm_cost: Floats | None
    arm_quality: Floats

    @property
    def cost_range(self) -> Pair | None:
        """Mean cost of the cheapest and of the dearest arm; None where they do not differ."""
        if self.arm_cost is None or not self.arm_cost.max() > self.arm_cost.min():
            return None
        return float(self.arm_cost.min()), float(self.arm_cost.max())

    def ends(self) -> Ends | None:
        """The cheapest arm (the better of equals) and the best single one."""
        single = self.best_single
        if self.cost_range is None or self.arm_cost is None or single.cost is None:
            return None
        cheapest = int(np.lexsort((-self.arm_quality, self.arm_cost))[0])
        gap = self.resamples.mean(single.quality) - float(self.arm_quality[cheapest])
        return Ends(
            low_cost=float(self.arm_cost[cheapest]),
            low_quality=float(self.arm_quality[cheapest]),
            high_cost=self.resamples.mean(single.cost),
            high_quality=self.resamples.mean(single.quality),
            clear=gap > 2.0 * standard_error(single.quality),
        )


def entry_of(name: str, role: Role, held: Standing, scale: Scale) -> Entry:
    """The figures that every router has."""
    rows = scale.resamples
    quality = rows.mean(held.quality)
    ends = rows.mean(scale.chance.quality), rows.mean(scale.oracle.quality)
    found = effective_p(quality, *ends)
    best = rows.mean(scale.best_single.quality)
    return Entry(
        name=name,
        role=role,
        quality=quality,
        ci95=rows.interval(held.quality),
        quality_by_run=held.by_run,
        effective_p=found,
        effective_p_ci95=None if found is None else _effective_interval(held, scale),
        cost=None if held.cost is None else rows.mean(held.cost),
        v_b=relative_quality(quality, best),
        v_r=None if scale.reference is None else relative_quality(quality, scale.reference),
        e_p=held.entropy,
        choices=dict(zip(scale.arms, held.shares.tolist(), strict=True)),
        by_domain=_by_domain(held.quality, scale.domains),
        over_best_single=difference_of(name, held, "best single", scale.best_single, rows),
        savings=savings_of(held, scale),
    )


def _effective_interval(held: Standing, scale: Scale) -> Pair | None:
    rows = scale.resamples
    chance = rows.means(scale.chance.quality)
    gain = rows.means(scale.oracle.quality) - chance
    defined = gain > 0.0
    if defined.sum() < 2:
        return None
    return limits((rows.means(held.quality)[defined] - chance[defined]) / gain[defined])


def _by_domain(quality: Floats, domains: Sequence[str | None]) -> dict[str, float]:
    names = np.array(["" if name is None else name for name in domains])
    return {str(name): float(quality[names == name].mean()) for name in np.unique(names) if name}


def difference_of(
    a: str, one: Standing, b: str, other: Standing, rows: Resamples
) -> Difference | None:
    """Quality of one minus the other, paired; None of a router and itself."""
    if a == b:
        return None
    held = one.quality - other.quality
    return Difference(a=a, b=b, difference=rows.mean(held), ci95=rows.interval(held))


def savings_of(held: Standing, scale: Scale) -> Savings | None:
    """Quality for cost; None without a range of costs or without costs of its own."""
    ends, span, rows = scale.ends(), scale.cost_range, scale.resamples
    if ends is None or span is None or held.cost is None:
        return None
    if held.swept is None:
        quality, cost = np.array([rows.mean(held.quality)]), np.array([rows.mean(held.cost)])
    else:
        quality, cost = rows.base @ held.swept.quality, rows.base @ held.swept.cost
    hull = hull_with(quality, cost, ends)
    shares: list[float | None] = [None, None]
    if ends.undefined() is None:
        shares = [cost_share_at(hull, ends, level) for level in (0.5, 0.8)]
    return Savings(
        aiq=hull.aiq(*span),
        ndch=tuple(zip(hull.cost.tolist(), hull.quality.tolist(), strict=True)),
        cpt50=None if shares[0] is None else 100.0 * shares[0],
        cpt80=None if shares[1] is None else 100.0 * shares[1],
        saving50=saving_against_random(shares[0], 0.5),
        saving80=saving_against_random(shares[1], 0.8),
    )

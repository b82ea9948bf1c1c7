"""The figures of a comparison, as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridroute.training.judging.comparison import ArmFacts, Comparison
from hybridroute.training.judging.comparison_row import ComparisonRow
from hybridroute.training.judging.model_scaling import ScalingUp
from hybridroute.training.report_page.canvas import canvas, legend, png, shown_name
from hybridroute.training.report_page.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THOUSAND = 1000.0
_MOST_LINES = 6
_MOST_ARMS = 12
_BLIND = frozenset({"random", "length"})


def drawn_entries(found: Comparison) -> tuple[ComparisonRow, ...]:
    """The estimators that are drawn: the winner, then the best of the others, blind ones last."""
    rest = [one for one in found.estimators if one.name != found.winner]
    rest.sort(key=lambda one: (one.name in _BLIND, -one.quality))
    return (found.row(found.winner), *rest[: _MOST_LINES - 1])


def cost_png(found: Comparison, theme: Theme) -> bytes:
    """Cost and quality: arms as points, routers as their hulls, the oracle as a star."""
    figure, axes = canvas(theme)
    oracle = found.row("oracle")
    for place, entry in enumerate(drawn_entries(found)):
        if entry.savings is None:
            continue
        cost = [_THOUSAND * at for at, _ in entry.savings.ndch]
        quality = [at for _, at in entry.savings.ndch]
        colour = _colour(theme, place)
        wide = 2.4 if place == 0 else 1.3
        name = shown_name(entry.name)
        axes.plot(cost, quality, color=colour, linewidth=wide, label=name, zorder=6 - place / 10)
        axes.plot(cost[-1:], quality[-1:], marker="o", markersize=4, color=colour, zorder=6)
    _zero_hull(found, axes, theme)
    _arms(found.arms, axes, theme)
    if oracle.cost is not None:
        axes.plot(
            [_THOUSAND * oracle.cost],
            [oracle.quality],
            marker="*",
            markersize=10,
            linestyle="",
            color=theme.ink,
            label="oracle",
        )
    low, high = found.protocol.cost_range or (0.0, 0.0)
    if low > 0.0 and high > 10.0 * low:
        axes.set_xscale("log")
    axes.set_xlabel("mean cost of 1,000 queries, US dollars")
    axes.set_ylabel("mean quality")
    legend(figure, axes, theme)
    return png(figure)


def _zero_hull(found: Comparison, axes: Axes, theme: Theme) -> None:
    names = {one.name for one in found.baselines}
    zero = found.row("Zero").savings if "Zero" in names else None
    if zero is not None:
        axes.plot(
            [_THOUSAND * cost for cost, _ in zero.ndch],
            [quality for _, quality in zero.ndch],
            color=theme.baseline,
            linestyle=(0, (5, 3)),
            linewidth=1.4,
            label="Zero (mix of single arms)",
        )


def _arms(arms: tuple[ArmFacts, ...], axes: Axes, theme: Theme) -> None:
    held = [(_THOUSAND * arm.cost, arm.quality) for arm in arms if arm.cost and arm.quality]
    axes.plot(
        [cost for cost, _ in held],
        [quality for _, quality in held],
        marker="D",
        markersize=4,
        linestyle="",
        color=theme.faint,
        label="single arms",
    )


def scaling_png(held: ScalingUp, best: float, theme: Theme) -> bytes:
    """Mean quality against the number of arms to choose among."""
    figure, axes = canvas(theme)
    lines = (
        ("oracle", held.oracle, theme.this, 2.2),
        ("r_o(.5)", held.partial(0.5), theme.bundles[0], 1.6),
        ("best single arm, in hindsight", held.best_single, theme.bundles[1], 1.6),
        ("chance", held.partial(0.0), theme.baseline, 1.4),
    )
    mark = "o" if len(held.sizes) <= _MOST_ARMS else ""
    for name, values, colour, wide in lines:
        axes.plot(
            held.sizes, values, color=colour, linewidth=wide, marker=mark, markersize=3, label=name
        )
    axes.plot(
        [held.sizes[-1]],
        [best],
        marker="*",
        markersize=10,
        linestyle="",
        color=theme.ink,
        label="the winner among all",
    )
    if held.sizes[-1] > 2 * _MOST_ARMS:
        axes.set_xscale("log")
    elif held.sizes[-1] <= _MOST_ARMS:
        axes.set_xticks(held.sizes)
    axes.set_xlabel("arms to choose among")
    axes.set_ylabel("mean quality, over all subsets")
    legend(figure, axes, theme, columns=2)
    return png(figure)


def choices_png(found: Comparison, theme: Theme) -> bytes:
    """How often each arm is called: a bar a router, the arms stacked in it."""
    figure, axes = canvas(theme)
    entries = [*drawn_entries(found), found.row("best single"), found.row("oracle")]
    names = _most_called(entries)
    left = [0.0] * len(entries)
    for place, arm in enumerate(names):
        shares = [100.0 * entry.choices[arm] for entry in entries]
        colour = _stack_colour(theme, place)
        axes.barh(range(len(entries)), shares, left=left, color=colour, label=shown_name(arm))
        left = [start + share for start, share in zip(left, shares, strict=True)]
    rest = [max(0.0, 100.0 - held) for held in left]
    if max(rest) > 0.05:
        axes.barh(range(len(entries)), rest, left=left, color=theme.grid, label="other arms")
    axes.set_yticks(range(len(entries)), [shown_name(entry.name) for entry in entries])
    axes.invert_yaxis()
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("share of the queries, %")
    legend(figure, axes, theme, columns=2)
    return png(figure)


def _most_called(entries: list[ComparisonRow]) -> list[str]:
    """Arms by how often they are called at all, as many as there are colours for."""
    total = {arm: sum(entry.choices[arm] for entry in entries) for arm in entries[0].choices}
    ranked = sorted(total, key=lambda arm: -total[arm])
    return [arm for arm in ranked if total[arm] > 0.0][:7]


def _colour(theme: Theme, place: int) -> str:
    return theme.this if place == 0 else theme.bundles[(place - 1) % len(theme.bundles)]


def _stack_colour(theme: Theme, place: int) -> str:
    return (theme.this, *theme.bundles)[place % (1 + len(theme.bundles))]

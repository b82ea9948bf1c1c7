"""The comparison's page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from hybridroute._version import __version__
from hybridroute.training.compare_page import plots
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.comparison_row import ComparisonRow
from hybridroute.training.report_page.reading import amount
from hybridroute.training.report_page.rendering import Drawn, rendered
from hybridroute.training.report_page.themes import DARK, LIGHT, Theme

_PACKAGE = "hybridroute.training.compare_page"
_HELD_OUT = {
    "given": "rows set apart for judging",
    "prompts": "prompts held out in turn",
    "domains": "whole domains held out in turn",
}


def figures_of(found: Comparison) -> dict[str, Drawn]:
    """The figures by name; ``cost`` and ``scaling`` only where there is something to draw."""
    drawn: dict[str, tuple[str, Callable[[Theme], bytes]]] = {
        "choices": (
            "How often each router calls each arm, stacked bars",
            lambda theme: plots.choices_png(found, theme),
        )
    }
    if found.protocol.cost_range is not None:
        drawn["cost"] = (
            "Mean quality against mean cost: single arms, routers and their hulls",
            lambda theme: plots.cost_png(found, theme),
        )
    scaling = found.scaling_up
    if scaling is not None:
        best = found.row(found.winner).quality
        drawn["scaling"] = (
            "Mean quality against the number of arms to choose among",
            lambda theme: plots.scaling_png(scaling, best, theme),
        )
    return {
        name: Drawn(alt=alt, light=draw(LIGHT), dark=draw(DARK))
        for name, (alt, draw) in drawn.items()
    }


def page_of(found: Comparison, figures: Mapping[str, Drawn]) -> str:
    """The page's HTML."""
    return rendered(
        _PACKAGE,
        "compare.html.jinja",
        figures,
        found=found,
        held=found.protocol,
        held_out=_HELD_OUT[found.protocol.held_out],
        winner=found.row(found.winner),
        reference=any(one.v_r is not None for one in found.estimators),
        reading=reading_of(found),
        domains=sorted({name for one in found.estimators for name in one.by_domain}),
        differences=_of_winner(found),
        made=time.strftime("%Y-%m-%d"),
        version=__version__,
    )


def reading_of(found: Comparison) -> str:
    """What the comparison says, in a sentence or two."""
    winner, single = found.row(found.winner), found.row("best single")
    held = winner.over_best_single
    if held is None:
        return ""
    low, high = held.ci95
    limits = f"95 % interval {amount(low)} to {amount(high)}"
    size = f"by {amount(abs(held.difference))} ({limits})"
    if low > 0.0:
        verdict = f"is better than the best single arm {size}"
    elif high < 0.0:
        verdict = f"is worse than the best single arm {size}"
    else:
        verdict = f"cannot be told from the best single arm ({limits} of the difference)"
    part = "" if winner.effective_p is None else _part(winner.effective_p)
    money = _money(winner, single)
    chosen = ", chosen on rows that are not judged," if found.protocol.train_rows else ""
    return f"{winner.name}{chosen} {verdict}.{part}{money}{_blend(winner)}"


def _part(p: float) -> str:
    return f" It goes {100 * p:.0f} % of the way from a random choice to the oracle."


def _money(winner: ComparisonRow, single: ComparisonRow) -> str:
    if winner.cost is None or single.cost is None or not single.cost > 0.0:
        return ""
    return f" It costs {100 * winner.cost / single.cost:.0f} % of what that arm costs."


def _blend(winner: ComparisonRow) -> str:
    """Quality for cost, beside a mix of single arms that reads no query."""
    held = winner.aiq_over_zero
    if held is None:
        return ""
    low, high = held.ci95
    said = f"by {amount(abs(held.difference))} (95 % interval {amount(low)} to {amount(high)})"
    if low > 0.0:
        return f" As cost is weighed, it is better than a blind mix of single arms {said}."
    if high < 0.0:
        return f" As cost is weighed, it is worse than a blind mix of single arms {said}."
    return f" As cost is weighed, it cannot be told from a blind mix of single arms ({said[3:]})."


def _of_winner(found: Comparison) -> list[tuple[str, tuple[float, float, float]]]:
    """The winner minus every other, turned where the pair stands the other way round."""
    rows = []
    for one in found.differences:
        low, high = one.ci95
        if one.a == found.winner:
            rows.append((one.b, (one.difference, low, high)))
        elif one.b == found.winner:
            rows.append((one.a, (-one.difference, -high, -low)))
    return rows

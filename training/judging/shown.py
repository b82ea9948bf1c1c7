"""A comparison on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from hybridroute.cli.output import console
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.comparison_row import ComparisonRow, Difference

_WIDE = 120
_OBJECTIVES: Final = {"aiq": "quality for cost (AIQ)", "quality": "mean quality"}


@dataclass(frozen=True, slots=True)
class _Column:
    """A title, and a row's text below it; one without any is left out.

    ``only_served``: where rows are out of scope, so that what is served differs.
    """

    title: str
    cell: Callable[[ComparisonRow], str]
    only_wide: bool = False
    only_served: bool = False


def number(value: float | None, *, places: int = 3) -> str:
    """A fixed number of digits after the point; nothing for None."""
    return "" if value is None else f"{value:.{places}f}"


def lead(held: Difference | None) -> str:
    """A difference; a star where its interval leaves out 0."""
    if held is None:
        return ""
    sure = "*" if held.ci95[0] > 0.0 or held.ci95[1] < 0.0 else " "
    return f"{held.difference:+.3f}{sure}"


def _aiq(entry: ComparisonRow) -> str:
    return number(None if entry.savings is None else entry.savings.aiq)


def _two_arms(entry: ComparisonRow) -> str:
    held = entry.two_arms
    if held is None:
        return ""
    return f"{number(held.apgr)} {number(held.cpt50, places=0)}/{number(held.cpt80, places=0)}"


def percent(value: float | None) -> str:
    """Of a share; nothing for None."""
    return "" if value is None else f"{100 * value:.0f}%"


_COLUMNS: Final = (
    _Column("", lambda one: one.name),
    _Column("quality", lambda one: number(one.quality)),
    _Column("as served", lambda one: number(one.served_quality), only_served=True),
    _Column("95 %", lambda one: f"{number(one.ci95[0])} {number(one.ci95[1])}", only_wide=True),
    _Column("eff. p", lambda one: number(one.effective_p)),
    _Column("- best single", lambda one: lead(one.over_best_single)),
    _Column("$/1,000", lambda one: "" if one.cost is None else f"{1000 * one.cost:.3g}"),
    _Column("AIQ", _aiq),
    _Column("- Zero", lambda one: lead(one.aiq_over_zero), only_wide=True),
    _Column("APGR CPT50/80", _two_arms),
    _Column("saved", lambda one: percent(one.cost_advantage), only_wide=True),
    _Column("V_B", lambda one: number(one.v_b), only_wide=True),
    _Column("V_R", lambda one: number(one.v_r), only_wide=True),
    _Column("E_p", lambda one: number(one.e_p), only_wide=True),
    _Column("fit s", lambda one: number(one.fit_s, places=2), only_wide=True),
    _Column("route ms", lambda one: number(one.route_ms, places=1)),
)


def show(found: Comparison, notes: tuple[str, ...] = ()) -> None:
    """Print the table, the arms and what they rest on."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = console()
    wide = shown.width >= _WIDE
    table = Table(box=SIMPLE_HEAD, padding=(0, 1 if wide else 0))
    entries = (*found.estimators, *found.baselines)
    columns = [one for one in _COLUMNS if wide or not one.only_wide]
    columns = [one for one in columns if found.shows_served or not one.only_served]
    columns = [one for one in columns if any(one.cell(entry) for entry in entries)]
    for one in columns:
        side: Literal["left", "right"] = "left" if one is _COLUMNS[0] else "right"
        table.add_column(one.title, justify=side, no_wrap=True)
    for entry in entries:
        bold = "bold" if entry.name == found.winner else None
        table.add_row(*(one.cell(entry) for one in columns), style=bold)
    shown.print(table)
    held = found.protocol
    lines = [_judged(found)]
    if held.cost_range is not None:
        low, high = held.cost_range
        lines.append(
            f"AIQ: over {low:.3g} to {high:.3g} USD a query; - Zero: minus that of the blind mix."
        )
    lines += [f"No cost: {held.no_cost}."] if held.no_cost else []
    lines += [held.scope_in_words] if held.scope_in_words else []
    for line in (*lines, *notes, *held.notes):
        shown.print(line, markup=False, soft_wrap=True)
    _show_published(found)


def _judged(found: Comparison) -> str:
    """What was judged, and what stands behind it."""
    held = found.protocol
    resampled = f"95 % intervals of {held.resamples:,} resamples of {held.resampled}"
    if not held.train_rows:
        return f"{held.judged_rows:,} rows judged; {resampled}."
    return (
        f"Winner, chosen by {_OBJECTIVES[held.objective]} on rows that are not judged: "
        f"{found.winner}\n{held.judged_rows:,} rows judged ({held.held_out} held out, {held.runs} "
        f"runs, {held.train_rows:,} rows to train on), average over {held.average}; {resampled}.\n"
        f"{held.duplicates} duplicate prompts left out, {held.conflicts} with other outcomes; "
        f"{held.rows_in_both} judged prompts also stood among the others and were not fitted on."
    )


def _show_published(found: Comparison) -> None:
    if not found.published:
        return
    shown = console()
    shown.print("\nPublished, from other runs and not ranked with these:", markup=False)
    for one in found.published:
        held = {name: value for name, value in one.to_dict().items() if isinstance(value, float)}
        figures = ", ".join(f"{name} {value:g}" for name, value in held.items())
        shown.print(f"  {one.router}: {figures} ({one.source})", markup=False, soft_wrap=True)

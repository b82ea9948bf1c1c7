"""A comparison on the terminal."""

from __future__ import annotations

from hybridroute.cli.output import console
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.entry import Difference, Entry


def show(found: Comparison, notes: tuple[str, ...] = ()) -> None:
    """Print the table, the arms and what they rest on."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = console()
    has_cost = found.protocol.no_cost is None
    table = Table(box=SIMPLE_HEAD)
    for place, name in enumerate(_columns(found)):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    for entry in (*found.estimators, *found.baselines):
        cells = _cells(entry, has_cost=has_cost, has_aiq=found.protocol.cost_range is not None)
        bold = "bold" if entry.name == found.winner else None
        table.add_row(*cells, style=bold)
    shown.print(table)
    held = found.protocol
    lines = [
        f"Winner, chosen on rows that are not judged: {found.winner}",
        f"{held.judged_rows:,} rows judged ({held.held_out} held out, {held.runs} runs, "
        f"{held.train_rows:,} rows to train on), average over {held.average}; 95 % intervals "
        f"of {held.resamples:,} resamples of {held.resampled}.",
        f"{held.duplicates} duplicate prompts left out, {held.conflicts} with other outcomes; "
        f"{held.rows_in_both} judged prompts also stood among the others and were not fitted on.",
    ]
    if held.cost_range is not None:
        low, high = held.cost_range
        lines.append(f"AIQ: over {low:.3g} to {high:.3g} USD a query.")
    lines += [f"No cost: {held.no_cost}."] if held.no_cost else []
    for line in (*lines, *notes, *held.notes):
        shown.print(line, markup=False, soft_wrap=True)
    _show_published(found)


def _columns(found: Comparison) -> list[str]:
    cost = ["$ / 1,000"] if found.protocol.no_cost is None else []
    aiq = ["AIQ"] if found.protocol.cost_range is not None else []
    middle = ["quality", "95 %", "eff. p", "- best single", *cost, *aiq]
    return ["", *middle, "V_B", "E_p", "fit s", "route ms"]


def _cells(entry: Entry, *, has_cost: bool, has_aiq: bool) -> list[str]:
    cost = [] if entry.cost is None else [f"{1000 * entry.cost:.3g}"]
    aiq = [number(None if entry.savings is None else entry.savings.aiq)]
    return [
        entry.name,
        number(entry.quality),
        f"{number(entry.ci95[0])} {number(entry.ci95[1])}",
        "-" if entry.effective_p is None else f"{entry.effective_p:.3f}",
        lead(entry.over_best_single),
        *(cost if has_cost else []),
        *(aiq if has_aiq else []),
        "-" if entry.v_b is None else f"{entry.v_b:.3f}",
        f"{entry.e_p:.2f}",
        "" if entry.fit_s is None else f"{entry.fit_s:.2f}",
        "" if entry.route_ms is None else f"{entry.route_ms:.2f}",
    ]


def number(value: float | None) -> str:
    """Four digits after the point, or a dash."""
    return "-" if value is None else f"{value:.4f}"


def lead(held: Difference | None) -> str:
    """A difference with its interval; a star where that leaves out 0."""
    if held is None:
        return ""
    sure = "*" if held.ci95[0] > 0.0 or held.ci95[1] < 0.0 else " "
    return f"{held.difference:+.4f}{sure}"


def _show_published(found: Comparison) -> None:
    if not found.published:
        return
    shown = console()
    shown.print("\nPublished, from other runs and not ranked with these:", markup=False)
    for one in found.published:
        held = {name: value for name, value in one.to_dict().items() if isinstance(value, float)}
        figures = ", ".join(f"{name} {value:g}" for name, value in held.items())
        shown.print(f"  {one.router}: {figures} ({one.source})", markup=False, soft_wrap=True)

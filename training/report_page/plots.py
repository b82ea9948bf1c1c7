"""The figures, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybridroute.training.report_page.canvas import canvas, legend, png, shown_name
from hybridroute.training.report_page.label_shift import BINS, LabelShift
from hybridroute.training.report_page.reliability import Reliability
from hybridroute.training.report_page.series import ADVANTAGES, Band, Line
from hybridroute.training.report_page.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where the setting stands on the drop's curve, ``drop`` in the curve's own unit."""

    edge_share: float
    drop: float


def drop_png(lines: Sequence[Line], theme: Theme, *, relative: bool, point: Point | None) -> bytes:
    """Quality drop against cost advantage."""
    figure, axes = canvas(theme)
    share = [100.0 * at for at in ADVANTAGES]
    scale = 100.0 if relative else 1.0
    for place, line in enumerate(lines):
        held = line.relative_drop if relative and line.relative_drop else line.drop
        _draw(axes, share, held, line, theme, place=place, scale=scale)
    axes.axhline(0.0, color=theme.faint, linewidth=0.8)
    if point is not None:
        axes.plot(
            [100.0 * point.edge_share],
            [scale * point.drop],
            marker="o",
            markersize=6,
            color=theme.this,
            markeredgecolor=theme.paper,
            zorder=6,
        )
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("cost advantage: share answered on the edge, %")
    axes.set_ylabel("quality drop, % of all-cloud" if relative else "quality drop, units of q")
    legend(figure, axes, theme)
    return png(figure)


def gap_difference_png(lines: Sequence[Line], theme: Theme) -> bytes:
    """Mean H over edge-routed minus mean H over cloud-routed rows against cost advantage."""
    figure, axes = canvas(theme)
    share = [100.0 * at for at in ADVANTAGES[1:-1]]
    for place, line in enumerate(lines):
        _draw(axes, share, line.gap_difference, line, theme, place=place, scale=1.0)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("cost advantage: share answered on the edge, %")
    axes.set_ylabel("gap difference, units of q")
    legend(figure, axes, theme)
    return png(figure)


def reliability_png(held: Sequence[Reliability], theme: Theme) -> bytes:
    """Mean label against mean score; marks grow with the rows in a bin."""
    figure, axes = canvas(theme)
    axes.plot([0, 1], [0, 1], color=theme.faint, linestyle=(0, (4, 3)), linewidth=1.0)
    axes.annotate(
        "as promised", (0.93, 0.95), ha="right", va="bottom", color=theme.faint, fontsize=8
    )
    colours = (theme.this, *theme.bundles)
    for place, one in enumerate(held):
        most = max(item.n for item in one.bins)
        scores = [item.mean_score for item in one.bins]
        labels = [item.mean_label for item in one.bins]
        sizes = [12.0 + 90.0 * item.n / most for item in one.bins]
        colour = colours[place % len(colours)]
        # The first is wider, so that it shows where another has the same scores.
        width = 1.2 if place else 3.0
        axes.plot(scores, labels, color=colour, linewidth=width, label=shown_name(one.name))
        axes.scatter(scores, labels, s=sizes, color=colour, edgecolors=theme.paper, zorder=3)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("mean score")
    axes.set_ylabel("mean label")
    legend(figure, axes, theme)
    return png(figure)


def labels_png(held: LabelShift, theme: Theme) -> bytes:
    """Both label distributions as steps over the same bins."""
    figure, axes = canvas(theme)
    edges = [place / BINS for place in range(BINS + 1)]
    middles = [place + 0.5 / BINS for place in edges[:-1]]
    after = "after: trans = prob" if held.same else f"after: trans, t* = {held.t_star:.3g}"
    whole = sum(held.before.counts)
    drawn = (
        ("before: prob", held.before, theme.baseline, -0.21),
        (after, held.after, theme.this, 0.21),
    )
    for name, one, colour, aside in drawn:
        axes.bar(
            [middle + aside / BINS for middle in middles],
            [100.0 * count / whole for count in one.counts],
            width=0.4 / BINS,
            color=colour,
            label=name,
        )
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("label: chance that the edge will do")
    axes.set_ylabel("share of the rows, %")
    legend(figure, axes, theme)
    return png(figure)


def shift_png(held: LabelShift, theme: Theme) -> bytes:
    """The spread of the labels at each t tried, and t*."""
    figure, axes = canvas(theme)
    axes.plot(
        [t for t, _ in held.curve],
        [spread for _, spread in held.curve],
        color=theme.this,
        linewidth=1.8,
        marker="o" if len(held.curve) < 12 else "",
        markersize=4,
    )
    top = max(spread for _, spread in held.curve)
    axes.axvline(held.t_star, color=theme.faint, linestyle=(0, (4, 3)), linewidth=1.0)
    axes.annotate(
        f"t* = {held.t_star:.3g}",
        (held.t_star, top),
        xytext=(5, 6),
        textcoords="offset points",
        color=theme.ink,
        fontsize=9,
    )
    axes.set_ylim(0.0, max(top * 1.15, 0.01))
    axes.set_xlabel("t, units of q")
    axes.set_ylabel("spread of the labels (Gini difference)")
    figure.tight_layout()
    return png(figure)


def _draw(
    axes: Axes,
    share: Sequence[float],
    held: Band,
    line: Line,
    theme: Theme,
    *,
    place: int,
    scale: float,
) -> None:
    colour, width, dashes = _style(line, theme, place)
    middle, low, high = ([scale * value for value in part] for part in _parts(held))
    if line.kind != "end":
        # Faint, with an edge: six bands over each other would be one grey.
        alpha = 0.14 if line.kind == "this" else 0.04
        axes.fill_between(share, low, high, color=colour, alpha=alpha, linewidth=0)
        for edge in (low, high):
            axes.plot(share, edge, color=colour, linewidth=0.6, alpha=0.55, linestyle=dashes)
    axes.plot(
        share,
        middle,
        color=colour,
        linewidth=width,
        linestyle=dashes,
        label=shown_name(line.name),
        # Other bundles are thinner and on top: a router of the same scores hides nothing.
        zorder={"this": 4, "bundle": 5}.get(line.kind, 3),
    )


def _parts(held: Band) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    return held.middle, held.low, held.high


def _style(line: Line, theme: Theme, place: int) -> tuple[str, float, tuple[int, tuple[int, ...]]]:
    """Colour, width and dashes; bundles follow the judged one in their order."""
    whole: tuple[int, tuple[int, ...]] = (0, ())
    if line.kind == "this":
        return theme.this, 2.6, whole
    if line.kind == "bundle":
        return theme.bundles[(place - 1) % len(theme.bundles)], 1.7, whole
    if line.name == "oracle":
        return theme.ink, 1.1, (0, (1, 2))
    if line.name == "random":
        return theme.baseline, 1.4, (0, (5, 3))
    if line.name.startswith("kNN"):
        return theme.neighbours, 1.6, (0, (3, 1, 1, 1))
    return theme.baseline, 1.4, (0, (7, 2, 1, 2))

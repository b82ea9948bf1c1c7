"""A figure's paper: matplotlib's Agg canvas alone, no global state, no window."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from hybridroute.training.report_page.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 4.9, 3.7
_DPI = 180
SIZE = (round(_WIDTH * _DPI), round(_HEIGHT * _DPI))
"""Of every figure, in pixels."""
_LONGEST_NAME = 28


def canvas(theme: Theme) -> tuple[Figure, Axes]:
    """An empty figure in the theme's colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, facecolor=theme.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(theme.paper)
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.faint, labelsize=9, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.grid)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(theme.ink)
        label.set_fontsize(10)
    return figure, axes


def legend(figure: Figure, axes: Axes, theme: Theme, *, columns: int = 3) -> None:
    """Below the figure, as deep as it must be."""
    handles, names = axes.get_legend_handles_labels()
    columns = columns if len(names) > 2 else 2
    depth = -(-len(names) // columns)
    figure.tight_layout(rect=(0.0, 0.02 + 0.062 * depth, 1.0, 1.0))
    drawn = figure.legend(
        handles, names, loc="lower center", ncols=columns, frameon=False, fontsize=9
    )
    for text in drawn.get_texts():
        text.set_color(theme.ink)
        # A dollar sign in a name is a dollar sign, not mathematics.
        text.set_parse_math(False)


def shown_name(name: str) -> str:
    """A name that fits a legend. Matplotlib leaves out those that start with an underscore."""
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    return f" {short}" if short.startswith("_") else short


def png(figure: Figure) -> bytes:
    """The file."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        # The bundled font lacks some scripts; the page beside the figure spells names in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()

"""The report as one HTML page: everything inlined, every name escaped, nothing fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hybridroute.training.report_page import plots
from hybridroute.training.report_page.contents import Report
from hybridroute.training.report_page.rendering import Drawn, rendered
from hybridroute.training.report_page.themes import DARK, LIGHT, Theme


def figures_of(report: Report) -> dict[str, Drawn]:
    """The figures by name; ``reliability`` is there only where a score is a probability."""
    at = report.at_setting
    point = plots.Point(edge_share=at.edge_share, drop=_point_drop(report))
    relative = report.relative_refused is None
    drawn: dict[str, tuple[str, Callable[[Theme], bytes]]] = {
        "drop": (
            "Quality drop against cost advantage, one line a router",
            lambda theme: plots.drop_png(report.lines, theme, relative=relative, point=point),
        ),
        "gap": (
            "Quality-gap difference against cost advantage, one line a router",
            lambda theme: plots.gap_difference_png(report.lines, theme),
        ),
        "labels": (
            "Distribution of the labels before and after the transformation",
            lambda theme: plots.labels_png(report.labels, theme),
        ),
        "shift": (
            "Spread of the labels against t, with its maximum at t*",
            lambda theme: plots.shift_png(report.labels, theme),
        ),
    }
    if report.reliability:
        drawn["reliability"] = (
            "Reliability diagram: mean label against mean score",
            lambda theme: plots.reliability_png(report.reliability, theme),
        )
    return {
        name: Drawn(alt=alt, light=draw(LIGHT), dark=draw(DARK))
        for name, (alt, draw) in drawn.items()
    }


def _point_drop(report: Report) -> float:
    at = report.at_setting
    return at.drop if at.relative_drop is None else at.relative_drop


def page_of(report: Report, figures: Mapping[str, Drawn]) -> str:
    """The page's HTML."""
    return rendered(
        __package__,
        "page.html.jinja",
        figures,
        report=report,
        dial_note=_dial_note(report),
    )


def _dial_note(report: Report) -> str:
    return (
        "The dial has nothing to turn, or the bundle is not calibrated: routing is set by a cost "
        f"advantage or a threshold. This page shows {report.at_setting.setting}."
    )

"""The report as one HTML page: everything inlined, every name escaped, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from hybridroute.training.report_page import plots
from hybridroute.training.report_page.contents import Report
from hybridroute.training.report_page.reading import amount, percent
from hybridroute.training.report_page.themes import DARK, LIGHT, Theme

_NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One figure on light and on dark paper, as PNG."""

    alt: str
    light: bytes
    dark: bytes


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
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "amount": lambda value: _shown(value, amount),
        "percent": lambda value: _shown(value, percent),
        "calls": lambda value: _shown(value, lambda held: f"{held:.0f} %"),
        "signed": lambda value: _shown(value, _signed),
        "verdict": _verdict,
    }
    template = environment.from_string(_packaged("page.html.jinja"))
    return template.render(
        report=report,
        figures={name: _inlined(held) for name, held in figures.items()},
        style=Markup(_packaged("page.css")),  # noqa: S704 (our own file)
        dial_note=_dial_note(report),
    )


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _inlined(held: Drawn) -> dict[str, Any]:
    width, height = plots.SIZE
    return {
        "alt": held.alt,
        "light": base64.b64encode(held.light).decode(),
        "dark": base64.b64encode(held.dark).decode(),
        "width": width,
        "height": height,
    }


def _shown(value: float | None, form: Callable[[float], str]) -> str:
    """Text, or a dash where there is no number."""
    return _NONE if value is None else form(value)


def _signed(value: float) -> str:
    return amount(value) if value <= 0.0 else f"+{amount(value)}"


def _verdict(lead: tuple[float, float, float]) -> str:
    """A class name: whether the paired interval leaves out zero."""
    _, low, high = lead
    if low > 0.0:
        return "better"
    return "worse" if high < 0.0 else "even"


def _dial_note(report: Report) -> str:
    return (
        "The dial has nothing to turn, or the bundle is not calibrated: routing is set by a cost "
        f"advantage or a threshold. This page shows {report.at_setting.setting}."
    )

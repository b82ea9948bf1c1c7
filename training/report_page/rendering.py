"""HTML out of a packaged template: everything inlined, every name escaped, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from hybridroute.training.report_page.canvas import SIZE
from hybridroute.training.report_page.reading import amount, percent

_NONE = "\N{EN DASH}"
_STYLE = ("hybridroute.training.report_page", "page.css")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One figure on light and on dark paper, as PNG."""

    alt: str
    light: bytes
    dark: bytes


def rendered(package: str, template: str, figures: Mapping[str, Drawn], **values: object) -> str:
    """A package's template with the pages' own style and its figures inlined.

    Parameters
    ----------
    figures : mapping of str to Drawn
        ``figures.NAME`` in the template.
    values
        What the template names.
    """
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
    known: dict[str, object] = {
        "figures": {name: _inlined(held) for name, held in figures.items()},
        "style": Markup(_packaged(*_STYLE)),  # noqa: S704 (our own file)
    }
    return environment.from_string(_packaged(package, template)).render(known | values)


def _packaged(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _inlined(held: Drawn) -> dict[str, Any]:
    width, height = SIZE
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

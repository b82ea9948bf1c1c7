"""The colours of the figures, on light and on dark paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """One set of colours.

    ``bundles`` holds the colours of other bundles in their order, ``this`` that of the judged one;
    both sets can be told apart with red-green blindness (Okabe and Ito).
    """

    name: str
    paper: str
    ink: str
    faint: str
    grid: str
    this: str
    bundles: tuple[str, ...]
    baseline: str
    neighbours: str


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1b1f24",
    faint="#57606a",
    grid="#e3e6ea",
    this="#0b62a8",
    bundles=("#c2500a", "#00795a", "#a8498a", "#9a6a00", "#4a4fb5", "#7a5230"),
    baseline="#6a737d",
    neighbours="#7d5ba6",
)
DARK = Theme(
    name="dark",
    paper="#161b22",
    ink="#e6e9ed",
    faint="#9aa4af",
    grid="#2b323b",
    this="#6cb6ff",
    bundles=("#f0883e", "#3fc79a", "#e39bd0", "#e3b341", "#a5a9f5", "#c9a27e"),
    baseline="#8b949e",
    neighbours="#b894e6",
)
THEMES = (LIGHT, DARK)

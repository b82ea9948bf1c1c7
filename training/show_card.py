"""A new bundle's model card on the terminal."""

from __future__ import annotations

from pathlib import Path

from hybridroute.cli.output import console
from hybridroute.training.card_front import body_of


def show_card(path: Path) -> None:
    """Show a bundle's README.md, and where the bundle is."""
    from rich.markdown import Markdown

    shown = console()
    shown.print(Markdown(body_of(path.read_text(encoding="utf-8"))))
    shown.print(f"\nThe bundle is in {path.parent}.", markup=False)

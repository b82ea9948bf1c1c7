"""``hybridroute demo``: real queries, two real models, and the dial at work."""

from __future__ import annotations


def demo() -> None:
    """Route real queries."""

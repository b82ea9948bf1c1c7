"""Figures that papers print, for a column of their own: other embeddings, other hardware, other
runs. They are never ranked with measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ROUTERDC = "RouterDC (arXiv 2409.19886)"
_ROUTELLM = "RouteLLM (arXiv 2406.18665, MMLU with golden labels; second-hand transcription)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One router's printed figures.

    ``quality`` is a mean over ``by_domain``; the others are RouteLLM's CPT in percent and APGR.
    """

    router: str
    source: str
    quality: float | None = None
    by_domain: Mapping[str, float] | None = None
    cpt50: float | None = None
    cpt80: float | None = None
    apgr: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON object without what is not printed."""
        names = ("router", "source", "quality", "by_domain", "cpt50", "cpt80", "apgr")
        held = {name: getattr(self, name) for name in names}
        return {name: value for name, value in held.items() if value is not None}


_RECORDS: tuple[tuple[frozenset[str], str, tuple[Published, ...]], ...] = (
    (
        frozenset({"mmlu", "gsm8k", "cmmlu", "arc_challenge", "humaneval"}),
        "meta-math/MetaMath-Mistral-7B",
        (
            Published(
                router="RouterDC",
                source=_ROUTERDC,
                quality=0.5854,
                by_domain={
                    "mmlu": 0.6107,
                    "gsm8k": 0.7032,
                    "cmmlu": 0.5177,
                    "arc_challenge": 0.5852,
                    "humaneval": 0.5102,
                },
            ),
            Published(router="best single LLM", source=_ROUTERDC, quality=0.5454),
        ),
    ),
    (
        frozenset({"mmlu_anatomy", "mmlu_virology"}),
        "gpt-4-1106-preview",
        (
            Published(router="random", source=_ROUTELLM, cpt50=50.1, cpt80=79.9, apgr=0.5),
            Published(router="SW", source=_ROUTELLM, cpt50=35.4, cpt80=71.6, apgr=0.603),
            Published(router="MF", source=_ROUTELLM, cpt50=35.5, cpt80=71.4, apgr=0.597),
            Published(router="BERT", source=_ROUTELLM, cpt50=41.3, cpt80=72.2, apgr=0.572),
            Published(router="causal LLM", source=_ROUTELLM, cpt50=35.5, cpt80=70.3, apgr=0.6),
        ),
    ),
)


def published_for(domains: set[str], arms: tuple[str, ...]) -> tuple[Published, ...]:
    """What papers print of these domains and arms; () where nothing is known."""
    for wanted, arm, held in _RECORDS:
        if wanted <= domains and arm in arms:
            return held
    return ()

"""Made-up score tables and estimators for the tests of judging."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridroute.routed_text import prompt_hash
from hybridroute.training.pool.score_table import ScoreTable

Rows = Sequence[Sequence[float]]


def scores(
    quality: Rows | np.ndarray,
    *,
    cost: Rows | np.ndarray | None = None,
    domains: Sequence[str | None] | None = None,
    texts: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
) -> ScoreTable:
    """A table of this matrix; each row has a prompt of its own unless ``texts`` says otherwise."""
    held = np.array(quality, dtype=np.float64)
    shown = tuple(texts) if texts else tuple(f"question {row}" for row in range(len(held)))
    return ScoreTable(
        arms=tuple(arms) if arms else tuple(f"arm{at}" for at in range(held.shape[1])),
        quality=held,
        cost_usd=None if cost is None else np.array(cost, dtype=np.float64),
        texts=shown,
        hashes=tuple(prompt_hash(text) for text in shown),
        domains=tuple(domains) if domains else (None,) * len(held),
        source="made-up",
    )


def drawn_scores(n: int, arms: int, *, seed: int = 0, domains: int = 3) -> ScoreTable:
    """0/1 outcomes that depend on the domain, the dearer arms better, costs by arm."""
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, domains, n)
    skill = 0.35 + 0.4 * np.arange(arms) / arms + 0.2 * draw.standard_normal((domains, arms))
    quality = (draw.random((n, arms)) < skill[kinds]).astype(np.float64)
    cost = 10.0 ** np.arange(arms) * 1e-6 * (1.0 + draw.random((n, arms)))
    names = [f"domain{kind}" for kind in kinds]
    texts = [f"{name} question {row} " + "word " * (row % 9) for row, name in enumerate(names)]
    return scores(quality, cost=cost, domains=names, texts=texts)

"""Made-up score tables and estimators for the tests of judging."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridroute.routed_text import prompt_hash
from hybridroute.training.pool.estimator import Queries
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
    """0/1 outcomes: each domain has an arm that is good at it, dearer ones are better at all."""
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, domains, n)
    skill = np.tile(0.3 + 0.25 * np.arange(arms) / arms, (domains, 1))
    skill[np.arange(domains), np.arange(domains) % arms] += 0.4
    quality = (draw.random((n, arms)) < skill[kinds]).astype(np.float64)
    cost = 10.0 ** np.arange(arms) * 1e-6 * (1.0 + draw.random((n, arms)))
    names = [f"domain{kind}" for kind in kinds]
    texts = [f"{name} question {row} " + "word " * (row % 9) for row, name in enumerate(names)]
    return scores(quality, cost=cost, domains=names, texts=texts)


def queries_of(table: ScoreTable, *, width: int = 8, seed: int = 0) -> Queries:
    """Embeddings in which the domains lie apart."""
    draw = np.random.default_rng(seed)
    kinds = {name: at for at, name in enumerate(sorted({str(one) for one in table.domains}))}
    place = np.array([kinds[str(name)] for name in table.domains])
    states = np.eye(max(width, len(kinds)))[place]
    states = (states + 0.3 * draw.standard_normal(states.shape)).astype(np.float32)
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    return Queries(
        embeddings=states,
        characters=np.array([len(text) for text in table.texts], dtype=np.int64),
        tokens=np.array([len(text.split()) for text in table.texts], dtype=np.int64),
        texts=table.texts,
    )

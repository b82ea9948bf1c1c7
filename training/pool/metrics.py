"""How good a router among m arms is: one definition of each figure, for every router.

Y of shape (n, m) is the mean quality of each cell, NaN where it is missing. The figures that need
two arms and a threshold (PGR, APGR, CPT) stand in :mod:`hybridroute.training.metrics`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError

Floats = NDArray[np.float64]
_ROUND_OFF = 1e-12


def random_quality(quality: Floats) -> Floats:
    """Expected quality of a uniform choice among each row's arms, shape (n,)."""
    present = ~np.isnan(quality)
    found: Floats = np.where(present, quality, 0.0).sum(axis=1) / present.sum(axis=1)
    return found


def oracle_quality(quality: Floats) -> Floats:
    """Quality of each row's best arm, shape (n,): no router can know it."""
    found: Floats = np.where(np.isnan(quality), -np.inf, quality).max(axis=1)
    return found


def oracle_cost(quality: Floats, cost: Floats) -> Floats:
    """Cost of the cheapest among each row's best arms, shape (n,) (RouterBench's oracle,
    arXiv 2403.12031, section 3)."""
    best = quality == oracle_quality(quality)[:, None]
    found: Floats = np.where(best, cost, np.inf).min(axis=1)
    return found


def partial_oracle(quality: Floats, p: float) -> Floats:
    """r_o(p): the oracle with probability p, else a uniform choice (RouterEval, arXiv 2503.10657).

    In closed form: p max_j Y_ij + (1 - p) mean_j Y_ij, shape (n,).

    Raises
    ------
    ConfigError
        If p is outside [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ConfigError(f"p is {p}; it must be from 0 to 1")
    return p * oracle_quality(quality) + (1.0 - p) * random_quality(quality)


def effective_p(mean: float, random: float, oracle: float) -> float | None:
    """The p at which r_o(p) has this mean: (mean - random) / (oracle - random).

    0 is chance, 1 the oracle; below 0 is worse than chance. None where the oracle gains nothing:
    all arms are equally good in every row.
    """
    gain = oracle - random
    return None if gain <= _ROUND_OFF * max(1.0, abs(oracle)) else (mean - random) / gain


def relative_quality(mean: float, reference: float) -> float | None:
    """V: a router's mean quality over a reference's (RouterEval, arXiv 2503.10657, section 4).

    V_R's reference is a strong model outside the pool, V_B's the best single arm. None where the
    reference is not above 0: a ratio of qualities has no meaning there.
    """
    return mean / reference if reference > 0.0 else None


def choice_entropy(shares: Floats) -> float:
    """E_p: entropy in bits of how often each arm is chosen over the judged rows.

    0 for a router that always names one arm, log2 m for a uniform one. RouterEval (arXiv
    2503.10657) computes it of whatever distribution a router happens to give; taken of the choices
    it is one definition for all.
    """
    held = shares[shares > 0.0]
    return float(abs(-(held * np.log2(held)).sum()))

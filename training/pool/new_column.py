"""A new arm's estimate from a few hundred outcomes: a column beside those of the other arms.

What the router estimates of the others, on average, says how hard a query is: a few outcomes are
enough to learn how far above or below that mean the new arm is. A ridge on the state and on the
others' estimates learns the rest, under a penalty that may be as good as infinite. An arm that is
unlike the others is better drawn to its own mean; which of the two it is, its outcomes say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.pool.ridge import column_scale
from hybridroute.training.pool.ridge_solution import ALPHAS, RidgeSolution, ridge_solution

Floats = NDArray[np.float64]

PENALTIES = (*ALPHAS, 1e3, 3e3, 1e4, 1e5)
"""At the last one nothing but a constant is learnt."""
_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A new arm's estimate, linear in the state and in ``known - middle``.

    Parameters
    ----------
    solution : RidgeSolution
        Of one arm, for a design of shape (n, d + others).
    kept : list of int
        The router's columns that hold the others.
    middle : ndarray, shape (others,)
    leans : bool
        Whether the penalty draws the estimate to the others' mean, and not to the arm's own.
    """

    solution: RidgeSolution
    kept: list[int]
    middle: Floats
    leans: bool

    def predicted(self, states: Floats, known: Floats) -> Floats:
        """Shape (n, 1), of states (n, d) and the others' estimates (n, others)."""
        return self.solution.predicted(np.hstack([states, known - self.middle]))


def fit_column(
    states: Floats,
    known: Floats,
    quality: Floats,
    kept: list[int],
    *,
    alphas: tuple[float, ...] = PENALTIES,
    leans: tuple[bool, ...] = (True, False),
) -> Column:
    """Fit a column on states (n, d), the others' estimates (n, others) and qualities (n,).

    ``alphas`` and ``leans`` are what is chosen from: the least error where each row is left out.
    """
    middle, width = known.mean(axis=0), states.shape[1]
    design = np.hstack([states, known - middle])
    scale = column_scale(design, width)
    solutions = {}
    for one in leans:
        off = quality - known.mean(axis=1) if one else quality
        solutions[one] = ridge_solution(design * scale, off[:, None], alphas=alphas)
    lean = min(solutions, key=lambda one: float(solutions[one].noise[0]))
    solution = solutions[lean].of_unscaled(scale)
    if lean:
        weights = solution.weights.copy()
        weights[width:] += 1.0 / known.shape[1]
        solution = replace(solution, weights=weights, bias=solution.bias + middle.mean())
    return Column(solution=solution, kept=kept, middle=middle, leans=lean)


def left_out(column: Column, states: Floats, known: Floats, quality: Floats) -> Floats:
    """Estimates (n,) of the fitted rows, each by a fit without its fifth of them."""
    found = np.empty(len(quality))
    alphas, leans = (column.solution.alpha,), (column.leans,)
    for fold in range(_FOLDS):
        out = np.arange(len(quality)) % _FOLDS == fold
        part = fit_column(
            states[~out], known[~out], quality[~out], column.kept, alphas=alphas, leans=leans
        )
        found[out] = part.predicted(states[out], known[out])[:, 0]
    return found

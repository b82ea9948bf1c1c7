"""training/pool/factorisation.py: when the fit ends where few battles are decided."""

from __future__ import annotations

import numpy as np
from pool_cases import chances_of, outcomes_of, queries_of

from hybridroute.training.pool.factorisation import Factorisation

SEED = 0
APART = np.random.default_rng(SEED).random(400) < 0.1
"""As the fit with that seed sets rows apart, to say when it is to end."""


def test_rows_without_a_winner_do_not_end_the_fit() -> None:
    """The rows set apart are all ties: their loss is 0 from the first epoch on."""
    queries = queries_of(400)
    quality = outcomes_of(queries, 2)
    quality[APART] = 1.0
    fitted = Factorisation().fit(queries, quality, seed=SEED)
    mean = fitted.estimate(queries).mean
    chances = chances_of(queries, 2)
    apart = np.abs(chances[:, 1] - chances[:, 0]) > 0.2
    right = (mean[:, 1] > mean[:, 0]) == (chances[:, 1] > chances[:, 0])
    assert right[apart].mean() > 0.9
    assert np.abs(mean[:, 1] - mean[:, 0]).mean() > 1.0


def test_ties_set_apart_change_nothing_where_others_are_decided() -> None:
    queries = queries_of(400)
    quality = outcomes_of(queries, 3)
    tied = quality.copy()
    tied[np.flatnonzero(APART)[:5]] = 1.0
    missing = tied.copy()
    missing[np.flatnonzero(APART)[:5], 1:] = np.nan
    one, other = (
        Factorisation().fit(queries, held, seed=SEED).estimate(queries).mean
        for held in (tied, missing)
    )
    np.testing.assert_array_equal(one, other)


def test_where_all_outcomes_tie_no_arm_is_ahead() -> None:
    queries = queries_of(60)
    fitted = Factorisation().fit(queries, np.ones((60, 3)), seed=SEED)
    np.testing.assert_array_equal(fitted.estimate(queries).mean, 0.0)

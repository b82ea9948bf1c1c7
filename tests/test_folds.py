"""training/judging/folds.py: nothing that is judged is fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from pool_case import drawn_scores, scores

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.judging.folds import Fold, HeldOut, folds_of

TABLE = drawn_scores(200, 3, domains=7)


def apart(fold: Fold) -> None:
    parts = [set(fold.fit.tolist()), set(fold.select.tolist()), set(fold.test.tolist())]
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]


@pytest.mark.parametrize("held_out", ["prompts", "domains"])
def test_every_row_is_judged_once(held_out: HeldOut) -> None:
    folds = folds_of(TABLE, held_out=held_out, seeds=5)
    for fold in folds:
        apart(fold)
        assert len(fold.train) + len(fold.test) == 200
    judged = np.concatenate([fold.test for fold in folds])
    assert sorted(judged.tolist()) == list(range(200))


def test_held_out_domains_are_whole() -> None:
    names = np.array(TABLE.domains)
    for fold in folds_of(TABLE, held_out="domains", seeds=5):
        assert not set(names[fold.train]) & set(names[fold.test])
        assert not set(names[fold.fit]) & set(names[fold.select])


def test_given_rows_are_judged_by_every_seed_and_their_prompts_not_fitted_on() -> None:
    quality = np.ones((60, 2))
    texts = [f"q{row}" for row in range(50)] + [f"q{row}" for row in range(10)]
    table = scores(quality, texts=texts)
    folds = folds_of(table, held_out="given", seeds=3, test=np.arange(50, 60))
    for fold in folds:
        apart(fold)
        assert fold.test.tolist() == list(range(50, 60))
        assert set(fold.train.tolist()) == set(range(10, 50))
    assert set(folds[0].select.tolist()) != set(folds[1].select.tolist())


def test_the_same_prompts_fall_alike_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(200)
    turned = TABLE.select(order)
    one = folds_of(TABLE, held_out="prompts", seeds=2)[1]
    other = folds_of(turned, held_out="prompts", seeds=2)[1]
    assert {TABLE.hashes[row] for row in one.test} == {turned.hashes[row] for row in other.test}


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ConfigError, match="seeds is 0"):
        folds_of(TABLE, held_out="prompts", seeds=0)
    with pytest.raises(DataError, match="there are no rows to judge"):
        folds_of(TABLE, held_out="given", seeds=1)
    with pytest.raises(DataError, match="1 domains, or rows without one"):
        folds_of(scores(np.ones((9, 2)), domains=["a"] * 9), held_out="domains", seeds=2)
    with pytest.raises(DataError, match="cannot be cut into parts"):
        folds_of(scores(np.ones((2, 2))), held_out="prompts", seeds=5)

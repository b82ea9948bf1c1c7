"""training/out_of_scope.py: rows that a router cannot read, counted as the client routes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pool_fakes import pool
from sdk_fakes import cloud_arm, edge_arm
from tiny_bundle import tiny_tokenizer, write_tiny_bundle

from hybridroute.client import HybridClient
from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.out_of_scope import (
    ROUTER_DECIDES,
    UNKNOWN_TOKEN_LIMIT,
    Scope,
    answered,
    as_routed,
    check_any_inside,
    out_of_scope_ranking,
    outside_of,
    standing_in,
    told,
)

TEXTS = ("what is tea", "这是什么东西", "a b c d 茶", "a b 茶", "", "茶")
OUTSIDE = [False, True, False, True, False, True]
"""One unknown token of five is under the limit, one of three above it."""


def test_a_scorer_and_its_tokenizer_agree_with_the_client(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "b")
    scorer = bundle.scorer(threads=1)
    limit = bundle.manifest.unknown_token_limit
    tokenizer = RouterTokenizer(tiny_tokenizer(), max_tokens=128)
    assert outside_of(scorer, TEXTS, limit).tolist() == OUTSIDE
    held = Scope.of(tokenizer, TEXTS)
    assert (held.outside.tolist(), held.limit) == (OUTSIDE, UNKNOWN_TOKEN_LIMIT)
    client = HybridClient(str(bundle.path), edge=edge_arm(), cloud=cloud_arm())
    for text, outside in zip(TEXTS, OUTSIDE, strict=True):
        if text:
            decision = client.route([{"role": "user", "content": text}])
            assert (decision.reason == "out_of_scope") is outside


def test_such_rows_lie_below_every_threshold() -> None:
    routed = as_routed(np.array([0.0, 0.9, 0.5], dtype=np.float32), np.array([False, True, False]))
    assert (routed < 0.0).tolist() == [False, True, False]
    assert routed.dtype == np.float64


def test_the_first_of_the_ranking_that_has_an_outcome_stands_in() -> None:
    present = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 0]], dtype=np.bool_)
    ranking = out_of_scope_ranking(pool(best_single="big"))
    outside = np.array([True, True, True, False])
    assert standing_in(outside, present, ranking).tolist() == [2, 2, 1, ROUTER_DECIDES]
    unknown = np.array([0.4, -np.inf, 0.5])
    assert standing_in(~outside, present, unknown).tolist() == [-1, -1, -1, 1]


def test_the_router_decides_the_other_rows() -> None:
    chosen = np.array([0, 1, 2])
    assert answered(chosen, None).tolist() == [0, 1, 2]
    assert answered(chosen, np.array([ROUTER_DECIDES, 2, ROUTER_DECIDES])).tolist() == [0, 2, 2]


def test_rows_out_of_scope_are_told_and_cannot_be_all() -> None:
    assert told("9 rows", np.zeros(9, dtype=np.bool_)) == "9 rows"
    assert told("2 rows", np.array([True, False])) == "2 rows, 1 of them out of scope"
    check_any_inside(np.array([True, False]))
    with pytest.raises(TrainingError, match="none of the 2 calibration rows is one that this"):
        check_any_inside(np.array([True, True]))

"""LazyScorer: loaded once, at the first text."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest
from sdk_fakes import FakeScorer

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.lazy_scorer import LazyScorer


def test_loads_at_the_first_text() -> None:
    loads: list[int] = []

    def load() -> FakeScorer:
        loads.append(1)
        return FakeScorer()

    lazy = LazyScorer(load, "gap")
    assert lazy.score_kind == "gap"
    assert loads == []
    assert lazy.assess("0.25 text").score == 0.25
    assert lazy.score(["0.5", "0.75"]).tolist() == [0.5, 0.75]
    assert loads == [1]


def test_threads_that_ask_at_once_load_once() -> None:
    start, loads, scores = Barrier(8), [], []

    def load() -> FakeScorer:
        loads.append(1)
        return FakeScorer()

    lazy = LazyScorer(load, "label")

    def ask() -> None:
        start.wait()
        scores.append(lazy.assess("0.5").score)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [1]
    assert scores == [0.5] * 8


def test_a_failed_load_is_tried_again() -> None:
    answers: list[FakeScorer | Exception] = [BundleError("altered"), FakeScorer()]

    def load() -> FakeScorer:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lazy = LazyScorer(load, "label")
    with pytest.raises(BundleError):
        lazy.assess("0.5")
    assert lazy.assess("0.5").score == 0.5

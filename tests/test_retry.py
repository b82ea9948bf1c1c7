from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from hybridroute.cloud.retry import RETRY_STATUSES, Backoff, retry_after_s


@given(seed=st.integers(0, 10_000), attempt=st.integers(0, 9), cap=st.floats(0.0, 20.0))
def test_full_jitter_stays_below_its_doubling_limit(seed: int, attempt: int, cap: float) -> None:
    wait = Backoff(max_retries=10, cap_s=cap, seed=seed).wait_s(attempt)
    assert wait is not None
    assert 0.0 <= wait <= min(cap, 0.5 * 2**attempt)


def test_the_whole_range_is_used() -> None:
    backoff = Backoff(max_retries=1, cap_s=8.0, seed=3)
    waits = [backoff.wait_s(0) or 0.0 for _ in range(400)]
    assert min(waits) < 0.05
    assert max(waits) > 0.45


def test_a_seed_repeats_the_waits() -> None:
    first, second = (Backoff(max_retries=5, cap_s=8.0, seed=11) for _ in range(2))
    assert [first.wait_s(i) for i in range(5)] == [second.wait_s(i) for i in range(5)]


def test_it_gives_up_after_the_last_try() -> None:
    backoff = Backoff(max_retries=2, cap_s=8.0, seed=0)
    assert [backoff.wait_s(attempt) is None for attempt in range(4)] == [False, False, True, True]


def test_the_servers_wish_is_never_cut_short() -> None:
    backoff = Backoff(max_retries=2, cap_s=8.0, seed=0)
    assert backoff.wait_s(0, 5.0) == 5.0
    assert backoff.wait_s(0, 8.5) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, 20.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(CaseInsensitiveDict(headers), now=40.0) == expected


def test_refusals_are_never_tried_again() -> None:
    assert not RETRY_STATUSES & {400, 401, 403, 404, 422}

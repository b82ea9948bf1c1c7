"""Sampling settings of one request."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import RequestError
from hybridroute.edge_runtime.sampling import Sampling, sampling_of

MESSAGES = ({"role": "user", "content": "Hello"},)


def test_what_is_given_is_kept_and_the_rest_is_llama_cpps_default() -> None:
    held = sampling_of(ChatRequest(messages=MESSAGES, temperature=0.0, seed=3, top_p=0.5))
    assert (held.temperature, held.seed, held.top_p) == (0.0, 3, 0.5)
    assert (held.top_k, held.min_p) == (40, 0.05)


@pytest.mark.parametrize("seed", [-1, 2**32 - 1, 2**32, 2**70])
def test_any_seed_fits_and_none_means_draw_one(seed: int) -> None:
    held = sampling_of(ChatRequest(messages=MESSAGES, seed=seed))
    assert 0 <= held.seed < 2**32 - 1
    assert held == sampling_of(ChatRequest(messages=MESSAGES, seed=seed))


def test_open_seeds_differ() -> None:
    assert len({sampling_of(ChatRequest(messages=MESSAGES)).seed for _ in range(8)}) > 1


@pytest.mark.parametrize(
    ("temperature", "seed", "repeatable"), [(None, None, False), (0.0, None, True), (1.0, 4, True)]
)
def test_a_seed_or_temperature_0_must_repeat(
    temperature: float | None, seed: int | None, repeatable: bool
) -> None:
    held = sampling_of(ChatRequest(messages=MESSAGES, temperature=temperature, seed=seed))
    assert held.repeatable == repeatable


def test_a_penalty_out_of_range_is_refused() -> None:
    with pytest.raises(RequestError, match=r"frequency_penalty is inf; it must be from -2 to 2"):
        Sampling(seed=1, frequency_penalty=float("inf"))

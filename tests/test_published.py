"""Figures that papers print: told where they belong, and never else."""

from __future__ import annotations

import pytest

from hybridroute.training.judging.published import Published, published_for

MISTRAL, GPT4 = "meta-math/MetaMath-Mistral-7B", "gpt-4-1106-preview"
DOMAINS = {"mmlu", "gsm8k", "cmmlu", "arc_challenge", "humaneval"}


def test_they_are_those_of_the_records_domains_and_arms() -> None:
    found = published_for(DOMAINS | {"more"}, ("x", MISTRAL))
    assert [one.router for one in found] == ["RouterDC", "best single LLM"]
    of_mmlu = published_for({"mmlu_anatomy", "mmlu_virology"}, (GPT4,))
    assert {one.router for one in of_mmlu} >= {"random", "MF"}


@pytest.mark.parametrize(
    ("domains", "arms"),
    [(set(), ()), (DOMAINS - {"mmlu"}, (MISTRAL,)), (DOMAINS, (GPT4,)), (DOMAINS, ())],
)
def test_of_other_records_nothing_is_known(domains: set[str], arms: tuple[str, ...]) -> None:
    assert published_for(domains, arms) == ()


def test_a_printed_mean_is_that_of_its_domains() -> None:
    (first, _) = published_for(DOMAINS, (MISTRAL,))
    assert first.by_domain is not None
    assert first.quality == pytest.approx(sum(first.by_domain.values()) / 5, abs=5e-5)


def test_what_is_not_printed_is_not_in_the_json() -> None:
    held = Published(router="r", source="s", cpt50=0.0)
    assert held.to_dict() == {"router": "r", "source": "s", "cpt50": 0.0}

"""The worked example's prompts: what their page promises of them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from source_tree import ROOT

from hybridroute.demo.queries import QUERIES, read_queries
from hybridroute.prompt_file import PromptRow, read_prompt_rows
from hybridroute.training.quality.contains_reference import contains_reference
from hybridroute.training.quality.normalise import normalised_words
from hybridroute.training.quality.numeric_match import last_number
from hybridroute.training.quality.protocol import Item

PROMPTS = ROOT / "examples" / "train_your_pair" / "prompts.jsonl"
SIZES = {"recall": 219, "arithmetic": 162, "rewriting": 129, "code": 119, "chat": 111}
SCHEMA = {"id", "instruction", "input", "output", "candidates", "cmp_results"}
KEYS = SCHEMA | {"domain", "accept", "check", "templated"}
MOST_TEMPLATED = 0.3
MOST_ALIKE = 0.9


@pytest.fixture(scope="module")
def rows() -> list[PromptRow]:
    return read_prompt_rows(PROMPTS)


@pytest.fixture(scope="module")
def lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").splitlines()]


def _contains(response: str, wanted: str) -> bool:
    judge = contains_reference().judge
    return judge(Item(query="?", response=response, reference=wanted)) == 1.0


def test_every_line_has_the_schema(lines: list[dict[str, object]]) -> None:
    for line in lines:
        assert line.keys() == KEYS
        assert (line["candidates"], line["cmp_results"]) == ([], "null")
        texts = (line[name] for name in ("id", "instruction", "input", "output"))
        assert all(isinstance(text, str) for text in texts)
        assert isinstance(line["templated"], bool)


def test_domains_and_ids(rows: list[PromptRow]) -> None:
    assert Counter(row.domain for row in rows) == SIZES
    assert len({row.id for row in rows}) == len(rows)


def test_few_come_from_templates(rows: list[PromptRow]) -> None:
    templated = sum(row.extra["templated"] for row in rows)
    assert 0 < templated <= MOST_TEMPLATED * len(rows)


def test_references_are_short_and_pass_their_own_check(rows: list[PromptRow]) -> None:
    for row in rows:
        reference = row.reference or ""
        assert 1 <= len(reference.split()) <= 40, row.where
        assert all(one.strip() and one != reference for one in row.extra["accept"]), row.where
        if row.extra["check"] == "numeric":
            assert last_number(reference) is not None, row.where
        elif row.extra["check"] == "contains":
            assert _contains(f"I think: {reference}", reference), row.where
        else:
            assert row.extra["check"] == "similar", row.where


def test_answers_named_in_the_prompt_are_as_few_as_the_page_says(rows: list[PromptRow]) -> None:
    echoed = 0
    for row in rows:
        answers = chain([row.reference or ""], row.extra["accept"])
        if row.extra["check"] == "contains":
            echoed += any(_contains(str(row.prompt), one) for one in answers)
    page = " ".join((PROMPTS.parent / "DATA.md").read_text(encoding="utf-8").split())
    assert f"in {echoed} `contains` prompts" in page


def _demo_prompts() -> list[str]:
    file = ROOT / "hybridroute" / "demo" / "prompts.txt"
    return [query.label for query in (*QUERIES, *read_queries(file))]


def test_no_prompt_stands_twice_or_in_the_demo(rows: list[PromptRow]) -> None:
    texts = [" ".join(normalised_words(str(row.prompt))) for row in rows]
    bare = [text or str(row.prompt) for text, row in zip(texts, rows, strict=True)]
    assert [text for text, count in Counter(bare).items() if count > 1] == []
    assert {" ".join(normalised_words(text)) for text in _demo_prompts()} & set(bare) == set()


def _alike(texts: list[str], others: list[str]) -> np.ndarray:
    from hybridroute.training.embeddings import frozen_embeddings

    together = frozen_embeddings([*texts, *others], encoder="minilm", max_tokens=96)
    unit = together / np.linalg.norm(together, axis=1, keepdims=True)
    cosines = unit[: len(texts)] @ unit.T
    cosines[np.arange(len(texts)), np.arange(len(texts))] = 0.0
    return cosines


@pytest.mark.real
def test_no_two_prompts_are_nearly_the_same(rows: list[PromptRow]) -> None:
    texts = [str(row.prompt) for row in rows]
    cosines = _alike(texts, _demo_prompts())
    near = np.argwhere(cosines > MOST_ALIKE)
    everything = [*texts, *_demo_prompts()]
    assert [(everything[one], everything[two]) for one, two in near] == []
    assert cosines.max() > 0.5  # the embeddings do tell alike from unlike

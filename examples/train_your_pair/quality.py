"""The worked example's quality: each prompt says itself how an answer to it is judged.

    hybridroute label --quality examples/train_your_pair/quality.py:checked ...

A function of your own is any callable (query, response, reference) -> float, higher is better.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hybridroute.training.quality.contains_reference import contains_reference
from hybridroute.training.quality.numeric_match import numeric_match
from hybridroute.training.quality.protocol import Item
from hybridroute.training.quality.token_f1 import token_f1

_CONTAINS, _NUMERIC, _SIMILAR = contains_reference(), numeric_match(1e-9), token_f1()


def checked(query: str, response: str, reference: str | None) -> float:
    """1 or 0 where an answer is right or wrong, token F1 where many answers are right: in [0, 1].

    Raises
    ------
    KeyError
        If ``query`` is none of the example's prompts.
    """
    row = _rows()[query]
    if not response.strip():
        return 0.0
    first = {"contains": _CONTAINS, "numeric": _NUMERIC, "similar": _SIMILAR}[row["check"]]
    # Another way to say a number is in words: "fifty" for 50.
    other = _SIMILAR if first is _SIMILAR else _CONTAINS
    judges = [(first, reference), *((other, one) for one in row["accept"])]
    return max(
        judge.judge(Item(query=query, response=response, reference=one)) for judge, one in judges
    )


@cache
def _rows() -> dict[str, Any]:
    """The prompts' own lines, by the text that is routed."""
    lines = (Path(__file__).parent / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {"\n".join(filter(None, (row["instruction"], row["input"]))): row for row in rows}

"""How well each quality function agrees with correctness on records that hold both.

``python -m benchmarks.quality_agreement FILE ... --reference-arm NAME``: outcome tables with
responses and 0/1 qualities. Where rows state no reference, the named arm's correct response stands
in for it: rows on which that arm is wrong are left out, and the arm itself is not judged.
``--layers`` compares the encoder's layers for BERTScore instead.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from transformers.utils.logging import disable_progress_bar

from hybridroute.training.answers import AnsweredPrompt, answered_prompts
from hybridroute.training.encoders import packaged_minilm
from hybridroute.training.quality import Item, QualityOptions, build_quality
from hybridroute.training.quality.agreement import Agreement, agreement
from hybridroute.training.quality.by_length import length_batches
from hybridroute.training.quality.scoring import score_items

DEFAULT = (
    *("length", "exact-match", "numeric-match", "token-f1", "contains-reference"),
    *("bertscore-precision", "bertscore-recall", "bertscore"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """Responses of one domain, each with its correctness and its prompt."""

    domain: str
    items: tuple[Item, ...]
    correct: NDArray[np.bool_]
    prompts: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--reference-arm", help="whose correct response is the reference")
    parser.add_argument("--correctness", default="given", help="the 0/1 score in the files")
    parser.add_argument("--quality", action="append", help="default: the cheap ones")
    parser.add_argument("--prompts", type=int, default=0, help="at most so many a domain")
    parser.add_argument("--layers", action="store_true", help="BERTScore, layer by layer")
    asked = parser.parse_args()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    disable_progress_bar()
    rows = list(answered_prompts(asked.files))
    records = _records(rows, asked.reference_arm, asked.correctness, asked.prompts)
    print("| quality | domain | responses | AUC [95 %] | within a prompt | pairs |")
    print("|---|---|---|---|---|---|")
    for held in records:
        compared = _by_layer(held) if asked.layers else _by_function(held, asked.quality or DEFAULT)
        for name, found in compared:
            print(_line(name, held.domain, found), flush=True)


def _records(
    rows: Sequence[AnsweredPrompt], arm: str | None, correctness: str, most: int
) -> list[Records]:
    found = []
    for domain in sorted({row.domain or "" for row in rows}):
        members = [row for row in rows if (row.domain or "") == domain]
        Random(0).shuffle(members)
        items: list[Item] = []
        correct: list[bool] = []
        prompts: list[str] = []
        for row in members:
            if most and len(set(prompts)) >= most:
                break
            reference = row.reference or _stand_in(row, arm, correctness)
            if reference is None:
                continue
            for name, held in row.arms.items():
                if name == arm:
                    continue
                for response, value in zip(held.responses, held.given[correctness], strict=True):
                    items.append(
                        Item(query=str(row.prompt), response=response, reference=reference)
                    )
                    correct.append(value == 1.0)
                    prompts.append(row.id)
        if items:
            found.append(
                Records(
                    domain=domain,
                    items=tuple(items),
                    correct=np.array(correct),
                    prompts=tuple(prompts),
                )
            )
    return found


def _stand_in(row: AnsweredPrompt, arm: str | None, correctness: str) -> str | None:
    held = row.arms.get(arm or "")
    if held is None:
        return None
    judged = zip(held.responses, held.given[correctness], strict=True)
    return next((text for text, value in judged if value == 1.0 and text.strip()), None)


def _by_function(held: Records, names: Sequence[str]) -> list[tuple[str, Agreement]]:
    found = []
    for name in names:
        items, keep = held.items, np.ones(len(held.items), dtype=np.bool_)
        if name == "length":
            quality = np.array([float(len(item.response)) for item in items])
        else:
            if name == "numeric-match":
                keep = np.array([_has_number(item) for item in items])
                if not keep.any():
                    continue
            kept = [item for item, wanted in zip(items, keep, strict=True) if wanted]
            function = build_quality(name, QualityOptions())
            quality = score_items(function, kept, ["a record"] * len(kept))
            function.close()
        prompts = [prompt for prompt, wanted in zip(held.prompts, keep, strict=True) if wanted]
        found.append((name, agreement(quality, held.correct[keep], prompts)))
    return found


def _has_number(item: Item) -> bool:
    from hybridroute.training.quality.numeric_match import last_number

    return last_number(item.reference or "") is not None


def _by_layer(held: Records) -> list[tuple[str, Agreement]]:
    """F1 on the states of every layer of MiniLM, 0 being its embeddings."""
    from bert_score import BERTScorer

    scorer = BERTScorer(
        model_type=str(packaged_minilm()),
        num_layers=6,
        all_layers=True,
        device="cpu",
        use_fast_tokenizer=True,
    )
    kept = [index for index, item in enumerate(held.items) if not item.is_blank]
    lengths = [len(held.items[index].response) for index in kept]
    found = np.zeros((7, len(held.items)))
    for batch in length_batches(lengths, budget=24_000, most=64):
        indices = [kept[place] for place in batch]
        responses = [held.items[index].response for index in indices]
        references = [held.items[index].reference or "" for index in indices]
        found[:, indices] = scorer.score(responses, references)[2].numpy()
    return [
        (f"bertscore, layer {layer}", agreement(values, held.correct, held.prompts))
        for layer, values in enumerate(found)
    ]


def _line(name: str, domain: str, found: Agreement) -> str:
    shown = "-" if found.auc is None else f"{found.auc:.3f}"
    if found.auc_interval is not None:
        shown += " [{:.3f}, {:.3f}]".format(*found.auc_interval)
    within = "-" if found.within is None else f"{found.within:.3f}"
    return f"| {name} | {domain} | {found.n} | {shown} | {within} | {found.pairs} |"


if __name__ == "__main__":
    main()

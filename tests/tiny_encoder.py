"""A DeBERTa and a BERT of two narrow layers, and outcomes with a signal they can learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tiny_bundle import tiny_tokenizer
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    RobertaConfig,
)

from hybridroute.training.fit_config import FitConfig
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.training_plan import TrainingPlan

EDGE, CLOUD = "small", "large"
EASY, HARD = "greet", "prove"
_FILLERS = ("sea", "sky", "king", "door", "river", "music", "paper", "wheel")
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
}


def router_words() -> Tokenizer:
    """The tokenizer of both encoders."""
    return tiny_tokenizer([EASY, HARD, *_FILLERS])


def tiny_deberta(folder: Path, *, vocabulary: int | None = None, layers: int = 2) -> Path:
    """Save a random DeBERTa-v3, as transformers saves one, with its tokenizer."""
    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=vocabulary or router_words().get_vocab_size(),
        relative_attention=True,
        position_buckets=8,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        max_relative_positions=-1,
        **{**_SIZES, "type_vocab_size": 0, "num_hidden_layers": layers},
    )
    DebertaV2Model(config).save_pretrained(folder)
    return _with_tokenizer(folder)


def tiny_bert(folder: Path) -> Path:
    """Save a random BERT with its tokenizer."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=router_words().get_vocab_size(), **_SIZES))
    for value in model.parameters():  # biases too: they are zero at birth
        torch.nn.init.normal_(value, std=0.2)
    model.save_pretrained(folder)
    return _with_tokenizer(folder)


def tiny_other(folder: Path, kind: str) -> Path:
    """Save a random encoder of another family with its tokenizer."""
    torch.manual_seed(0)
    words = {"vocab_size": router_words().get_vocab_size(), "pad_token_id": 0}
    configs = {
        "roberta": lambda: RobertaConfig(**words, **_SIZES),
        "distilbert": lambda: DistilBertConfig(
            **words, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64
        ),
        "modernbert": lambda: ModernBertConfig(
            **words,
            **{**_SIZES, "max_position_embeddings": 64},
            bos_token_id=2,
            cls_token_id=2,
            eos_token_id=3,
            sep_token_id=3,
        ),
        "electra": lambda: ElectraConfig(**words, **_SIZES, embedding_size=16),
    }
    AutoModel.from_config(configs[kind]()).save_pretrained(folder)
    return _with_tokenizer(folder)


def _with_tokenizer(folder: Path) -> Path:
    (folder / "tokenizer.json").write_text(router_words().to_str(), encoding="utf-8")
    return folder


def outcomes(
    n: int = 160,
    *,
    edge_wins: float = 0.05,
    quality: Callable[[float], float] = float,
    responses: int = 1,
    domains: int = 0,
    seed: int = 0,
) -> OutcomeTable:
    """Rows of ``prove ...`` and ``greet ...``: the cloud does both, the edge only the second.

    A share ``edge_wins`` of the hard rows is done by the edge all the same. ``quality`` turns
    0 or 1 into q.
    """
    random = np.random.default_rng(seed)
    rows = []
    for index in range(n):
        hard = bool(random.random() < 0.5)
        words = random.choice(_FILLERS, size=int(random.integers(2, 9)))
        text = f"{HARD if hard else EASY} {' '.join(words)} {index}"
        edge = [float(not hard or random.random() < edge_wins) for _ in range(responses)]
        cloud = [float(random.random() < 0.97) for _ in range(responses)]
        arms = {
            EDGE: ArmOutcome(quality=tuple(map(quality, edge))),
            CLOUD: ArmOutcome(quality=tuple(map(quality, cloud))),
        }
        domain = f"domain-{index % domains}" if domains else None
        rows.append(Outcome(id=str(index), prompt=text, domain=domain, arms=arms))
    return OutcomeTable(rows=tuple(rows), source="synthetic")


def mapped(
    table: OutcomeTable, change: Callable[[float, float], tuple[float, float]]
) -> OutcomeTable:
    """The table with (edge, cloud) qualities of one response each changed."""
    rows = []
    for row in table.rows:
        edge, cloud = change(row.arms[EDGE].quality[0], row.arms[CLOUD].quality[0])
        arms = {EDGE: ArmOutcome(quality=(edge,)), CLOUD: ArmOutcome(quality=(cloud,))}
        rows.append(replace(row, arms=arms))
    return OutcomeTable(rows=tuple(rows), source=table.source)


def write_outcomes(path: Path, table: OutcomeTable) -> Path:
    """Write a table as canonical JSON lines."""
    with path.open("w", encoding="utf-8") as out:
        for row in table.rows:
            arms = {name: {"quality": list(held.quality)} for name, held in row.arms.items()}
            held = {"id": row.id, "prompt": row.prompt, "arms": arms}
            if row.domain is not None:
                held["domain"] = row.domain
            out.write(json.dumps(held) + "\n")
    return path


def tiny_config(encoder: Path, **changes: object) -> FitConfig:
    """A fit of a second or two."""
    held = FitConfig(
        encoder=str(encoder), max_tokens=32, epochs=3, batch_size=8, learning_rate=3e-3, dropout=0.1
    )
    return replace(held, **changes)


def tiny_plan(table: OutcomeTable, config: FitConfig, folder: Path, **changes: object):
    """A plan that exports in fp32 and judges no baselines."""
    held = TrainingPlan(
        outcomes=table,
        edge=EDGE,
        cloud=CLOUD,
        config=config,
        out=folder / "bundle",
        work=folder / "work",
        name="Tiny",
        weights="fp32",
        baselines=False,
        command="hybridroute train",
    )
    return replace(held, **changes)

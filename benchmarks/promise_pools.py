"""Pairs of arms with a cheap router each, fitted on rows apart, and the held-out pool it scores."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.baselines import RidgeBaseline
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.promise.outcomes import PairedOutcomes, QualityRange
from hybridroute.training.readers import read_outcomes
from hybridroute.training.splits import split_by_prompt

Floats = NDArray[np.float64]

_WIDTH = 1024
_LONGEST = 600
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms, the files a router is fitted on, and those of the pool.

    Where both are the same, rows are split by the hash of their prompt, ``fit_share`` to the fit.
    """

    name: str
    edge: str
    cloud: str
    fit: tuple[str, ...]
    pool: tuple[str, ...]
    fit_share: float = 0.45


_DC = "routerdc/"
_DC_TRAIN = tuple(
    f"{_DC}{name}" for name in ("mmlu_train.json", "gsm8k-train.json", "arc_challenge_train.json")
)
_DC_TEST = tuple(
    f"{_DC}{name}" for name in ("mmlu_test.json", "gsm8k-test.json", "arc_challenge_test.json")
)
_MISTRAL, _LLAMA = "mistralai/Mistral-7B-v0.1", "meta-llama/Meta-Llama-3-8B"
_META, _ZEPHYR = "meta-math/MetaMath-Mistral-7B", "HuggingFaceH4/zephyr-7b-beta"
_CHINESE, _DOLPHIN = "itpossible/Chinese-Mistral-7B-v0.1", "cognitivecomputations/dolphin-"
_DOLPHIN_26, _DOLPHIN_29 = f"{_DOLPHIN}2.6-mistral-7b", f"{_DOLPHIN}2.9-llama3-8b"
_GPT4, _MIXTRAL = "gpt-4-1106-preview", "mistralai/mixtral-8x7b-chat"
_MMLU = (f"{_DC}mmlu_train.json",), (f"{_DC}mmlu_test.json",)
_CMMLU = (f"{_DC}cmmlu_train.json",), (f"{_DC}cmmlu_test.json",)
_GSM8K = (f"{_DC}gsm8k-train.json",), (f"{_DC}gsm8k-test.json",)
_ARC, _WINO = "routerbench/arc_challenge_train.csv", "routerbench/winograde_train.csv"
_BENCH = (_ARC, _WINO, "routerbench/mbpp_train.csv")
_ROUTELLM = "routellm/mmlu"

PAIRS = (
    Pair(
        name="RouteLLM MMLU, Mixtral -> GPT-4",
        edge="mistralai/Mixtral-8x7B-Instruct-v0.1",
        cloud=_GPT4,
        fit=(_ROUTELLM,),
        pool=(_ROUTELLM,),
    ),
    Pair(name="MMLU, MetaMath -> Llama 3", edge=_META, cloud=_LLAMA, fit=_MMLU[0], pool=_MMLU[1]),
    Pair(name="MMLU, Chinese -> Llama 3", edge=_CHINESE, cloud=_LLAMA, fit=_MMLU[0], pool=_MMLU[1]),
    Pair(
        name="CMMLU, Zephyr -> Llama 3", edge=_ZEPHYR, cloud=_LLAMA, fit=_CMMLU[0], pool=_CMMLU[1]
    ),
    Pair(
        name="CMMLU, Mistral -> Chinese",
        edge=_MISTRAL,
        cloud=_CHINESE,
        fit=_CMMLU[0],
        pool=_CMMLU[1],
    ),
    Pair(
        name="GSM8K, Dolphin 2.6 -> MetaMath",
        edge=_DOLPHIN_26,
        cloud=_META,
        fit=_GSM8K[0],
        pool=_GSM8K[1],
    ),
    Pair(
        name="GSM8K, Llama 3 -> Dolphin 2.9",
        edge=_LLAMA,
        cloud=_DOLPHIN_29,
        fit=_GSM8K[0],
        pool=_GSM8K[1],
    ),
    Pair(
        name="MMLU + GSM8K + ARC, Mistral -> Dolphin 2.9",
        edge=_MISTRAL,
        cloud=_DOLPHIN_29,
        fit=_DC_TRAIN,
        pool=_DC_TEST,
    ),
    Pair(name="ARC, Mixtral -> GPT-4", edge=_MIXTRAL, cloud=_GPT4, fit=(_ARC,), pool=(_ARC,)),
    Pair(
        name="ARC + Winogrande + MBPP, Mixtral -> GPT-4",
        edge=_MIXTRAL,
        cloud=_GPT4,
        fit=_BENCH,
        pool=_BENCH,
    ),
)
"""RouterDC's benchmarks go by their bare name; the last two are RouterBench's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Router:
    """Ridge regression of the gap on hashed words and letters, laid on [0, 1] by the fit rows."""

    ridge: RidgeBaseline
    middle: float
    spread: float

    @classmethod
    def fit(cls, table: OutcomeTable, edge: str, cloud: str) -> Router:
        """Fit on a table's rows."""
        features = hashed(table.texts())
        ridge = RidgeBaseline.fit(features, table.mean_quality(edge), table.mean_quality(cloud))
        gap = ridge.predicted_gap(features)
        spread = max(float(gap.std()), 1e-6)
        return cls(ridge=ridge, middle=float(gap.mean()), spread=spread)

    def score(self, table: OutcomeTable) -> Floats:
        """Scores of a table's rows; high means the edge will do."""
        gap = self.ridge.predicted_gap(hashed(table.texts()))
        return np.clip(0.5 + (gap - self.middle) / (6.0 * self.spread), 0.0, 1.0)


def hashed(texts: Sequence[str]) -> Floats:
    """Counts of words and of runs of three letters, hashed; shape (n, 1024), roots taken."""
    found = np.zeros((len(texts), _WIDTH))
    for row, text in enumerate(texts):
        plain = " ".join(text[-_LONGEST:].lower().split())
        pieces = [*_WORD.findall(plain), *(plain[at : at + 3] for at in range(len(plain) - 2))]
        places = [crc32(piece.encode("utf-8", "surrogatepass")) % _WIDTH for piece in pieces]
        np.add.at(found[row], places, 1.0)
    return np.sqrt(found)


def read(data: Path, names: Sequence[str], edge: str, cloud: str) -> OutcomeTable:
    """The pair's rows of some files, one a prompt."""
    table = read_outcomes([data / name for name in names])
    return table.with_pair(edge, cloud).table.deduplicated().table


def fitted(data: Path, pair: Pair) -> tuple[Router, OutcomeTable]:
    """The pair's router, and its pool without any prompt that the router was fitted on."""
    fit = read(data, pair.fit, pair.edge, pair.cloud)
    if pair.fit == pair.pool:
        parts = (("fit", pair.fit_share), ("pool", 1.0 - pair.fit_share))
        held = split_by_prompt(fit, 0, parts)
        return Router.fit(held["fit"], pair.edge, pair.cloud), held["pool"]
    seen = set(fit.prompt_hashes())
    pool = read(data, pair.pool, pair.edge, pair.cloud)
    unseen = [at for at, key in enumerate(pool.prompt_hashes()) if key not in seen]
    return Router.fit(fit, pair.edge, pair.cloud), pool.select(unseen)


def outcomes_of(router: Router, table: OutcomeTable, pair: Pair) -> PairedOutcomes:
    """A table's rows, scored."""
    return PairedOutcomes(
        scores=router.score(table),
        edge_q=table.mean_quality(pair.edge),
        cloud_q=table.mean_quality(pair.cloud),
        quality_range=QualityRange(),
    )

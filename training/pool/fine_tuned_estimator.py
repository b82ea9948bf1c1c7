"""The fine-tuned estimator behind the seam of the others, so that one protocol judges it too."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.routed_text import prompt_hash
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.fine_tuned import fine_tune
from hybridroute.training.pool.registry import FINE_TUNED
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.splits import split_of

Floats = NDArray[np.float64]

_PARTS = (("fit", 0.85), ("choose", 0.15))


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTunedEstimator:
    """An encoder fine-tuned with a head per arm.

    Parameters
    ----------
    config : FitConfig
        Its seed is moved by the seed of each fit.
    """

    config: FitConfig = field(default_factory=FitConfig)

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return FINE_TUNED

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedFineTuned:
        """Fit on 85 % of the rows by hash and keep the weights that route the others best.

        The checkpoints lie in a folder that is gone when this returns.

        Raises
        ------
        ConfigError
            If the queries have no texts.
        DataError
            If an arm has no outcome in one of the two parts.
        TrainingError
            As :func:`fine_tune`.
        """
        table = _table(queries, quality)
        # Under another name: by the bare hash and this seed the rows may have been picked already.
        parts = [split_of(f"checkpoint {key}", seed, _PARTS) for key in table.hashes]
        which = np.array([part == "choose" for part in parts], dtype=np.bool_)
        config = replace(self.config, seed=self.config.seed + seed)
        with tempfile.TemporaryDirectory(prefix="hybridroute-") as work:
            made = fine_tune(config, table.select(~which), table.select(which), work=Path(work))
        tokenizer = RouterTokenizer(
            Tokenizer.from_str(made.tokenizer), max_tokens=config.max_tokens
        )
        return FittedFineTuned(graph=made.graph, tokenizer=tokenizer)


class FittedFineTuned:
    """Estimates qualities by the exported int8 graph, one text at a time as the device does.

    Parameters
    ----------
    graph : bytes
        From token ids to ``estimates``.
    tokenizer : RouterTokenizer
    """

    kind: EstimateKind = "quality"

    def __init__(self, *, graph: bytes, tokenizer: RouterTokenizer) -> None:
        self.graph = graph
        self._scorer = OnnxScorer(graph, tokenizer, score_kind=self.kind)

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries. Raises ConfigError if they have no texts."""
        mean, _ = self._scorer.estimate(_texts(queries))
        return Estimates(mean=mean.astype(np.float64))


def _table(queries: Queries, quality: Floats) -> ScoreTable:
    texts = _texts(queries)
    return ScoreTable(
        arms=tuple(str(column) for column in range(quality.shape[1])),
        quality=quality,
        cost_usd=None,
        texts=texts,
        hashes=tuple(prompt_hash(text) for text in texts),
        domains=(None,) * len(texts),
        source="the rows to fit on",
    )


def _texts(queries: Queries) -> tuple[str, ...]:
    if not queries.texts:
        raise ConfigError(f"{FINE_TUNED} reads texts, and these records hold embeddings alone")
    return queries.texts

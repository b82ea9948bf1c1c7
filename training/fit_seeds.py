"""One fit per seed, each selected on the selection rows; the best one goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import FitRows, fit_rows
from hybridroute.training.curve import curve_of
from hybridroute.training.encoders import load_encoder
from hybridroute.training.fit import evidence_of, fit
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.metrics import area_over_random
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.router_model import RouterModel

OnStep = Callable[[int, int, int, float], None]
"""seed, step, steps in all, loss."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectionRows:
    """Tokenized rows with the mean qualities that judge a router's order of them."""

    rows: FitRows
    edge_q: NDArray[np.float64]
    cloud_q: NDArray[np.float64]

    @classmethod
    def of(
        cls, table: OutcomeTable, edge: str, cloud: str, tokenizer: RouterTokenizer
    ) -> SelectionRows:
        """Tokenize a table's rows."""
        return cls(
            rows=fit_rows(table.texts(), np.zeros((len(table), 3), np.float32), tokenizer),
            edge_q=table.mean_quality(edge),
            cloud_q=table.mean_quality(cloud),
        )

    def value(self, model: RouterModel) -> float:
        """Area under the routing curve over a random router's, in units of q.

        For a given pair it is APGR but for a constant, and it is defined for every pair.
        """
        found = evidence_of(model, self.rows)
        return area_over_random(curve_of(found, self.edge_q, self.cloud_q))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFit:
    """What one seed reached; ``value`` is None where nothing was selected."""

    seed: int
    value: float | None
    best_step: int
    history: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The best seed's model, and every seed's result."""

    model: RouterModel
    config: FitConfig
    seeds: tuple[SeedFit, ...]


def new_model(config: FitConfig) -> RouterModel:
    """A router on a pretrained encoder, its heads initialised under ``config.seed``."""
    torch.manual_seed(config.seed)
    encoder = load_encoder(
        config.encoder, position_buckets=config.position_buckets, dropout=config.dropout
    )
    return RouterModel(
        encoder.module, width=encoder.width, heads=config.heads, pooling=config.pooling
    )


def fit_seeds(
    rows: FitRows,
    selection: SelectionRows | None,
    config: FitConfig,
    *,
    seeds: Sequence[int],
    folder: Path,
    on_step: OnStep | None = None,
) -> Chosen:
    """Fit once per seed and keep the one with the best selection value.

    A seed that was finished in ``folder`` before, under the same configuration and rows, is read
    back instead of fitted again. Without selection rows the last weights of the one seed are kept.

    Raises
    ------
    ConfigError
        If there is no seed, or several and nothing to select by.
    TrainingError
        As ``fit`` does.
    """
    if selection is None and len(seeds) > 1:
        raise ConfigError(f"seeds are {list(seeds)} with no rows to select by; give one seed")
    best: tuple[float, RouterModel, FitConfig] | None = None
    results = []
    for seed in seeds:
        seeded = replace(config, seed=seed)
        progress_of_seed = None
        if on_step is not None:

            def progress_of_seed(step: int, total: int, loss: float, seed: int = seed) -> None:
                on_step(seed, step, total, loss)

        fitted = fit(
            new_model(seeded),
            rows,
            seeded,
            select=None if selection is None else selection.value,
            folder=folder / f"seed-{seed}",
            on_step=progress_of_seed,
        )
        held = fitted.progress
        results.append(
            SeedFit(
                seed=seed,
                value=None if selection is None else held.best_value,
                best_step=held.best_step,
                history=held.history,
            )
        )
        if best is None or held.best_value > best[0]:
            best = (held.best_value, fitted.model, seeded)
    if best is None:
        raise ConfigError("seeds is empty; give at least one")
    return Chosen(model=best[1], config=best[2], seeds=tuple(results))

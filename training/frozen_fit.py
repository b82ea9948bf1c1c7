"""Frozen-encoder heads, fitted in seconds: embed the fit rows once, then any of three heads."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hybridroute.training.baselines import LogisticBaseline, NeighbourBaseline, RidgeBaseline
from hybridroute.training.batches import FitRows
from hybridroute.training.embeddings import embeddings_of
from hybridroute.training.encoders import load_encoder
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.frozen_model import FrozenRouter, LinearHead, NeighbourHead
from hybridroute.training.router_model import CLOUD, EDGE, LABEL

logger = logging.getLogger(__name__)

STORED_SHARE = 4
"""The rows that a kNN head stores may take this part of the graph's limit: the encoder needs the
rest."""


class FrozenFit:
    """The encoder and its states of the fit rows, for one head after the other.

    Parameters
    ----------
    config : FitConfig
        Its encoder, pooling and positions.
    rows : FitRows
        Their tokens are embedded here; their targets are not read.
    max_bytes : int
        Limit of the exported graph in int8. A kNN head for which a quarter of it is too little
        stores fewer rows, drawn at random, and says so in the log.
    """

    def __init__(self, config: FitConfig, rows: FitRows, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        held = load_encoder(config.encoder, position_buckets=config.position_buckets, dropout=0.0)
        self._encoder: nn.Module = held.module.requires_grad_(False)
        self._states: NDArray[np.float32] = embeddings_of(held, rows, pooling=config.pooling)

    def head(self, config: FitConfig, targets: NDArray[np.float32]) -> FrozenRouter:
        """Fit the head ``config.fit`` and set it on the encoder.

        Parameters
        ----------
        targets : ndarray of shape (n, 3)
            As in :class:`FitRows`; a gap is that of the scaled qualities.

        Raises
        ------
        ConfigError, DataError, TrainingError
            As the fits of baselines.py do.
        """
        edge_q, cloud_q = targets[:, EDGE], targets[:, CLOUD]
        head: LinearHead | NeighbourHead
        if config.fit == "logistic":
            logistic = LogisticBaseline.fit(self._states, targets[:, LABEL], l2=config.l2)
            head = LinearHead(logistic.weights, logistic.bias)
        elif config.fit == "ridge":
            ridge = RidgeBaseline.fit(self._states, edge_q, cloud_q)
            head = LinearHead(ridge.weights, ridge.bias)
        else:
            kept = self._kept(config)
            k = min(config.neighbours, len(kept))
            near = NeighbourBaseline.fit(
                self._states[kept], edge_q[kept], cloud_q[kept], k=k, soft=True
            )
            head = NeighbourHead(near.embeddings, near.gap, k)
        return FrozenRouter(
            self._encoder,
            head,
            pooling=config.pooling,
            score_kind="label" if config.fit == "logistic" else "gap",
        ).eval()

    def _kept(self, config: FitConfig) -> NDArray[np.intp]:
        """The rows that a kNN head stores, in order."""
        n, width = self._states.shape
        most = max(1, self._max_bytes // (STORED_SHARE * width))  # a byte each in int8
        if n <= most:
            return np.arange(n)
        logger.warning(
            "the kNN head stores %d of %d fitted rows, drawn at random: more would take over a "
            "quarter of the graph's %d bytes",
            most,
            n,
            self._max_bytes,
        )
        return np.sort(np.random.default_rng(config.seed).choice(n, size=most, replace=False))

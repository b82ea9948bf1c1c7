"""Score quantiles: what turns a cost advantage into a threshold, from scores alone, no labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import ScoreQuantiles


def score_quantiles(scores: ArrayLike, source: str) -> ScoreQuantiles:
    """Quantiles of router scores at i / GRID, i = 0..GRID.

    Interpolated linearly between order statistics, so that with n different scores the share
    j / n of them lies at or above quantile 1 - j / n, exactly.

    Parameters
    ----------
    scores : array_like, shape (n,)
        In [0, 1].
    source : str
        Where the prompts come from, for the manifest.

    Raises
    ------
    ConfigError
        If there is no score, or one is not in [0, 1].
    """
    held = np.asarray(scores, dtype=np.float64)
    if held.ndim != 1 or not len(held):
        raise ConfigError(f"scores has shape {held.shape}; give one score for each prompt, over 0")
    outside = held[~((held >= 0.0) & (held <= 1.0))]
    if len(outside):
        raise ConfigError(f"scores holds {outside[0]}; scores are from 0 to 1")
    settings = np.arange(GRID + 1, dtype=np.float64) / GRID
    # Rounding in the interpolation can step down by one unit in the last place.
    values = np.maximum.accumulate(np.quantile(held, settings))
    return ScoreQuantiles(source=source, n=len(held), values=tuple(values.tolist()))

"""Writes a pickle of RouterEval's form (arXiv 2503.10657), made up to its published schema."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

ROWS = {"train": 12, "val": 4, "test": 6}


def routereval_dict(*, models: int = 3, prompts: bool = True, seed: int = 0) -> dict[str, Any]:
    """One pool, ``easy/3/all_strong``, unless ``models`` says which size."""
    draw = np.random.default_rng(seed)
    data = {
        f"{part}_score": (draw.random((n, models)) < 0.6).astype(np.float64)
        for part, n in ROWS.items()
    }
    pool: dict[str, Any] = {"data": data, "model": [f"org/model-{at}" for at in range(models)]}
    pool["embedding"] = {
        f"{part}_embed": draw.standard_normal((n, 8)).astype(np.float32) for part, n in ROWS.items()
    }
    if prompts:
        pool["prompt"] = {
            f"{part}_prompt": [f"{part} question {row}?" for row in range(n)]
            for part, n in ROWS.items()
        }
    level = "easy" if models in (3, 5) else "hard"
    return {level: {models: {"all_strong": pool}}}


def write_routereval(path: Path, held: dict[str, Any], *, protocol: int = 4) -> Path:
    """Write it as the benchmark's authors did."""
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    return path

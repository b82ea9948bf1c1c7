"""A pool of three arms and a scorer whose estimates are the numbers in the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sdk_fakes import FakeArm, FakeBundle, bundle, manifest

from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import CalibratedArm, Manifest
from hybridroute.edge_runtime.pool import Pool, PoolArm, WeightTable
from hybridroute.edge_runtime.protocols import Assessment

NAMES = ("tiny", "small", "big")
COSTS = (0.0, 0.001, 0.01)
STEPS = tuple(i / GRID for i in range(GRID + 1))


class FakePoolScorer:
    """ "0.1 0.5 0.9 text" estimates the three arms so; 0.5 each without numbers."""

    def __init__(self, kind: str = "quality") -> None:
        self.score_kind = kind
        self.texts: list[str] = []

    def score(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("a pool has no scores")

    def assess(self, text: str) -> Assessment:
        self.texts.append(text)
        try:
            estimates = tuple(float(word) for word in text.split()[:3])
        except ValueError:
            estimates = (0.5, 0.5, 0.5)
        return Assessment(
            estimates=estimates, uncertainties=(0.1, 0.2, 0.3), unknown_share=0.0, tokens=4
        )


def weight_table(*, most: float = 100.0, rising: bool = False) -> WeightTable:
    """From weight 0 and cost 0.01 to weight ``most`` and cost 0; or the other way round."""
    up = STEPS if rising else STEPS[::-1]
    return WeightTable(
        cost_weight=tuple(most * (1.0 - step) for step in up),
        cost_usd=tuple(0.01 * step for step in up),
        quality=tuple(0.4 + 0.4 * step for step in up),
    )


def pool(**changes: object) -> Pool:
    held = {
        "estimator": "ridge",
        "arms": tuple(
            PoolArm(name=name, model=f"{name}-1", quality=q, base_usd=c, usd_per_character=0.0)
            for name, q, c in zip(NAMES, (0.4, 0.6, 0.8), COSTS, strict=True)
        ),
        "source": "test rows",
        "n": 500,
        "best_single": "big",
        "dearest_usd": 0.01,
        "dial": weight_table(rising=True),
        "advantage": weight_table(),
        "flat": False,
    }
    return Pool(**{**held, **changes})


def pool_manifest(kind: str = "quality", **changes: object) -> Manifest:
    return manifest(
        score_kind=kind,
        arms=tuple(CalibratedArm(name=name, model=f"{name}-1") for name in NAMES),
        calibration=None,
        score_quantiles=None,
        pool=pool(**changes),
    )


def pool_bundle(scorer: FakePoolScorer | None = None, **changes: object) -> FakeBundle:
    held = pool_manifest(**changes)
    made = bundle(scorer or FakePoolScorer())
    object.__setattr__(made, "manifest", held)
    return made


def pool_arms() -> list[FakeArm]:
    """Given in another order than the pool's, which must not matter."""
    places = {"tiny": "device", "small": "device", "big": "cloud"}
    return [FakeArm(name=n, model=f"{n}-1", place=places[n]) for n in ("big", "tiny", "small")]

"""Does the exported router give the scores that torch gives? Refuse it where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import GAP_SE, area_over_random

_SCRIPTS = (
    "What is the capital of Australia, and when was it chosen?",
    "Напиши короткое письмо коллеге о переносе встречи на пятницу.",
    "请解释一下量子纠缠是什么，用简单的话说。",
    "この文章を三行で要約してください。",
    "اكتب قصيدة قصيرة عن البحر في الليل.",
    "Écris une fonction qui trie une liste d'entiers, s'il te plaît.",
    "זהו טקסט קצר בעברית.",
    "def f(x):\n    return [y ** 2 for y in x if y % 3 == 0]",
    "∫_0^1 x² dx = 1/3 ≠ ½",
    "😀 👍🏽 ok?",
    "कृपया इस वाक्य का अनुवाद करें।",
    "a",
)


APGR_ROWS = 1000
"""Rows from which on the limit on APGR holds as it stands. Rows of nearly equal score change places
by chance, and what that moves goes with 1 / rows. So a table of fewer rows, where this many cannot
be had, gets a limit that is wider by as much; the limits on scores stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far exported scores may lie from torch's; APGR on ``APGR_ROWS`` labelled rows or more."""

    p99: float
    largest: float
    apgr: float


FP32 = Limits(p99=1e-4, largest=1e-4, apgr=1e-4)
INT8 = Limits(p99=0.02, largest=0.05, apgr=0.005)
STEPPED = INT8
"""For kNN in fp32: among rows that are all but equally near, a rounding error may pick others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Differences of scores over ``n`` texts, and how far APGR moved on ``rows`` labelled rows.

    APGR is the area over random divided by the gap q_cloud - q_edge, plus a constant. Where the
    gap is under 2 SE, which leaves APGR undefined, the area's move is divided by 2 SE: the
    smallest gap that would define it.
    """

    n: int
    p50: float
    p99: float
    largest: float
    apgr_moved: float
    rows: int

    def breaches(self, limits: Limits) -> list[str]:
        """What is over its limit, in words."""
        apgr = limits.apgr * max(1.0, APGR_ROWS / self.rows)
        known = (
            ("p99", self.p99, limits.p99, ""),
            ("max", self.largest, limits.largest, ""),
            ("APGR moved by", self.apgr_moved, apgr, f" on {self.rows} rows"),
        )
        return [
            f"{name} {value:.2g} > {limit:.3g}{where}"
            for name, value, limit, where in known
            if value > limit
        ]

    def check(self, limits: Limits, what: str) -> None:
        """Raise TrainingError if a limit is broken."""
        broken = self.breaches(limits)
        if broken:
            raise TrainingError(
                f"the {what} router does not agree with torch on {self.n} texts: "
                f"{', '.join(broken)}. Export with --weights fp32, or train with another seed"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def parity_texts(prompts: Sequence[str], *, n: int, seed: int) -> list[str]:
    """``n`` texts of many lengths and scripts: pieces of prompts and of twelve samples."""
    random = np.random.default_rng(seed)
    texts = []
    for index in range(n):
        if index % 2 and prompts:
            source = prompts[int(random.integers(len(prompts)))]
        else:
            picks = random.integers(len(_SCRIPTS), size=int(random.integers(1, 9)))
            source = " ".join(_SCRIPTS[pick] for pick in picks)
        # Lengths spread evenly in the logarithm: short queries matter most on a device.
        size = int(np.exp(random.uniform(0.0, np.log(max(2, len(source))))))
        start = int(random.integers(0, max(1, len(source) - size)))
        texts.append(source[start : start + max(1, size)])
    return texts


def parity_of(
    reference: ArrayLike,
    exported: ArrayLike,
    *,
    row_reference: ArrayLike,
    row_exported: ArrayLike,
    edge_q: ArrayLike,
    cloud_q: ArrayLike,
) -> Parity:
    """Compare scores of shape (n,) on texts, and of shape (m,) on labelled rows."""
    off = np.abs(np.asarray(exported, np.float64) - np.asarray(reference, np.float64))
    before = curve_of(row_reference, edge_q, cloud_q)
    after = curve_of(row_exported, edge_q, cloud_q)
    # APGR is the area over random over the gap, plus a constant.
    moved = abs(area_over_random(after) - area_over_random(before))
    span = max(abs(before.gap), GAP_SE * before.gap_se) or 1.0
    return Parity(
        n=len(off),
        p50=float(np.median(off)),
        p99=float(np.percentile(off, 99)),
        largest=float(off.max()),
        apgr_moved=moved / span,
        rows=int(np.size(row_reference)),
    )

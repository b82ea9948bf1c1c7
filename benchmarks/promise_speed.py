"""What promises cost: the table of 100,000 outcomes, and a decision under one.

``python -m benchmarks promise_speed``. The outcomes are made up and their scores given: scoring
them is the router's time, stated beside. A decision's scorer gives a constant, so that the
difference between two settings is not lost in the router's own milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.rounds import interleaved
from benchmarks.table import Report
from hybridroute import CallableArm, HybridClient, Promise
from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path
from hybridroute.edge_runtime.protocols import Assessment, ScoreKind, Scorer
from hybridroute.training.calibrate import calibrate
from hybridroute.training.promise.outcomes import PairedOutcomes, QualityRange
from hybridroute.training.promise.table import promise_table

N = 100_000
RUNS = 3
TABLE_S = 10.0
CHECK_MS = 0.1
REPEATS = 1000
SCORED = 200
PROMISE = Promise(max_drop=0.02, confidence=0.9)
MESSAGES = [{"role": "user", "content": "How far is the moon?"}]


class ConstantScorer:
    """Scores every text alike, in no time."""

    score_kind: ScoreKind = "gap"

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """All the same."""
        return np.full(len(texts), 0.5, dtype=np.float32)

    def assess(self, text: str) -> Assessment:
        """The same for every text."""
        return Assessment(score=0.5, unknown_share=0.0, tokens=len(text.split()))


class ConstantBundle(Bundle):
    """A bundle's manifest without its model."""

    __slots__ = ()

    def scorer(  # type: ignore[override]  # the router takes any Scorer
        self,
        *,
        threads: int = 2,  # noqa: ARG002
        spins: bool = True,  # noqa: ARG002
    ) -> Scorer:
        """A constant one."""
        return ConstantScorer()


def measure() -> Report:
    """Best runs: processor time of the tables, wall clock of the decisions."""
    tables = {
        f"table of {N:,} outcomes, 0/1": _best_table(fractions=False),
        f"table of {N:,} outcomes, fractions": _best_table(fractions=True),
    }
    rows = [(name, f"{seconds:.1f} s of CPU") for name, seconds in tables.items()]
    rows.append(("router: rows scored by the default bundle", f"{_rows_a_second():.0f} a second"))
    times = _decisions()
    plain = times["threshold"]
    rows += [(f"decision, {name}", f"{ms * 1000.0:.1f} us") for name, ms in times.items()]
    worst = max(times[name] - plain for name in times if name != "threshold")
    rows.append(("a promise's cost over a threshold, the larger", f"{worst * 1000.0:.1f} us"))
    return Report(
        title=f"Promises (best of {RUNS} tables; best of 7 rounds of {REPEATS} decisions)",
        header=("", "best"),
        rows=tuple(rows),
        target=f"a table in under {TABLE_S:g} s, a check in under {CHECK_MS:g} ms a query",
        reached=max(tables.values()) < TABLE_S and worst < CHECK_MS,
    )


def made_up(n: int, *, fractions: bool) -> PairedOutcomes:
    """The edge is right more often at high scores, the cloud always at .85."""
    draw = np.random.default_rng(0)
    scores = draw.beta(2.0, 2.0, n)
    right = 0.45 + 0.4 * scores
    if fractions:
        edge, cloud = draw.binomial(10, right) / 10.0, draw.binomial(10, 0.85, n) / 10.0
    else:
        shared = draw.random(n)
        edge, cloud = (shared < right).astype(float), (shared < 0.85).astype(float)
    return PairedOutcomes(scores=scores, edge_q=edge, cloud_q=cloud, quality_range=QualityRange())


def _best_table(*, fractions: bool) -> float:
    rows = made_up(N, fractions=fractions)
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        calibration = calibrate(rows.scores, rows.edge_q, rows.cloud_q, "made up")
        promise_table(rows, source="made up", calibration=calibration)
        taken.append(time.process_time() - start)
    return min(taken)


def _rows_a_second() -> float:
    scorer = Bundle.load(default_bundle_path()).scorer(threads=2)
    text = "A train leaves at nine and travels at sixty miles an hour for two hours and a half. "

    def scored() -> None:
        for number in range(SCORED):
            scorer.assess(f"{text}How far is it by then? Question {number}")

    return SCORED * 1000.0 / interleaved({"rows": scored}, rounds=RUNS)["rows"].best


def _decisions() -> dict[str, float]:
    """Milliseconds of a decision, the best round: the setting in force, or the request's own."""
    opened = Bundle.load(default_bundle_path())
    edge, cloud = opened.model_names
    client = HybridClient(
        ConstantBundle(opened.path, opened.manifest),
        edge=CallableArm("edge", lambda _: "", model=edge, place="device"),
        cloud=CallableArm("cloud", lambda _: "", model=cloud, place="cloud"),
    )
    with client:
        calls: dict[str, Callable[[], object]] = {
            "threshold": lambda: client.route(MESSAGES, threshold=0.86),
            "a promise of its own": lambda: client.route(MESSAGES, dial=PROMISE),
        }
        found = interleaved(calls, repeats=REPEATS)
        client.dial = PROMISE
        calls = {"standing": lambda: client.route(MESSAGES)}
        found["the promise in force"] = interleaved(calls, repeats=REPEATS)["standing"]
    return {name: held.best for name, held in found.items()}


if __name__ == "__main__":
    measure().show()

"""What another setting would have done with the requests of a decision log: an estimate."""

from __future__ import annotations

import json
import os
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hybridroute.decision import REDECIDABLE_REASONS
from hybridroute.decision_log import bundle_name
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD, Calibration
from hybridroute.edge_runtime.scope import is_out_of_scope
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

_NEAR_SHARE = 0.1
"""Of the calibration's queries, those around a score whose mean gap stands for it."""
_WANTED = (
    "id, bundle, arm, reason, score, score_kind, threshold, calibrated, unknown_share, "
    "fallback_from, cost_usd, costs"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What was, and what another setting would have done. Costs and losses are estimates.

    Parameters
    ----------
    setting : str
    requests : int
        In the log, those that an arm answered.
    fixed : int
        Decided by something else than the score (a mode, a session, a missing capability), or
        scored by another bundle: they stay as they were. So do those whose arm failed if the score
        had not chosen that arm, but the conversation or a draw.
    to_edge, to_cloud : int
        Requests that change their arm.
    cloud_share_was, cloud_share_would_be : float
    cost_usd_was, cost_usd_would_be : float or None
        With the tokens of the answers that were given; None where none has a known cost, or only
        those that stay on the device have one while the cloud's prices are not known.
    unpriced : int
        Requests left out of the costs, as a price is not known.
    worse_expected : float or None
        How many more answers would be worse than the cloud's, as the scores estimate it (each
        moved to the edge counts 1 - score, each moved to the cloud takes as much away); None
        unless the bundle's scores are probabilities and its calibration is for these arms.
    quality_lost_expected : float or None
        How far the mean quality of all these requests would fall, in units of q, as the bundle's
        calibration table estimates it: each moved request counts what the cloud added, on
        average, to the tenth of the calibration's queries whose scores are nearest to its own.
        None unless the calibration is for these arms.
    quality_lost_from : str or None
        The queries which that table was measured on.
    labelled : int
        Requests with a label for both the arm that was and the one that would be.
    quality_was, quality_would_be : float or None
        Their mean labelled quality.
    """

    setting: str
    requests: int
    fixed: int
    to_edge: int
    to_cloud: int
    cloud_share_was: float
    cloud_share_would_be: float
    cost_usd_was: float | None
    cost_usd_would_be: float | None
    unpriced: int
    worse_expected: float | None
    quality_lost_expected: float | None
    quality_lost_from: str | None
    labelled: int
    quality_was: float | None
    quality_would_be: float | None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object; it says itself that it is an estimate."""
        return {"estimate": True, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One request: the arm that answered, the one that would have, and what is known of both."""

    was: str
    would_be: str
    is_fixed: bool
    score: float | None
    is_calibrated: bool
    is_probability: bool
    costs: Mapping[str, float | None]
    labels: Mapping[str, float]

    @property
    def cost(self) -> tuple[float, float] | None:
        """What it cost and would have cost; None unless both are known."""
        was, would_be = self.costs.get(self.was), self.costs.get(self.would_be)
        return None if was is None or would_be is None else (was, would_be)


def replay(log: str | os.PathLike[str], setting: Setting, bundle: Bundle) -> Replay:
    """Decide every request of a log again, under another setting.

    Parameters
    ----------
    log : path
        What :class:`DecisionLog` wrote.
    setting : Setting
    bundle : Bundle
        The router that scored the requests.

    Raises
    ------
    DataError
        If the file is no decision log, or holds no answered request.
    ConfigError
        If the bundle cannot say what the setting means.
    """
    cases = list(_cases(Path(log), setting, bundle))
    if not cases:
        raise DataError(f"{log} holds no answered request; nothing can be replayed")
    moved = [case for case in cases if case.was != case.would_be]
    costs = [case.cost for case in cases if case.cost is not None]
    is_priced = _says_something(cases)
    graded = [
        (case.labels[case.was], case.labels[case.would_be])
        for case in cases
        if {case.was, case.would_be} <= set(case.labels)
    ]
    lost = _lost(moved, bundle.manifest.calibration)
    return Replay(
        setting=str(setting),
        requests=len(cases),
        fixed=sum(case.is_fixed for case in cases),
        to_edge=sum(case.would_be != "cloud" for case in moved),
        to_cloud=sum(case.would_be == "cloud" for case in moved),
        cloud_share_was=sum(case.was == "cloud" for case in cases) / len(cases),
        cloud_share_would_be=sum(case.would_be == "cloud" for case in cases) / len(cases),
        cost_usd_was=sum(was for was, _ in costs) if is_priced else None,
        cost_usd_would_be=sum(would_be for _, would_be in costs) if is_priced else None,
        unpriced=len(cases) - len(costs),
        worse_expected=_worse(moved),
        quality_lost_expected=None if lost is None else lost / len(cases),
        quality_lost_from=None if lost is None else _source(bundle),
        labelled=len(graded),
        quality_was=sum(was for was, _ in graded) / len(graded) if graded else None,
        quality_would_be=sum(after for _, after in graded) / len(graded) if graded else None,
    )


def _says_something(cases: list[_Case]) -> bool:
    """Whether the costs are of more than what is free: else their sum would look like no cost."""
    known = [case for case in cases if case.cost is not None]
    has_cloud = any("cloud" in (case.was, case.would_be) for case in known)
    return has_cloud or len(known) == len(cases)


def _worse(moved: list[_Case]) -> float | None:
    total = 0.0
    for case in moved:
        if case.score is None or not case.is_probability:
            return None
        total += (1.0 - case.score) * (-1.0 if case.would_be == "cloud" else 1.0)
    return total


def _lost(moved: list[_Case], calibration: Calibration | None) -> float | None:
    """What the moves would cost in quality, summed, by the calibration's table."""
    total = 0.0
    for case in moved:
        if calibration is None or case.score is None or not case.is_calibrated:
            return None
        gap = gap_near(calibration, case.score)
        total += gap if case.was == "cloud" else -gap
    return None if calibration is None else total


def _source(bundle: Bundle) -> str | None:
    held = bundle.manifest.calibration
    return None if held is None else f"{held.n} queries: {held.source}"


def gap_near(calibration: Calibration, score: float) -> float:
    """The mean q(cloud) - q(edge) of queries near a score, read off the dial's table.

    Along the table the cloud takes the queries in the order of their scores, so the quality gained
    between two shares, over their difference, is the mean gap of the queries in between.
    """
    table = calibration.dial
    thresholds = (0.0, *table.thresholds, ALL_CLOUD_THRESHOLD)
    shares = (0.0, *table.cloud_share, 1.0)
    quality = (calibration.edge_quality, *table.quality, calibration.cloud_quality)
    at = _between(thresholds, shares, score)
    low = min(max(0.0, at - _NEAR_SHARE / 2.0), 1.0 - _NEAR_SHARE)
    gained = _between(shares, quality, low + _NEAR_SHARE) - _between(shares, quality, low)
    return gained / _NEAR_SHARE


def _between(places: Sequence[float], values: Sequence[float], at: float) -> float:
    """Values between places, which do not fall, on straight lines."""
    after = min(max(1, bisect_right(places, at)), len(places) - 1)
    left, right = places[after - 1], places[after]
    part = (at - left) / (right - left) if right > left else 1.0
    return values[after - 1] + part * (values[after] - values[after - 1])


def _cases(log: Path, setting: Setting, bundle: Bundle) -> Iterator[_Case]:
    if not log.is_file():
        raise DataError(f"there is no file {log}; give the decision log's path")
    held = sqlite3.connect(f"{log.absolute().as_uri()}?mode=ro", uri=True)
    held.row_factory = sqlite3.Row
    try:
        labels: dict[str, dict[str, float]] = {}
        for id, arm, quality in held.execute("SELECT id, arm, quality FROM labels"):
            labels.setdefault(id, {})[arm] = quality
        again = _Again(setting, bundle)
        rows = held.execute(
            f"SELECT {_WANTED} FROM decisions WHERE completion_tokens IS NOT NULL"  # noqa: S608
        )
        for row in rows:
            yield again.decide(row, labels.get(row["id"], {}))
    except sqlite3.Error as exc:
        raise DataError(f"{log} cannot be read as a decision log: {exc}") from exc
    finally:
        held.close()


class _Again:
    """Decides logged requests again."""

    def __init__(self, setting: Setting, bundle: Bundle) -> None:
        self._setting, self._bundle = setting, bundle
        self._name = bundle_name(bundle)
        self._thresholds: dict[bool, float] = {}

    def decide(self, row: sqlite3.Row, labels: Mapping[str, float]) -> _Case:
        is_calibrated = bool(row["calibrated"])
        would_be = was = row["arm"]
        is_fixed = not self._was_by_score(row)
        if not is_fixed:
            chosen = row["fallback_from"] or was
            wanted = "edge" if row["score"] >= self._threshold(is_calibrated) else "cloud"
            would_be = was if wanted == chosen else wanted
        costs = json.loads(row["costs"])
        return _Case(
            was=was,
            would_be=would_be,
            is_fixed=is_fixed,
            score=row["score"],
            is_calibrated=is_calibrated,
            is_probability=is_calibrated and row["score_kind"] == "label",
            costs=costs,
            labels=labels,
        )

    def _was_by_score(self, row: sqlite3.Row) -> bool:
        limit = self._bundle.manifest.unknown_token_limit
        return (
            row["reason"] in REDECIDABLE_REASONS
            and row["score"] is not None
            and not is_out_of_scope(row["unknown_share"] or 0.0, limit)
            and row["bundle"] == self._name
            and (row["reason"] != "fallback" or _score_chose(row["fallback_from"], row))
        )

    def _threshold(self, is_calibrated: bool) -> float:
        if is_calibrated not in self._thresholds:
            models = self._bundle.model_names if is_calibrated else ()
            policy = ThresholdPolicy(self._bundle.manifest, models)
            self._thresholds[is_calibrated] = policy.threshold(self._setting)
        return self._thresholds[is_calibrated]


def _score_chose(arm: str | None, row: sqlite3.Row) -> bool:
    """Whether the logged score, at the threshold of its time, is for this arm."""
    if row["threshold"] is None:
        return False
    return arm == ("edge" if row["score"] >= row["threshold"] else "cloud")

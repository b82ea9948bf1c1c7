"""Sanity figures of a pair's labels: is there anything to learn, and who wins where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.labels import make_labels
from hybridroute.training.outcomes import Outcome

NO_DOMAIN = "(none)"


class PairFigures:
    """Collects the qualities of one pair, row by row; no response is kept."""

    def __init__(self, edge: str, cloud: str) -> None:
        if edge == cloud:
            raise DataError(f"edge and cloud are both {edge!r}; name two different arms")
        self.edge, self.cloud = edge, cloud
        self._edge_q: list[tuple[float, ...]] = []
        self._cloud_q: list[tuple[float, ...]] = []
        self._domains: list[str] = []
        self._arms: set[str] = set()

    def add(self, row: Outcome) -> None:
        """Take in one row; one that lacks an arm is passed over."""
        self._arms |= row.arms.keys()
        if self.edge in row.arms and self.cloud in row.arms:
            self._edge_q.append(row.arms[self.edge].quality)
            self._cloud_q.append(row.arms[self.cloud].quality)
            self._domains.append(row.domain or NO_DOMAIN)

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON.

        ``prob`` and ``trans`` hold what ``Labels.summary`` does, ``trans`` its ``curve`` as well:
        pairs of t (in units of q) and the Gini mean difference of the labels. ``domains`` states,
        per domain and for ``all``, mean qualities and the shares of response pairs that the edge
        wins, ties and loses, rows weighing the same. ``binary`` tells whether q takes at most two
        values.

        Raises
        ------
        DataError
            If no row has both arms.
        """
        if not self._edge_q:
            raise DataError(
                f"no prompt has responses of both {self.edge!r} and {self.cloud!r}; the arms are "
                f"{sorted(self._arms)}"
            )
        prob = make_labels(self._edge_q, self._cloud_q, "prob")
        trans = make_labels(self._edge_q, self._cloud_q, "trans")
        values = {value for row in (*self._edge_q, *self._cloud_q) for value in row}
        return {
            "edge": self.edge,
            "cloud": self.cloud,
            "n": len(self._edge_q),
            "binary": len(values) <= 2,
            "prob": prob.summary(),
            "trans": {**trans.summary(), "curve": [list(point) for point in trans.curve]},
            "domains": self._by_domain(),
        }

    def _by_domain(self) -> list[dict[str, Any]]:
        groups: dict[str, list[int]] = {}
        for index, domain in enumerate(self._domains):
            groups.setdefault(domain, []).append(index)
        found = [self._figures(domain, groups[domain]) for domain in sorted(groups)]
        if len(found) > 1:
            found.append(self._figures("all", range(len(self._domains))))
        return found

    def _figures(self, domain: str, rows: Sequence[int]) -> dict[str, Any]:
        shares = np.zeros(3)  # cloud wins, tie, edge wins
        for row in rows:
            gaps = np.subtract.outer(self._edge_q[row], self._cloud_q[row])
            shares += [np.mean(np.sign(gaps) == side) for side in (-1, 0, 1)]
        cloud_wins, ties, edge_wins = (shares / len(rows)).tolist()
        return {
            "domain": domain,
            "n": len(rows),
            "edge_quality": float(np.mean([np.mean(self._edge_q[row]) for row in rows])),
            "cloud_quality": float(np.mean([np.mean(self._cloud_q[row]) for row in rows])),
            "edge_wins": edge_wins,
            "ties": ties,
            "cloud_wins": cloud_wins,
        }


def label_warnings(pair: Mapping[str, Any]) -> list[str]:
    """What ``PairFigures.summary`` holds that the user must not miss."""
    found = ["q takes two values only: trans equals prob on these rows"] * pair["binary"]
    notes = (pair[kind]["note"] for kind in ("prob", "trans"))
    return [*found, *dict.fromkeys(note for note in notes if note is not None)]

"""Which metric a table's ``quality`` holds: written by ``label`` into every row, kept by bundles.

A router looks best by the metric it learnt from, so a bundle has to say which one that was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hybridroute.training.outcomes import Outcome, OutcomeTable

METRIC = "metric"
"""A row's key in the outcome table: ``{"name", "source"}`` of its ``quality``."""
AS_GIVEN = "as given"
_FEW = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Metric:
    """A quality metric's name, and where it comes from: paper, package or file."""

    name: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def metric_of(table: OutcomeTable) -> Metric:
    """The metric of a table's ``quality``; ``as given`` where its rows state none.

    Rows of different metrics are told in the log, and all their names are kept.
    """
    given = Metric(name=AS_GIVEN, source=_brief(table.source))
    held = sorted({_stated(row) or given for row in table.rows})
    if len(held) == 1:
        return held[0]
    names = ", ".join(dict.fromkeys(metric.name for metric in held))
    log.warning("the rows' qualities are of different metrics (%s): their labels mix units", names)
    return Metric(
        name=f"mixed: {names}", source="; ".join(dict.fromkeys(metric.source for metric in held))
    )


def stated_metric(training: Mapping[str, Any]) -> str | None:
    """What a bundle's training facts say its labels were made with; None where they say nothing."""
    held = training.get("quality")
    name = held.get("name") if isinstance(held, Mapping) else None
    if not isinstance(name, str):
        return None
    return f"quality {name}" if name == AS_GIVEN else name


def _brief(source: str) -> str:
    """The first of many files, and how many more there are."""
    first, *more = source.split(", ")
    return source if len(more) <= _FEW else f"{first} and {len(more)} other files"


def _stated(row: Outcome) -> Metric | None:
    held = row.extra.get(METRIC)
    if not isinstance(held, Mapping):
        return None
    name, source = held.get("name"), held.get("source")
    if not isinstance(name, str) or not isinstance(source, str):
        return None
    return Metric(name=name, source=source)

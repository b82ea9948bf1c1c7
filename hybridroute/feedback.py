"""What users say of answers goes beside the decision log; docs/promise.md says what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.ratings import checked_quality

if TYPE_CHECKING:
    from hybridroute.decision_log import DecisionLog


def note_feedback(logs: Sequence[DecisionLog], id: str, good: bool | float) -> None:
    """Note in every log how good the answer of a Decision was.

    Parameters
    ----------
    logs : sequence of DecisionLog
    id : str
        Of the Decision.
    good : bool or float
        True or False, or a quality in [0, 1].

    Raises
    ------
    ConfigError
        If nothing is logged.
    DataError
        If a log holds no such Decision, or ``good`` is neither.
    """
    quality = checked_quality(good)
    if not logs:
        raise ConfigError(
            "feedback is kept beside the decision log, and there is none; call log_to(FILE), or "
            "serve with --log FILE"
        )
    for log in logs:
        log.rate(id, quality)

"""The decision logs of a client, and what users say of answers, which goes beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hybridroute.answered import Listeners
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.ratings import checked_quality

if TYPE_CHECKING:
    from hybridroute.decision_log import DecisionLog


class ClientLogs:
    """Opens logs, rates answers in them, closes them.

    Parameters
    ----------
    bundle : Bundle
        Whose scores are logged.
    listeners : Listeners
        Those who are told of finished requests; a log becomes one of them.
    """

    def __init__(self, bundle: Bundle, listeners: Listeners) -> None:
        self._bundle, self._listeners = bundle, listeners
        self._held: list[DecisionLog] = []

    def open(self, path: str | os.PathLike[str], *, prompts: bool) -> DecisionLog:
        """Log every finished request to an SQLite file from now on.

        Raises
        ------
        ConfigError
            If the file cannot be opened or is no such log.
        """
        from hybridroute.decision_log import DecisionLog, bundle_name

        log = DecisionLog(path, bundle=bundle_name(self._bundle), prompts=prompts)
        self._held.append(log)
        self._listeners.add(log.listen)
        return log

    def rate(self, id: str, good: bool | float) -> None:
        """Note in every log how good the answer of a Decision was; docs/promise.md says what for.

        Parameters
        ----------
        id : str
            Of the Decision.
        good : bool or float
            True or False, or a quality in [0, 1].

        Raises
        ------
        ConfigError
            If nothing is logged, or ``good`` is neither.
        DataError
            If a log holds no such Decision, or cannot be written.
        """
        quality = checked_quality(good)
        if not self._held:
            raise ConfigError(
                "feedback is kept beside the decision log, and there is none; call log_to(FILE), "
                "or serve with --log FILE"
            )
        self._listeners.catch_up()
        for log in self._held:
            log.rate(id, quality)

    def close(self) -> None:
        """Write what waits; safe to call twice."""
        self._listeners.catch_up()
        for log in self._held:
            log.close()

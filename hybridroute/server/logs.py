"""The server's log on stderr, as text or as JSON lines; it holds no text of query or answer."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from hybridroute.answered import Answered
from hybridroute.server.stats import row_of

_NAME = "hybridroute"


def log_to_stderr(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Write this package's log to stderr. For programs: a library leaves logging alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else _plain())
    log = logging.getLogger(_NAME)
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False


def _plain() -> logging.Formatter:
    return logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")


class JsonLines(logging.Formatter):
    """One JSON object a line; an answered request has its numbers as fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Tracebacks are left out: what they quote may be a prompt."""
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        answered = getattr(record, "answered", None)
        if isinstance(answered, Answered):
            line |= {name: value for name, value in row_of(answered).items() if name != "at"}
        return json.dumps(line, allow_nan=False)

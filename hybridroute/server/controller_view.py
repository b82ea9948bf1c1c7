"""What a controller holds and what it has done, as the API and the metrics tell it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hybridroute.controller import Controller, DialChange
from hybridroute.setting import Setting

_LAST = 20


def controller_body(
    controller: Controller | None, clock: Callable[[], float] = time.monotonic
) -> dict[str, Any] | None:
    """A JSON-ready object: the target, the limits and the last changes, newest first.

    Parameters
    ----------
    controller : Controller or None
    clock : callable
        The controller's own.
    """
    if controller is None:
        return None
    held, now = controller.settings, clock()
    return {
        "holds": asdict(held.hold),
        "lowest": held.lowest,
        "highest": held.highest,
        "changes": [_change(one, now) for one in reversed(controller.history[-_LAST:])],
    }


def _change(change: DialChange, now: float) -> dict[str, Any]:
    return {
        "seconds_ago": round(max(0.0, now - change.at), 3),
        "before": said(change.before),
        "after": said(change.after),
        "cause": change.cause,
        "measured": change.measured,
        "target": change.target,
    }


def said(setting: Setting) -> dict[str, Any]:
    """A setting as the API says it."""
    return {"kind": setting.kind, "value": setting.value}

"""Is the endpoint there, and does it take the key?"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from hybridroute.cloud.failures import Failures
from hybridroute.cloud.transport import Outgoing, Transport
from hybridroute.edge_runtime.errors import ArmError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """What one look at an endpoint showed.

    Parameters
    ----------
    ok : bool
        Whether a chat request has a chance.
    status : int or None
        The HTTP status; None if nothing answered.
    advice : str
        One line: what was seen, and what to do about it.
    latency_ms : float or None
        Time to the answer; None if nothing was sent or nothing answered.
    """

    ok: bool
    status: int | None = None
    advice: str
    latency_ms: float | None = None


def probe(
    transport: Transport, outgoing: Outgoing, failures: Failures, *, model: str, timeout_s: float
) -> Reachability:
    """Ask for the list of models, once; network faults become advice."""
    began = time.monotonic()
    try:
        exchange = transport.open(outgoing, failures, timeout_s)
    except ArmError as exc:
        return _failed(exc, (time.monotonic() - began) * 1000.0)
    latency_ms = (time.monotonic() - began) * 1000.0
    try:
        names = _names(b"".join(exchange.pieces()))
    except ArmError as exc:
        return Reachability(ok=False, status=200, advice=str(exc), latency_ms=latency_ms)
    finally:
        exchange.release()
    if model in names or not names:
        advice = "answers" if names else "answers; it lists no models"
    else:
        advice = f"answers, but {model!r} is not among its {len(names)} models; check model"
    return Reachability(ok=True, status=200, advice=advice, latency_ms=latency_ms)


def _failed(exc: ArmError, latency_ms: float) -> Reachability:
    if exc.status is None:
        return Reachability(ok=False, advice=str(exc))
    if exc.status in (404, 405, 501):
        advice = "answers, but has no list of models; check base_url if requests fail"
        return Reachability(ok=True, status=exc.status, advice=advice, latency_ms=latency_ms)
    return Reachability(ok=False, status=exc.status, advice=str(exc), latency_ms=latency_ms)


def _names(body: bytes) -> list[str]:
    try:
        listed = json.loads(body)["data"]
        return [str(entry["id"]) for entry in listed]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []

"""What a setting is expected to do, in one line: for ``route``, ``chat`` and ``dial`` alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def expected_line(expected: Mapping[str, Any]) -> str:
    """An Expectation's JSON form (:meth:`Expectation.to_dict`) in words.

    Of two arms a share of queries; of a pool, which has no edge, the share of money saved.
    """
    promise = expected["promise"]
    if promise is not None:
        return (
            f"on average {promise['cost_advantage']:.0%} of queries stay on the edge; drop "
            f"{promise['drop']:+.4f}, at most {promise['drop_bound']:.4f} with "
            f"{promise['confidence']:.0%} confidence ({promise['kind']}, {_told(promise)})"
        )
    if expected["cost_advantage"] is None:
        return f"no expectation, since {expected['reason']}"
    kept = f"{expected['cost_advantage']:.0%}"
    if expected["cloud_share"] is not None:
        parts = [f"on average {kept} of queries stay on the edge"]
    else:
        parts = [f"on average {kept} of what the dearest arm would cost is saved"]
        if expected["cost_usd"] is not None:
            parts.append(f"{expected['cost_usd']:.3g} USD a query")
    drop = expected["quality_drop"]
    if drop is not None:
        rival = "all-cloud" if expected["cloud_share"] is not None else "the dearest arm alone"
        side = "below" if drop >= 0 else "above"
        parts.append(f"mean quality {expected['quality']:.3f}, {abs(drop):.3f} {side} {rival}")
    elif expected["reason"]:
        parts.append(expected["reason"])
    return ", ".join(parts) + (f" ({_told(expected)})" if expected["n"] else "")


def _told(measured: Mapping[str, Any]) -> str:
    return f"{measured['n']} queries: {measured['source']}"

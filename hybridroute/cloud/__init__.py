"""The cloud arm: any OpenAI-compatible endpoint, over ``requests``.

The names below load on first use, so that reading settings does not load ``requests``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridroute.cloud.arm import CloudArm
    from hybridroute.cloud.reach import Reachability
    from hybridroute.cloud.settings import CloudSettings
    from hybridroute.cloud.stream import CloudStream

__all__ = ["CloudArm", "CloudSettings", "CloudStream", "Reachability"]

_HOMES = {
    "CloudArm": "arm",
    "CloudSettings": "settings",
    "CloudStream": "stream",
    "Reachability": "reach",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

"""The modes: which places may answer, and which one is asked first."""

from __future__ import annotations

from collections.abc import Sequence

from hybridroute.decision import Mode, Reason
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.protocols import Arm, Place

_PLACE_OF_MODE: dict[Mode, Place | None] = {
    "auto": None,
    "only_on_device": "device",
    "only_in_cloud": "cloud",
    "prefer_on_device": None,
    "prefer_in_cloud": None,
}
_PREFERRED_PLACE: dict[Mode, Place] = {
    "only_on_device": "device",
    "only_in_cloud": "cloud",
    "prefer_on_device": "device",
    "prefer_in_cloud": "cloud",
}
REASON_OF_MODE: dict[Mode, Reason] = {
    "only_on_device": "mode_only_on_device",
    "only_in_cloud": "mode_only_in_cloud",
    "prefer_on_device": "mode_prefer_on_device",
    "prefer_in_cloud": "mode_prefer_in_cloud",
}


def checked_mode(mode: object) -> Mode:
    """``mode``, if it is one.

    Raises
    ------
    ConfigError
        If it is not.
    """
    for known in _PLACE_OF_MODE:
        if mode == known:
            return known
    raise ConfigError(f"mode is {mode!r}; use one of {', '.join(_PLACE_OF_MODE)}", param="mode")


def serves_mode(arm: Arm, mode: Mode) -> bool:
    """Whether the mode allows the arm, by the place it runs in."""
    return _PLACE_OF_MODE[mode] in (None, arm.place)


def narrowed_mode(of: Mode, wanted: Mode) -> Mode:
    """``wanted``, if it allows no place that ``of`` forbids.

    Raises
    ------
    ConfigError
        If it does.
    """
    if _PLACE_OF_MODE[of] not in (None, _PLACE_OF_MODE[wanted]):
        raise ConfigError(
            f"mode is {wanted!r}, but this client is {of!r}; a request may only narrow the "
            "client's mode. Make another client",
            param="mode",
        )
    return wanted


def preferred_arms(capable: Sequence[Arm], mode: Mode) -> list[Arm]:
    """The arms in the place that the mode names; none where it names none."""
    place = _PREFERRED_PLACE.get(mode)
    return [arm for arm in capable if arm.place == place]

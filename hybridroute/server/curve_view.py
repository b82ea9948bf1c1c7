"""What every position of the dial is expected to do, as the API tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.server.api_errors import ApiError
from hybridroute.server.live import Serving
from hybridroute.server.only_arm import OnlyArm, expectation_body, only_arm
from hybridroute.setting import Setting

_POINTS = 100
Turn = Callable[[float], Setting]

_KNOBS: dict[str, Turn] = {
    "dial": lambda at: Setting(dial=at),
    "cost_advantage": lambda at: Setting(cost_advantage=round(1.0 - at, 6)),
    "threshold": lambda at: Setting(threshold=at),
}
"""How a slider's position, 0 for all-edge, is said; the first that the bundle can take."""


def curve_body(serving: Serving) -> dict[str, Any]:
    """The expectations of 101 positions, by the first knob that the bundle can take."""
    client, only = serving.client, only_arm(serving)
    for knob, turn in _KNOBS.items():
        try:
            client.expect(setting=turn(0.5))
        except ConfigError:
            continue
        points = list(_points(serving, turn, only))
        return {
            "object": "hybridroute.curve",
            "knob": knob,
            "calibrated": client.calibrated,
            "models": [model for _, model in serving.models],
            "only_arm": plain(only),
            "source": _source(client.bundle.manifest, calibrated=client.calibrated),
            "reason": points[0]["reason"],
            "points": points,
        }
    raise ApiError(500, "the bundle takes no setting at all", type="server_error")


def _source(manifest: Manifest, *, calibrated: bool) -> str | None:
    """Where the curve's numbers come from."""
    measured = manifest.calibration if calibrated else manifest.score_quantiles
    held = measured or manifest.pool
    return None if held is None else held.source


def _points(serving: Serving, turn: Turn, only: OnlyArm | None) -> Iterator[dict[str, Any]]:
    for step in range(_POINTS + 1):
        at = step / _POINTS
        setting = turn(at)
        said = expectation_body(serving.client.expect(setting=setting), only)
        yield {"at": at, "put": {setting.kind: setting.value}, **said}

"""What the caller is told of an error: status, kind and the field that is wrong."""

from __future__ import annotations

import pytest

from hybridroute.attempts import is_arms_fault
from hybridroute.edge_runtime.errors import ArmRefused
from hybridroute.server.api_errors import api_error_of


@pytest.mark.parametrize(
    ("status", "told", "another_is_tried"),
    [(400, 400, False), (422, 400, False), (413, 400, True), (401, 502, True), (None, 502, True)],
)
def test_what_an_arm_refused(status: int | None, told: int, another_is_tried: bool) -> None:
    """A body too long for one arm may do at another; at the last one it is the caller's."""
    error = ArmRefused("no", arm="cloud", status=status)
    assert is_arms_fault(error) is another_is_tried
    assert (api_error_of(error).status, api_error_of(error).code) == (told, "arm_refused")

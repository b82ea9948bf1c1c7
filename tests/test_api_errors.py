"""What the caller is told of an error: status, kind and the field that is wrong."""

from __future__ import annotations

import pytest

from hybridroute.attempts import is_arms_fault
from hybridroute.edge_runtime.errors import (
    ArmRefused,
    ConfigError,
    HybridRouteError,
    ModelMissing,
    RequestError,
)
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


@pytest.mark.parametrize(
    ("error", "param"),
    [
        (RequestError("no good", param="tools[0]"), "tools[0]"),
        (ConfigError("no good", param="dial"), "dial"),
        (ConfigError("feedback is kept beside the decision log"), None),
        (ModelMissing("pull it", param="edge"), None),
        (ArmRefused("no good", status=422, param="seed"), "seed"),
        (ArmRefused("temperature is what the server minds", status=400), None),
    ],
)
def test_the_field_is_the_error_s_own_and_not_read_from_its_words(
    error: HybridRouteError, param: str | None
) -> None:
    assert api_error_of(error).param == param


def test_a_field_that_no_arm_can_use_is_the_callers_to_change() -> None:
    told = api_error_of(ArmRefused("no good", param="response_format"))
    assert (told.status, told.code, told.param) == (400, "arm_refused", "response_format")

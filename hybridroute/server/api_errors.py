"""Errors as OpenAI's clients read them: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridroute.edge_runtime.errors import (
    WRONG_REQUEST,
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ConfigError,
    ContextOverflow,
    EngineMissing,
    HybridRouteError,
    ModelMissing,
    NoCapableArm,
    RequestError,
    StreamInterrupted,
)

_BAD_REQUEST = "invalid_request_error"
_SERVER = "server_error"
_CALLERS_TO_MEND = WRONG_REQUEST | {413}
"""An arm's statuses that are told as 400. A body too long for one arm (413) is no wrong request:
another arm is tried; where none is left, it is the caller who can shorten it."""


class ApiError(Exception):
    """What the caller is told.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        What is wrong and what to do. Holds no key, prompt or answer.
    type, code : str
        OpenAI's words where there are any.
    param : str or None
        The field that is wrong.
    headers : mapping of str to str
        Sent with the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = _BAD_REQUEST,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """The error object."""
        return {
            "error": {
                "message": str(self),
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


_KINDS: tuple[tuple[type[HybridRouteError], int, str, str | None], ...] = (
    (NoCapableArm, 400, _BAD_REQUEST, "no_capable_arm"),
    (RequestError, 400, _BAD_REQUEST, None),
    (EngineMissing, 503, _SERVER, "arm_not_installed"),
    (ModelMissing, 503, _SERVER, "arm_not_installed"),
    (ConfigError, 400, _BAD_REQUEST, None),
    (ContextOverflow, 400, _BAD_REQUEST, "context_length_exceeded"),
    (ArmTimeout, 504, _SERVER, "arm_timeout"),
    (StreamInterrupted, 502, _SERVER, "stream_interrupted"),
    (ArmUnavailable, 503, _SERVER, "arm_unavailable"),
    (ArmError, 502, _SERVER, "arm_failed"),
)
"""The first kind that fits an error decides."""


def api_error_of(error: Exception) -> ApiError:
    """What the caller is told of an error; of one that is not ours, nothing but that it happened.

    An arm that refuses our own key or address is a fault of this server, so the caller is never
    told 401 or 403 for it.
    """
    if isinstance(error, ApiError):
        return error
    if not isinstance(error, HybridRouteError):
        return ApiError(
            500,
            f"the server failed ({type(error).__name__}); its log says more",
            type=_SERVER,
            code="internal_error",
        )
    message = " ".join([str(error), *(f"({note})" for note in getattr(error, "__notes__", ()))])
    if isinstance(error, ArmRefused) and not isinstance(error, ContextOverflow):
        # A field that an engine cannot use: another arm was to try, and there is none.
        if error.status in _CALLERS_TO_MEND or error.param is not None:
            return ApiError(400, message, code="arm_refused", param=error.param)
        return ApiError(502, message, type=_SERVER, code="arm_refused")
    for kind, status, type_, code in _KINDS:
        if isinstance(error, kind):
            param = error.param if type_ == _BAD_REQUEST else None
            return ApiError(status, message, type=type_, code=code, param=param)
    return ApiError(500, message, type=_SERVER, code="internal_error")

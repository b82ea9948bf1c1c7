"""What went wrong in the cloud, as this package's errors."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from hybridroute.cloud.call import Cause
from hybridroute.cloud.redact import Redactor
from hybridroute.cloud.retry import RETRY_STATUSES
from hybridroute.cloud.settings import CloudSettings
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    NoAnswer,
    StreamInterrupted,
)
from hybridroute.whole_number import whole_number

_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_OVERFLOW_WORDS = re.compile(
    r"context[ _](length|window|size)|maximum (prompt|input) length|prompt is too long", re.I
)
_OVERFLOW_STATUSES = frozenset({400, 413, 422, 500})
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class Failures:
    """Makes errors that name the arm, the host and the setting to change.

    Parameters
    ----------
    settings : CloudSettings
        Where the endpoint is and what its limits are.
    arm : str
        The arm's name.
    redact : Redactor
        Cleans what the server says.
    deadline : str
        The name and value of the limit on the whole call.
    """

    def __init__(
        self, settings: CloudSettings, *, arm: str, redact: Redactor, deadline: str
    ) -> None:
        self._settings = settings
        self._arm = arm
        self._redact = redact
        self._deadline = deadline

    def from_cut(self, cause: Cause) -> ArmError:
        """The error of a call that was cut from outside."""
        if cause == "deadline":
            return ArmTimeout(
                f"{self._settings.host} did not finish within {self._deadline}", arm=self._arm
            )
        what = "the arm was closed" if cause == "arm closed" else "the stream was closed"
        return ArmUnavailable(f"{what} while a request was running", arm=self._arm)

    def silence(self) -> ArmTimeout:
        """The error of a stream that went quiet."""
        return ArmTimeout(
            f"{self._settings.host} sent nothing for "
            f"chunk_timeout_s={self._settings.chunk_timeout_s:g}",
            arm=self._arm,
        )

    def broken(self, what: str) -> StreamInterrupted:
        """The error of an answer that stops, or stops making sense, in the middle."""
        return StreamInterrupted(f"{self._settings.host}: {what}; ask again", arm=self._arm)

    def unfit(self, what: str) -> ArmError:
        """The error of an answer that is none."""
        return ArmError(f"{self._settings.host} {what}", arm=self._arm)

    def no_choice(self) -> NoAnswer:
        """The error of an answer in which nothing is answered, such as a sign-in page's JSON."""
        settings = self._settings
        return NoAnswer(
            f"{settings.host} answered 200 and its answer has no choices; check base_url and model "
            f"({settings.model}), and whether a proxy or a sign-in page answers in its place",
            arm=self._arm,
        )

    def from_sending(self, exc: Exception, *, is_connected: bool) -> tuple[ArmError, bool]:
        """The error of a request that got no headers, and whether to try again."""
        where, why = self._settings.host, reason_of(exc)
        is_silent = isinstance(exc, requests.exceptions.ReadTimeout)
        # A TLS handshake that stands still is reported as a read that does.
        if isinstance(exc, requests.exceptions.ConnectTimeout) or (is_silent and not is_connected):
            limit = f"connect_timeout_s={self._settings.connect_timeout_s:g}"
            return ArmTimeout(f"no connection to {where} within {limit}", arm=self._arm), True
        if is_silent:
            return self.silence(), False
        if isinstance(exc, requests.exceptions.SSLError):
            is_distrust = any(isinstance(e, ssl.SSLCertVerificationError) for e in _causes(exc))
            what = "trusted TLS connection" if is_distrust else "TLS connection"
            text = f"no {what} to {where} ({why}); check base_url and certificates"
            return ArmUnavailable(text, arm=self._arm), not is_distrust
        if isinstance(exc, requests.exceptions.ProxyError):
            text = f"the proxy for {where} does not serve ({why}); check the *_proxy variables"
            return ArmUnavailable(text, arm=self._arm), True
        if isinstance(exc, requests.exceptions.ConnectionError):
            text = f"cannot reach {where} ({why}); check base_url and the network"
            return ArmUnavailable(text, arm=self._arm), True
        return ArmError(f"cannot send to {where} ({why}); check base_url", arm=self._arm), False

    def from_status(
        self, status: int, body: bytes, headers: Mapping[str, str], asked_s: float | None
    ) -> tuple[ArmError, bool]:
        """The error of an answer that is not 200, and whether to try again.

        ``asked_s`` is the wait the server asks for.
        """
        if 300 <= status < 400:
            return self._from_redirect(status, headers), False
        fault = _fault_in(body)
        wish = "" if asked_s is None else f"; it asks to wait {asked_s:g} s"
        error = self._from_fault(status, fault, wish)
        may_retry = status in RETRY_STATUSES and not isinstance(error, ArmRefused)
        return error, may_retry and str(fault.get("code")) not in _QUOTA_CODES

    def from_payload(self, fault: Any) -> ArmError:
        """The error of an ``error`` object in a 200 answer or in a stream."""
        details = fault if isinstance(fault, Mapping) else {"message": str(fault)}
        code = details.get("code")
        if isinstance(code, str):
            code = whole_number(code)
        if isinstance(code, int) and 400 <= code < 600:
            return self._from_fault(code, details)
        kind = str(details.get("type") or "")
        refused = kind in ("invalid_request_error", "authentication_error", "permission_error")
        return self._from_fault(400 if refused else None, details)

    def _from_fault(self, status: int | None, fault: Mapping[str, Any], wish: str = "") -> ArmError:
        said = fault.get("message")
        words = self._redact(said) if isinstance(said, str) and said else "no reason given"
        label = "reported an error" if status is None else f"answered {status}"
        text = f"{self._settings.host} {label}: {words}"
        if status is None or status in _OVERFLOW_STATUSES:
            sizes = _overflow_sizes(fault)
            if sizes is not None:
                return ContextOverflow(text + sizes, arm=self._arm, status=status)
        if status is None or status in RETRY_STATUSES or status >= 500 or status == 425:
            return ArmUnavailable(text + wish, arm=self._arm, status=status)
        if 400 <= status < 500:
            advice = self._advice(status, words)
            return ArmRefused(text + advice, arm=self._arm, status=status)
        return ArmError(f"{text}; expected 200", arm=self._arm, status=status)

    def _advice(self, status: int, words: str) -> str:
        variable = self._settings.key_variable
        key = f"the key in {variable}" if variable and not self._settings.api_key else "the key"
        if "stream_options" in words:
            return "; set stream_usage=False"
        if "max_completion_tokens" in words:
            return "; set max_tokens_field='max_completion_tokens'"
        return {
            401: f"; check {key}",
            403: f"; check what {key} may use",
            404: f"; check base_url and model ({self._settings.model})",
        }.get(status, "")

    def _from_redirect(self, status: int, headers: Mapping[str, str]) -> ArmRefused:
        try:
            target = urlsplit(urljoin(self._settings.base_url, headers.get("location", "")))
            place = f"{target.scheme}://{target.hostname}{target.path}"
        except ValueError:
            place = "an address that cannot be read"
        return ArmRefused(
            f"{self._settings.host} answered {status} and points to {self._redact(place)}; "
            "redirects are not followed, so that the key goes nowhere else: change base_url",
            arm=self._arm,
            status=status,
        )


def reason_of(exc: BaseException) -> str:
    """The operating system's words for the innermost cause, else the exception's type."""
    causes = _causes(exc)
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and cause.errno is not None:
            return cause.strerror
    return type(causes[-1]).__name__


def _causes(exc: BaseException) -> list[BaseException]:
    """The exception and what it wraps, however requests and urllib3 keep it, outermost first."""
    seen: list[BaseException] = []
    queue = [exc]
    while queue and len(seen) < 20:
        current = queue.pop(0)
        if current in seen:
            continue
        seen.append(current)
        linked = (getattr(current, "reason", None), current.__cause__, current.__context__)
        queue += [item for item in (*linked, *current.args) if isinstance(item, BaseException)]
    return seen


def _fault_in(body: bytes) -> Mapping[str, Any]:
    """The error object of a body in OpenAI's, FastAPI's, Ollama's or Google's shape, else {}."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(payload, list) and payload:
        payload = payload[0]
    if not isinstance(payload, Mapping):
        return {}
    fault = payload.get("error") or payload.get("detail") or payload
    if isinstance(fault, list) and fault and isinstance(fault[0], Mapping):
        # FastAPI's list of faults; its "input" field would repeat the prompt.
        return {"message": fault[0].get("msg")}
    return fault if isinstance(fault, Mapping) else {"message": str(fault)}


def _overflow_sizes(fault: Mapping[str, Any]) -> str | None:
    """Text that names both sizes where the server gives them; None if it is another fault."""
    said = str(fault.get("message") or "")
    codes = {str(fault.get("code")), str(fault.get("type"))}
    if not codes & _OVERFLOW_CODES and not _OVERFLOW_WORDS.search(said):
        return None
    prompt, context = fault.get("n_prompt_tokens"), fault.get("n_ctx")
    if isinstance(prompt, int) and isinstance(context, int):
        return f" (prompt {prompt} tokens, context {context} tokens)"
    return ""

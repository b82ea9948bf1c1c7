"""Requests to one endpoint: connections kept alive, failures tried again where that is safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import requests
from urllib3.exceptions import HTTPError

from hybridroute.cloud.call import Call
from hybridroute.cloud.exchange import Exchange
from hybridroute.cloud.failures import Failures
from hybridroute.cloud.line import KeyAuth, Line
from hybridroute.cloud.retry import Backoff, retry_after_s
from hybridroute.cloud.settings import CloudSettings
from hybridroute.edge_runtime.errors import ArmError
from hybridroute.edge_runtime.stop_signal import StopSignal

_IDLE_LINES = 8
_FAULT_BYTES = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent.

    Parameters
    ----------
    method, path : str
        The path is added to ``base_url``.
    body : bytes or None
        JSON.
    key : str or None
        The bearer token.
    streams : bool
        Whether the answer comes in chunks, so that silence means trouble. A whole answer is silent
        for as long as the server thinks; only the deadline limits that.
    may_retry : bool
        Whether failures are tried again.
    """

    method: str = "POST"
    path: str = "/chat/completions"
    body: bytes | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    streams: bool = False
    may_retry: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    error: ArmError
    may_retry: bool
    asked_s: float | None = None
    is_stale: bool = False


class Transport:
    """Sends requests to one endpoint. Safe to use from several threads.

    Parameters
    ----------
    settings : CloudSettings
        The endpoint.
    name : str
        The arm's name, for errors.
    backoff : Backoff
        Waits between tries.
    """

    def __init__(self, settings: CloudSettings, name: str, backoff: Backoff) -> None:
        self._settings = settings
        self._name = name
        self._backoff = backoff
        # A deque and a set without a lock: their append, pop, add and discard are atomic, and a
        # finalizer that gives a call back may interrupt a thread that would hold the lock.
        self._idle: deque[Line] = deque()
        self._running: set[Call] = set()
        self._is_closed = False

    def open(
        self,
        outgoing: Outgoing,
        failures: Failures,
        total_s: float,
        stop: StopSignal | None = None,
    ) -> Exchange:
        """Send, and wait for the headers of a 200 answer; ``stop`` cuts the call, then or later.

        Raises
        ------
        ArmError
        """
        call = Call(self._borrow(), total_s)
        self._running.add(call)
        if stop is not None:
            stop.tell(lambda: call.cut("closed"))
        try:
            # Looked at after the call is noted as running, as close() looks at both the other way.
            if self._is_closed:
                raise ArmError("the arm is closed; make a new one", arm=self._name)
            return self._with_retries(call, outgoing, failures)
        except BaseException:
            call.finish()
            self._give_back(call)
            raise

    def warm_up(self) -> None:
        """Have a session at hand; nothing is sent."""
        if not self._is_closed and not self._idle:
            self._keep(self._new_line())

    def close(self) -> None:
        """Cut what is running, close what is idle; safe to call twice."""
        self._is_closed = True
        for call in list(self._running):
            call.cut("arm closed")
        self._close_idle()

    def _with_retries(self, call: Call, outgoing: Outgoing, failures: Failures) -> Exchange:
        attempt = 0
        while True:
            outcome = self._once(call, outgoing, failures)
            if isinstance(outcome, Exchange):
                return outcome
            if outcome.is_stale:
                continue
            wait = None
            if outgoing.may_retry and outcome.may_retry:
                wait = self._backoff.wait_s(attempt, outcome.asked_s)
            if wait is None or wait >= call.remaining_s:
                raise outcome.error
            call.sleep(wait)
            if call.cause is not None:
                raise failures.from_cut(call.cause) from outcome.error
            attempt += 1

    def _once(self, call: Call, outgoing: Outgoing, failures: Failures) -> Exchange | _Failed:
        settings = self._settings
        left = call.remaining_s
        # A little beyond the deadline, where only the deadline counts: the watch ends the read.
        silence = min(settings.chunk_timeout_s, left + 1.0) if outgoing.streams else left + 1.0
        try:
            response = call.line.send(
                self._request(outgoing),
                connect_timeout_s=min(settings.connect_timeout_s, left + 0.001),
                read_timeout_s=silence,
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as exc:
            if call.cause is not None or call.remaining_s == 0.0:
                raise failures.from_cut(call.cause or "deadline") from exc
            error, may_retry = failures.from_sending(exc, is_connected=call.line.is_connected)
            error.__cause__ = exc
            # A kept connection may have been closed just as the request was on its way; that says
            # nothing about the server, so it costs neither a try nor a wait.
            is_stale = may_retry and call.line.forget_kept()
            return _Failed(error=error, may_retry=may_retry, is_stale=is_stale)
        exchange = Exchange(
            call,
            response,
            failures,
            max_bytes=settings.max_response_bytes,
            give_back=self._give_back,
        )
        return exchange if response.status_code == 200 else _refused(exchange)

    def _request(self, outgoing: Outgoing) -> requests.Request:
        headers = {
            "Accept": "text/event-stream" if outgoing.streams else "application/json",
            # Compressors hold a stream's chunks back, and unpack to any size.
            "Accept-Encoding": "identity",
            "User-Agent": "hybridroute",
        }
        if outgoing.body is not None:
            headers["Content-Type"] = "application/json"
        return requests.Request(
            outgoing.method,
            self._settings.base_url + outgoing.path,
            headers=_merged(headers, self._settings.headers),
            data=outgoing.body,
            auth=KeyAuth(outgoing.key),
        )

    def _borrow(self) -> Line:
        # Last in, first out: the connection most likely to be still alive.
        try:
            return self._idle.pop()
        except IndexError:
            return self._new_line()

    def _new_line(self) -> Line:
        # A proxy must not see what is meant for this machine.
        return Line(no_proxy=self._settings.host if self._settings.is_loopback else "")

    def _give_back(self, call: Call) -> None:
        self._running.discard(call)
        if call.line.is_cut or len(self._idle) >= _IDLE_LINES:
            call.line.close()
        else:
            self._keep(call.line)

    def _keep(self, line: Line) -> None:
        self._idle.append(line)
        if self._is_closed:
            self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def _refused(exchange: Exchange) -> _Failed:
    """Read an answer that is not 200, up to a limit, and close it."""
    response = exchange.response
    body = b""
    try:
        for piece in exchange.pieces():
            body += piece
            if len(body) >= _FAULT_BYTES:
                break
    except ArmError:
        # The status says enough, unless the call itself was cut.
        exchange.check()
    finally:
        response.close()
    asked_s = retry_after_s(response.headers)
    error, may_retry = exchange.failures.from_status(
        response.status_code, body, response.headers, asked_s
    )
    return _Failed(error=error, may_retry=may_retry, asked_s=asked_s)


def _merged(ours: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    taken = {name.lower() for name in users}
    return {**{k: v for k, v in ours.items() if k.lower() not in taken}, **users}

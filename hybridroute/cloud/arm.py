"""The cloud arm: chat completions from an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence

from hybridroute.cloud.exchange import Exchange
from hybridroute.cloud.failures import Failures
from hybridroute.cloud.reach import Reachability, probe
from hybridroute.cloud.redact import Redactor
from hybridroute.cloud.retry import Backoff
from hybridroute.cloud.settings import CloudSettings, usable_key
from hybridroute.cloud.stream import CloudStream
from hybridroute.cloud.transport import Outgoing, Transport
from hybridroute.cloud.wire import is_answer, read_completion, request_body
from hybridroute.edge_runtime.chat import ChatRequest, Completion, Message, text_of
from hybridroute.edge_runtime.errors import (
    ArmRefused,
    ArmUnavailable,
    StreamInterrupted,
)
from hybridroute.edge_runtime.prices import Prices
from hybridroute.edge_runtime.protocols import Capabilities, Place
from hybridroute.edge_runtime.stop_signal import StopSignal
from hybridroute.edge_runtime.token_estimate import estimated_tokens

_log = logging.getLogger(__name__)


class CloudArm:
    """Answers from the cloud. Safe to use from several threads.

    Parameters
    ----------
    settings : CloudSettings
        The endpoint.
    name : str
        The arm's name in decisions and errors.
    seed : int or None
        Makes the waits between tries repeatable.
    """

    place: Place = "cloud"

    def __init__(
        self, settings: CloudSettings, name: str = "cloud", *, seed: int | None = None
    ) -> None:
        self.settings = settings
        self._name = name
        backoff = Backoff(
            max_retries=settings.max_retries, cap_s=settings.max_retry_wait_s, seed=seed
        )
        self._transport = Transport(settings, name, backoff)

    def __repr__(self) -> str:
        return f"CloudArm({self._name!r}, {self.settings.model!r} at {self.settings.host})"

    @property
    def name(self) -> str:
        """The arm's name."""
        return self._name

    @property
    def model(self) -> str:
        """The model's name as configured; an answer carries the one the server reports."""
        return self.settings.model

    @property
    def capabilities(self) -> Capabilities:
        """What the settings say the model takes."""
        return Capabilities(
            context_tokens=self.settings.context_tokens,
            tools=self.settings.tools,
            json_mode=self.settings.json_mode,
            images=self.settings.images,
            # A server without them says so; nothing here could know.
            logit_bias=True,
            web_search=True,
        )

    @property
    def prices(self) -> Prices | None:
        """The settings' prices; None unless both are given."""
        into, out = (
            self.settings.price_in_usd_per_million,
            self.settings.price_out_usd_per_million,
        )
        if into is None or out is None:
            return None
        return Prices(in_usd_per_million=into, out_usd_per_million=out)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """An estimate from the prompt's UTF-8 bytes; images are not counted."""
        return estimated_tokens(messages)

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer.

        Raises
        ------
        ArmRefused
            No key (nothing is sent then), a wrong one, or a request the server does not take.
        ContextOverflow
            The prompt is too long for the model.
        ArmTimeout
            A limit of the settings was reached; the message names it.
        ArmUnavailable
            No connection, or the server is overloaded or broken, after the retries.
        NoAnswer
            The answer has no choices.
        ArmError
            The answer is too long or not JSON.
        RequestError
            The request cannot be written as JSON.
        """
        return self._complete(request, None)

    def complete_until(self, request: ChatRequest, stop: StopSignal) -> Completion:
        """As ``complete``; the signal closes the connection, and ArmUnavailable is raised."""
        return self._complete(request, stop)

    def _complete(self, request: ChatRequest, stop: StopSignal | None) -> Completion:
        exchange = self._open(request, streams=False, stop=stop)
        try:
            return self._read_whole(exchange)
        except StreamInterrupted as exc:
            # Nothing of a whole answer was handed over, so this is no stream cut in the middle.
            raise ArmUnavailable(str(exc), arm=self._name) from exc
        finally:
            exchange.release()

    def stream(self, request: ChatRequest) -> CloudStream:
        """The answer piece by piece; the headers have come when this returns.

        Raises
        ------
        ArmError
            As `complete` does, here or while the stream is read.
        """
        return self._stream(request, None)

    def stream_until(self, request: ChatRequest, stop: StopSignal) -> CloudStream:
        """As ``stream``; the signal closes the connection also while it is being made."""
        return self._stream(request, stop)

    def _stream(self, request: ChatRequest, stop: StopSignal | None) -> CloudStream:
        exchange = self._open(request, streams=True, stop=stop)
        try:
            kind = exchange.response.headers.get("content-type", "").lower()
            if "application/json" in kind:
                # An error object in it is raised as that error.
                self._read_whole(exchange)
            if "json" in kind or "html" in kind:
                raise exchange.failures.unfit(f"answered {kind} instead of a stream of events")
            return CloudStream(exchange, model=self.model)
        except BaseException:
            exchange.release()
            raise

    def warm_up(self) -> None:
        """Make a session ready; nothing is sent."""
        self._transport.warm_up()

    def close(self) -> None:
        """Close the connections; requests still running fail with ArmUnavailable."""
        self._transport.close()

    def reachable(self, timeout_s: float = 3.0) -> Reachability:
        """Whether the endpoint answers and takes the key; one GET of its list of models.

        Nothing is retried and no network fault is raised. ``timeout_s`` limits all of it.
        """
        try:
            key = self._key()
        except ArmRefused as exc:
            return Reachability(ok=False, advice=str(exc))
        failures = self._failures(key, f"{timeout_s:g} s")
        outgoing = Outgoing(method="GET", path="/models", key=key, may_retry=False)
        return probe(self._transport, outgoing, failures, model=self.model, timeout_s=timeout_s)

    def _open(self, request: ChatRequest, *, streams: bool, stop: StopSignal | None) -> Exchange:
        key = self._key()
        body = request_body(request, self.settings, stream=streams)
        _log.debug("asking %s at %s, %d bytes", self.model, self.settings.host, len(body))
        limit, total_s = "timeout", request.timeout_s
        if total_s is None:
            limit, total_s = "total_timeout_s", self.settings.total_timeout_s
        texts = tuple(text_of(message) for message in request.messages)
        failures = self._failures(key, f"{limit}={total_s:g}", texts)
        outgoing = Outgoing(body=body, key=key, streams=streams)
        return self._transport.open(outgoing, failures, total_s, stop)

    def _failures(self, key: str | None, deadline: str, prompts: tuple[str, ...] = ()) -> Failures:
        secrets = (key or "", *self.settings.headers.values())
        redact = Redactor(secrets, prompts)
        return Failures(self.settings, arm=self._name, redact=redact, deadline=deadline)

    def _key(self) -> str | None:
        settings = self.settings
        if settings.api_key is not None or not settings.key_variable:
            return settings.api_key
        # Pasted keys often end with a newline.
        key = os.environ.get(settings.key_variable, "").strip()
        if not key:
            text = f"no key: the environment variable {settings.key_variable} is not set; set it"
            raise ArmRefused(f"{text}, or api_key_env='' for a server without", arm=self._name)
        if not usable_key(key):
            text = f"the environment variable {settings.key_variable} holds no usable key"
            raise ArmRefused(f"{text}: it has spaces or is not ASCII", arm=self._name)
        return key

    def _read_whole(self, exchange: Exchange) -> Completion:
        body = b"".join(exchange.pieces())
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError) as exc:
            # Not chained: a JSONDecodeError carries the whole answer.
            raise exchange.failures.unfit(_not_json(type(exc).__name__)) from None
        if not isinstance(payload, dict):
            raise exchange.failures.unfit(_not_json(type(payload).__name__))
        if payload.get("error"):
            raise exchange.failures.from_payload(payload["error"])
        completion = read_completion(payload, model=self.model, now=int(time.time()))
        if not any(is_answer(choice) for choice in completion.choices):
            raise exchange.failures.no_choice()
        return completion


def _not_json(what: str) -> str:
    return f"answered 200 with something that is not a JSON object ({what}); check base_url"

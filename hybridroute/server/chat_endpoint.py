"""``POST /v1/chat/completions``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from hybridroute.answered import Answered
from hybridroute.async_client import AsyncHybridClient
from hybridroute.server.answers import bytes_answer, error_answer
from hybridroute.server.api_errors import ApiError, api_error_of
from hybridroute.server.chat_body import ChatBody, chat_body
from hybridroute.server.gone import cancelled_when_gone
from hybridroute.server.json_body import ClientGone, json_object, read_body
from hybridroute.server.live import Live
from hybridroute.server.metrics import Metrics
from hybridroute.server.options import ServerOptions
from hybridroute.server.wire import StreamWriter, completion_bytes, decision_headers

_log = logging.getLogger(__name__)


class ChatEndpoint:
    """Answers chat requests, whole and streamed: an ASGI application of its own.

    Not one of Starlette's function endpoints, as it has to see the caller's leaving while it waits
    for an answer, and to choose status and headers once the first token is there.
    """

    def __init__(self, live: Live, options: ServerOptions, metrics: Metrics) -> None:
        self._live = live
        self._options = options
        self._metrics = metrics
        self._under_way = 0
        self._finished: dict[int, list[Answered]] = {}

    def note(self, one: Answered) -> None:
        """Note that an arm was asked for a request; in the thread that finished it."""
        told = self._finished.get(id(one.request))
        if told is not None:
            told.append(one)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked: ChatBody | None = None
        finished: list[Answered] = []
        try:
            asked = await self._asked(Headers(scope=scope), receive)
            # By identity: it is this very object that is reported, and that lives until then.
            self._finished[id(asked.request)] = finished
            with self._slot():
                async with self._live.lease() as serving, cancelled_when_gone(receive):
                    answer = self._stream if asked.stream else self._whole
                    await answer(serving.client, asked, scope, receive, send)
        except ClientGone:
            if asked is None:  # else it is an answer that was cancelled
                self._metrics.refuse("client_gone")
        except Exception as exc:
            error = api_error_of(exc)
            if not finished:
                self._metrics.refuse(error.code or "invalid_request")
            if error.status >= 500:
                _log.warning("answered %d: %s", error.status, _named(exc))
            await error_answer(error)(scope, receive, send)
        finally:
            if asked is not None:
                del self._finished[id(asked.request)]

    async def _asked(self, headers: Headers, receive: Receive) -> ChatBody:
        options = self._options
        body = await read_body(
            receive, headers, limit=options.max_body_bytes, timeout_s=options.body_timeout_s
        )
        return chat_body(
            json_object(body, headers), headers, max_answer_tokens=options.max_answer_tokens
        )

    @contextmanager
    def _slot(self) -> Iterator[None]:
        most = self._options.max_requests
        if self._under_way >= most:
            raise ApiError(
                429,
                f"{most} requests are under way, as many as this server takes; try again soon",
                type="rate_limit_error",
                code="too_many_requests",
                headers={"retry-after": "1"},
            )
        self._under_way += 1
        self._metrics.in_flight.inc()
        try:
            yield
        finally:
            self._under_way -= 1
            self._metrics.in_flight.dec()

    async def _whole(
        self,
        client: AsyncHybridClient,
        asked: ChatBody,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        answer = await client.answer(
            asked.request, setting=asked.setting, mode=asked.mode, session=asked.session
        )
        headers = decision_headers(answer.hybridroute)
        await bytes_answer(completion_bytes(answer), headers=headers)(scope, receive, send)

    async def _stream(
        self,
        client: AsyncHybridClient,
        asked: ChatBody,
        scope: Scope,  # noqa: ARG002 (the same as of _whole)
        receive: Receive,  # noqa: ARG002
        send: Send,
    ) -> None:
        writer = StreamWriter(send, include_usage=asked.include_usage)
        async with await client.begin(
            asked.request, setting=asked.setting, mode=asked.mode, session=asked.session
        ) as stream:
            first = await anext(stream)  # an arm that fails before its first token is an error
            await writer.begin(stream.decision)
            await writer.write(first)
            await writer.write_all(stream)


def _named(error: Exception) -> str:
    """An error for the log. One that is not ours may quote what it worked on: only its place."""
    if isinstance(error, ApiError) or type(error).__module__.startswith("hybridroute."):
        return f"{type(error).__name__}: {error}"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
    return f"{type(error).__name__}{where}"

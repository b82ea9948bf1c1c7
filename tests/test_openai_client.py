"""The official ``openai`` client, sync and async, and curl, against the server over fakes."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from sdk_fakes import CLOUD_MODEL, answer, chunk, edge_arm
from server_run import ServerRun, serving

from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    Completion,
    CompletionChunk,
    Usage,
)
from hybridroute.edge_runtime.errors import StreamInterrupted
from hybridroute.edge_runtime.protocols import Capabilities

openai = pytest.importorskip("openai")

KEY = "k" * 32
EASY = [{"role": "user", "content": "0.95 easy"}]
HARD = [{"role": "user", "content": "0.05 hard"}]
CALL = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
COUNTS = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


class Worker(type(edge_arm())):
    """Calls the tool it is given; counts tokens."""

    def complete(self, request: ChatRequest) -> Completion:
        called = (CALL,) if request.tools else None
        message = AnswerMessage(content=None if called else self.name, tool_calls=called)
        reason = "tool_calls" if called else "stop"
        choices = tuple(
            Choice(index=at, message=message, finish_reason=reason) for at in range(request.n)
        )
        return Completion(id="c", created=1, model=self.model, choices=choices, usage=COUNTS)

    def stream(self, request: ChatRequest) -> Any:
        last = CompletionChunk(id="s", created=1, model=self.model, choices=(), usage=COUNTS)
        self.script = [*answer("one ", "two"), last]
        return super().stream(request)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerRun]:
    edge = edge_arm(capabilities=Capabilities(json_mode=True))
    arms = {"edge": edge, "cloud": Worker("cloud", CLOUD_MODEL, "cloud")}
    with ServerRun(serving(**arms), key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: ServerRun) -> Iterator[Any]:
    with openai.OpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0) as made:
        yield made


def test_a_whole_answer(client: Any) -> None:
    answered = client.chat.completions.create(model="hybridroute", messages=HARD, n=2, seed=1)
    assert (answered.model, len(answered.choices)) == (CLOUD_MODEL, 2)
    assert answered.choices[0].message.content == "cloud"
    assert answered.usage.total_tokens == 5
    assert answered.hybridroute["arm"] == "cloud"


def test_the_headers(client: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=EASY)
    assert raw.headers["x-hybridroute-arm"] == "edge"
    assert raw.parse().choices[0].message.content == "edge"


@pytest.mark.parametrize(
    "said",
    [
        {"extra_body": {"dial": 1.0}},
        {"extra_body": {"mode": "only_in_cloud"}},
        {"extra_headers": {"x-hybridroute-dial": "1"}},
        {"model": "hybridroute:1"},
    ],
)
def test_the_dial_of_one_request(client: Any, said: dict[str, Any]) -> None:
    middling = [{"role": "user", "content": "0.6 middling"}]
    plain = client.chat.completions.create(model="hybridroute", messages=middling)
    turned = client.chat.completions.create(
        **{"model": "hybridroute", "messages": middling, **said}
    )
    assert (plain.hybridroute["arm"], turned.hybridroute["arm"]) == ("edge", "cloud")


def test_a_stream(client: Any) -> None:
    with client.chat.completions.create(
        model="hybridroute", messages=HARD, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert "".join(c.delta.content or "" for one in chunks for c in one.choices) == "one two"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 5)
    assert {one.hybridroute["arm"] for one in chunks} == {"cloud"}


def test_tools_go_where_they_can_be_called(client: Any) -> None:
    answered = client.chat.completions.create(model="hybridroute", messages=EASY, tools=[TOOL])
    (call,) = answered.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert answered.choices[0].finish_reason == "tool_calls"
    assert answered.hybridroute["left_out"] == {"edge": "it takes no tools"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    asked = [*EASY, answered.choices[0].message.model_dump(exclude_none=True), result]
    after = client.chat.completions.create(model="hybridroute", messages=asked)
    assert after.hybridroute["arm"] == "cloud"
    assert after.hybridroute["continues"] == "tool_loop"


def test_a_response_format(client: Any) -> None:
    wanted = {"type": "json_object"}
    answered = client.chat.completions.create(
        model="hybridroute", messages=EASY, response_format=wanted
    )
    assert answered.hybridroute["arm"] == "edge"


def test_errors_are_the_clients_own(client: Any, server: ServerRun) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.BadRequestError) as wrong:
        create(model="hybridroute", messages=EASY, temperature=5)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.NotFoundError) as missing:
        create(model="gpt-4o", messages=EASY)
    assert missing.value.code == "model_not_found"
    with (
        openai.OpenAI(base_url=server.url + "/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_an_error_in_the_middle_of_a_stream() -> None:
    script = [chunk(role="assistant"), chunk("one "), StreamInterrupted("cut", arm="edge")]
    with (
        ServerRun(serving(edge=edge_arm(script=script))) as server,
        openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model="auto", messages=EASY, stream=True)
        seen = []
        with pytest.raises(openai.APIError, match="cut"):
            seen.extend(iter(stream))


def test_models(client: Any) -> None:
    assert [one.id for one in client.models.list()] == ["hybridroute"]
    assert client.models.retrieve("hybridroute").owned_by == "hybridroute"


def test_the_asynchronous_client(server: ServerRun) -> None:
    async def talk() -> tuple[Any, list[Any], str]:
        async with openai.AsyncOpenAI(
            base_url=server.url + "/v1", api_key=KEY, max_retries=0
        ) as client:
            create = client.chat.completions.create
            whole = await create(model="hybridroute", messages=HARD)
            stream = await create(model="hybridroute", messages=HARD, stream=True)
            chunks = [one async for one in stream]
            many = [create(model="hybridroute", messages=HARD, stream=True) for _ in range(8)]
            for stream in await asyncio.gather(*many):
                await stream.close()
            try:
                await create(model="hybridroute", messages=HARD, extra_body={"dial": 3})
            except openai.BadRequestError as exc:
                return whole, chunks, exc.param or ""
        raise AssertionError("a dial of 3 was taken")

    whole, chunks, param = asyncio.run(talk())
    assert whole.choices[0].message.content == "cloud"
    assert "".join(c.delta.content or "" for one in chunks for c in one.choices) == "one two"
    assert param == "dial"


def _curl(server: ServerRun, *arguments: str, body: Any = None) -> str:
    given = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    key = ["-H", f"Authorization: Bearer {KEY}"]
    done = subprocess.run(
        ["curl", "-sS", *key, *arguments[1:], *given, server.url + arguments[0]],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(server: ServerRun) -> None:
    chat = "/v1/chat/completions"
    whole = json.loads(_curl(server, chat, body={"messages": HARD}))
    assert whole["choices"][0]["message"]["content"] == "cloud"
    streamed = _curl(server, chat, "-N", body={"messages": HARD, "stream": True})
    assert streamed.startswith("data: {")
    assert streamed.endswith("data: [DONE]\n\n")
    headers = _curl(server, chat, "-D", "-", "-o", "/dev/null", body={"messages": EASY})
    assert "x-hybridroute-arm: edge" in headers
    broken = json.loads(_curl(server, chat, "-H", "Content-Type: application/json", "-d", "{"))
    assert broken["error"]["type"] == "invalid_request_error"
    turned = json.loads(_curl(server, "/v1/hybridroute/dial", "-X", "PUT", body={"dial": 0.5}))
    assert turned["dial"] == 0.5

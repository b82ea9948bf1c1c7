"""CallableArm: a function as an arm."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sdk_fakes import bundle, cloud_arm, contents, user

from hybridroute.callable_arm import CallableArm
from hybridroute.client import HybridClient
from hybridroute.edge_runtime.chat import ChatRequest, text_of
from hybridroute.edge_runtime.errors import ArmError, ConfigError
from hybridroute.edge_runtime.protocols import Arm


def ask(text: str, n: int = 1) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), n=n)


def echo(request: ChatRequest) -> str:
    return text_of(request.messages[-1]).upper()


def words(request: ChatRequest) -> Iterator[str]:
    yield from text_of(request.messages[-1]).split()


def test_text_is_an_answer_and_pieces_are_one_too() -> None:
    arm = CallableArm("tool", echo, place="device")
    assert isinstance(arm, Arm)
    assert arm.model == "tool"
    assert arm.complete(ask("hi")).choices[0].message.content == "HI"
    pieces = CallableArm("tool", words, place="device")
    assert pieces.complete(ask("a b")).choices[0].message.content == "ab"
    chunks = list(pieces.stream(ask("a b")))
    assert contents(chunks) == ["a", "b"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_n_answers() -> None:
    arm = CallableArm("tool", echo, place="device")
    assert [one.index for one in arm.complete(ask("x", n=2)).choices] == [0, 1]
    ends = [c.choices[0] for c in arm.stream(ask("x", n=2)) if c.choices[0].finish_reason]
    assert [end.index for end in ends] == [0, 1]


def test_a_closed_stream_asks_for_no_more() -> None:
    asked = []

    def slowly(request: ChatRequest) -> Iterator[str]:
        try:
            for word in ("a", "b", "c"):
                asked.append(word)
                yield word
        finally:
            asked.append("ended")

    stream = CallableArm("tool", slowly, place="device").stream(ask("x"))
    next(stream)
    stream.close()
    assert asked == ["a", "ended"]
    assert list(stream) == []
    assert asked == ["a", "ended"]


def test_closing_while_the_function_is_at_work_ends_it_at_its_next_piece() -> None:
    at_work, held, ended = threading.Event(), threading.Event(), threading.Event()

    def slowly(request: ChatRequest) -> Iterator[str]:
        try:
            at_work.set()
            assert held.wait(10)
            yield "a"
            yield "b"
        finally:
            ended.set()

    stream = CallableArm("tool", slowly, place="device").stream(ask("x"))
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    assert at_work.wait(10)
    stream.close()
    assert not ended.is_set()
    held.set()
    reader.join(10)
    assert ended.is_set()


def test_what_the_function_raises_is_the_arms_failure_without_its_words() -> None:
    def broken(_: ChatRequest) -> str:
        raise ValueError("a secret prompt")

    arm = CallableArm("tool", broken, place="device")
    with pytest.raises(ArmError, match="arm 'tool' failed: ValueError") as caught:
        arm.complete(ask("x"))
    assert "secret" not in str(caught.value)
    with pytest.raises(ArmError):
        list(arm.stream(ask("x")))
    with pytest.raises(ArmError, match="gave a int"):
        CallableArm("tool", lambda _: [1], place="device").complete(ask("x"))


def test_another_arm_takes_over() -> None:
    def away(_: ChatRequest) -> str:
        raise ConnectionError("nobody is there")

    person = CallableArm("edge", away, model="small-1", place="device")
    with HybridClient(bundle(), edge=person, cloud=cloud_arm(), threshold=0.0) as client:
        answer = client.chat.completions.create(messages=user("0.9 x"))
    assert answer.hybridroute.fallback_from == "edge"
    assert answer.choices[0].message.content == "cloud"


def test_wrong_arguments() -> None:
    for name in ("", " ", None, 3):
        with pytest.raises(ConfigError, match="give the arm's name as the bundle has it"):
            CallableArm(name, str, place="cloud")
    with pytest.raises(ConfigError, match="give a function"):
        CallableArm("tool", "text", place="device")
    with pytest.raises(ConfigError, match="place is 'here'"):
        CallableArm("tool", echo, place="here")

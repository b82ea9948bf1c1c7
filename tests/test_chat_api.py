"""chat.completions.create: OpenAI's parameters become one checked request."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from sdk_fakes import user

from hybridroute.chat_api import Chat, Completions
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ConfigError, RequestError
from hybridroute.openai_fields import REFUSED, SENT_ON
from hybridroute.setting import Setting

HELLO = user("hello")


class _Recorder:
    """An Answerer that keeps what it was asked."""

    def answer(self, request: ChatRequest, **asked: Any) -> Any:
        self.request, self.asked, self.how = request, asked, "whole"

    def begin(self, request: ChatRequest, **asked: Any) -> Any:
        self.request, self.asked, self.how = request, asked, "stream"


def _create(**given: Any) -> _Recorder:
    recorder = _Recorder()
    Chat(recorder).completions.create(**{"messages": HELLO, **given})
    return recorder


def test_stream_is_true_or_false_and_nothing_else() -> None:
    assert _create(stream=True).how == "stream"
    assert _create(stream=False).how == "whole"
    assert _create(stream=None).how == "whole"
    with pytest.raises(RequestError, match="stream is 'yes'; give True or False"):
        _create(stream="yes")


def test_messages_alone() -> None:
    seen = _create()
    assert seen.request == ChatRequest(messages=tuple(HELLO))
    assert seen.asked == {"setting": None, "mode": None, "session": None}
    assert seen.how == "whole"


def test_every_parameter_arrives() -> None:
    seen = _create(
        model="auto",
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=["a", "b"],
        n=2,
        tools=[{"type": "function"}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"user": "u"},
        dial=0.7,
        mode="only_in_cloud",
        session="s-1",
    )
    assert seen.how == "stream"
    asked = {"setting": Setting(dial=0.7), "mode": "only_in_cloud", "session": "s-1"}
    assert seen.asked == asked
    assert seen.request == ChatRequest(
        messages=tuple(HELLO),
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=("a", "b"),
        n=2,
        tools=({"type": "function"},),
        tool_choice="auto",
        response_format={"type": "json_object"},
        presence_penalty=0.1,
        frequency_penalty=0.2,
        extra={"user": "u", "stream_options": {"include_usage": True}},
    )


def test_stop_may_be_one_string() -> None:
    assert _create(stop="END").request.stop == ("END",)


def test_the_model_is_the_router_s_to_pick() -> None:
    _create(model="hybridroute")
    with pytest.raises(ConfigError, match=r"model is 'gpt-4o'.*router picks"):
        _create(model="gpt-4o")


@pytest.mark.parametrize("name", ["response_format", "stream_options", "extra_body"])
def test_mappings_are_mappings(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name} is a str"):
        _create(**{name: "json_object"})


def test_one_setting_only() -> None:
    with pytest.raises(ConfigError, match="dial and threshold"):
        _create(dial=0.5, threshold=0.5)


def test_messages_may_be_a_generator() -> None:
    assert _create(messages=(one for one in HELLO)).request.messages == tuple(HELLO)


SENT: dict[str, Any] = {
    "logit_bias": {"5": -100},
    "metadata": {"team": "a"},
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "safety_identifier": "s",
    "service_tier": "flex",
    "store": False,
    "user": "u",
    "verbosity": "low",
    "web_search_options": {},
}


def test_what_nothing_here_reads_is_sent_on() -> None:
    assert set(SENT) == set(SENT_ON)
    assert _create(**SENT).request.extra == SENT
    assert _create(**dict.fromkeys(SENT)).request.extra == {}
    assert _create(user="u", extra_body={"user": "v"}).request.extra == {"user": "v"}


@pytest.mark.parametrize("name", sorted(SENT))
def test_what_is_sent_on_is_of_its_kind(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name} is a float; give"):
        _create(**{name: 1.5})


@pytest.mark.parametrize(
    ("given", "what_to_do"),
    [
        ({"logprobs": True}, "its own client"),
        ({"top_logprobs": 3}, "its own client"),
        ({"moderation": {"model": "m"}}, "its own client"),
        ({"functions": [{"name": "f"}]}, "give tools"),
        ({"function_call": "auto"}, "give tool_choice"),
        ({"audio": {"voice": "v"}}, "answers here are text"),
        ({"modalities": ["text", "audio"]}, "answers here are text"),
        ({"extra_headers": {"x": "y"}}, r"CloudSettings\(headers="),
        ({"extra_query": {"x": "y"}}, "give body fields as extra_body"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_what_to_do(
    given: dict[str, Any], what_to_do: str
) -> None:
    (name,) = given
    with pytest.raises(RequestError, match=f"^{name} is given.*{what_to_do}"):
        _create(**given)


def test_what_asks_for_nothing_is_not_refused() -> None:
    asked = _create(logprobs=False, top_logprobs=None, modalities=["text"], extra_headers={})
    assert asked.request == ChatRequest(messages=tuple(HELLO))


def test_no_parameter_of_openai_s_is_unknown() -> None:
    ours = set(inspect.signature(Completions.create).parameters)
    assert set(SENT_ON) | set(REFUSED) < ours
    openai = pytest.importorskip("openai.resources.chat.completions")
    theirs = set(inspect.signature(openai.Completions.create).parameters)
    assert theirs - ours == set()


def test_a_time_limit_is_seconds() -> None:
    assert _create(timeout=2).request.timeout_s == 2
    for wrong in (0, -1, math.inf, math.nan, "5", True, object()):
        with pytest.raises(RequestError, match="timeout is"):
            _create(timeout=wrong)


def test_what_nobody_documents_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="best_of"):
        _create(best_of=2)

"""Sessions: a conversation stays on its arm, goes up at once and down slowly; memory is bounded."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sdk_fakes import CLOUD_MODEL, bundle, chunk, cloud_arm, edge_arm, user

from hybridroute import HybridClient, SessionSettings
from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    ChunkChoice,
    Completion,
    CompletionChunk,
    Delta,
)
from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError, RequestError
from hybridroute.edge_runtime.protocols import Capabilities
from hybridroute.sessions import Sessions

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "3"}


def _client(**given: Any) -> HybridClient:
    held = {"edge": edge_arm(), "cloud": cloud_arm(), "threshold": 0.5, **given}
    return HybridClient(bundle(), **held)


def _talk(first: str, *follow_ups: str) -> list[Any]:
    """A conversation whose last message is the newest."""
    messages: list[Any] = user(first)
    for text in follow_ups:
        messages += [{"role": "assistant", "content": "..."}, *user(text)]
    return messages


def _ask(client: HybridClient, messages: Any, session: str | None = "s", **given: Any) -> Any:
    answer = client.chat.completions.create(messages=messages, session=session, **given)
    return answer.hybridroute


@pytest.mark.parametrize(
    "text", ["yes, do it", "commit it", "run the tests", "OK!", "now in French"]
)
def test_a_short_follow_up_stays_in_the_cloud(text: str) -> None:
    """Without the session the new dial would have sent it to the edge."""
    client = _client()
    assert _ask(client, _talk("0.4 hard")).arm == "cloud"
    client.threshold = 0.3
    assert _ask(client, _talk("0.4 hard", text), session=None).arm == "edge"
    decision = _ask(client, _talk("0.4 hard", text))
    assert (decision.arm, decision.reason) == ("cloud", "session_continues")
    assert (decision.continues, decision.score) == ("short_follow_up", None)
    assert "a short follow-up stays" in decision.explain()
    assert decision.to_dict()["continues"] == "short_follow_up"


def test_on_the_edge_only_words_that_ask_nothing_new_stay_unscored() -> None:
    client = _client()
    assert _ask(client, _talk("0.6 easy")).arm == "edge"
    client.threshold = 0.9
    assert _ask(client, _talk("0.6 easy", "yes, do it")).reason == "session_continues"
    decision = _ask(client, _talk("0.6 easy", "prove Fermat's theorem"))
    assert (decision.arm, decision.reason) == ("cloud", "score_below_threshold")


def test_up_at_once_and_down_slowly() -> None:
    client = _client(sessions=SessionSettings(down_after=3))
    long = "and here is a long question of its own, with many words in it"
    arms = [
        _ask(client, _talk(f"{score} {long}")).arm
        for score in (0.9, 0.1, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9)
    ]
    assert arms == ["edge", *["cloud"] * 6, "edge", "edge"]
    held = _ask(client, _talk(f"0.1 {long}")), _ask(client, _talk(f"0.9 {long}"))
    assert held[1].continues == "down_slowly"
    assert held[1].score == 0.9


def test_without_an_id_every_request_stands_alone() -> None:
    client = _client()
    arms = [_ask(client, _talk(f"{score} text"), session=None).arm for score in (0.1, 0.9)]
    assert arms == ["cloud", "edge"]
    assert len(client.sessions) == 0


def test_the_ends_of_the_setting_are_obeyed() -> None:
    client = _client(threshold=1.01)
    assert _ask(client, _talk("0.9 easy")).arm == "cloud"
    client.threshold = 0.0
    assert _ask(client, _talk("0.9 easy", "yes, do it")).arm == "edge"
    client.threshold = 1.01
    assert _ask(client, _talk("0.9 easy", "yes, do it")).arm == "cloud"


def _calls_a_tool(name: str, model: str) -> Any:
    message = AnswerMessage(tool_calls=(CALL,))
    completion = Completion(id="c", created=1, model=model, choices=(Choice(message=message),))

    arm = edge_arm() if name == "edge" else cloud_arm()
    arm.complete = lambda request: completion
    return arm


def _with_result(text: str) -> list[Any]:
    return [*user(text), {"role": "assistant", "tool_calls": [CALL]}, RESULT]


@pytest.mark.parametrize("session", [None, "s"])
def test_a_tool_s_result_goes_back_to_the_arm_that_called_it(session: str | None) -> None:
    client = _client(cloud=_calls_a_tool("cloud", CLOUD_MODEL))
    assert _ask(client, user("0.1 hard"), session).arm == "cloud"
    client.threshold = 0.0
    decision = _ask(client, _with_result("0.1 hard"), session)
    assert (decision.arm, decision.continues) == ("cloud", "tool_loop")
    assert _ask(client, user("0.1 hard"), None).arm == "edge"


def test_a_streamed_tool_call_is_remembered() -> None:
    delta = Delta(tool_calls=({"index": 0, **CALL},))
    piece = CompletionChunk(id="c", created=1, model="m", choices=(ChunkChoice(delta=delta),))
    more = Delta(tool_calls=({"index": 0, "function": {"arguments": "{}"}},))
    rest = CompletionChunk(id="c", created=1, model="m", choices=(ChunkChoice(delta=more),))
    client = _client(cloud=cloud_arm(script=[piece, rest, chunk(finish="tool_calls")]))
    list(client.chat.completions.create(messages=user("0.1 hard"), stream=True))
    client.threshold = 0.0
    assert client.route(_with_result("0.1 hard")).continues == "tool_loop"


def test_a_stranger_s_tool_result_is_routed_as_ever() -> None:
    decision = _ask(_client(), _with_result("0.9 easy"), None)
    assert (decision.arm, decision.reason) == ("edge", "score_at_or_above_threshold")


def test_a_loop_whose_calls_nobody_can_know_is_on_the_session_s_arm() -> None:
    """The application left the calls' ids out."""
    client = _client()
    assert _ask(client, user("0.1 hard")).arm == "cloud"
    call = {key: value for key, value in CALL.items() if key != "id"}
    loop = [*user("0.9 easy"), {"role": "assistant", "tool_calls": [call]}, RESULT]
    assert _ask(client, loop).continues == "tool_loop"
    assert _ask(client, loop, session=None).continues is None
    of_no_call = [*user("0.9 easy"), {"role": "assistant", "content": "..."}, RESULT]
    assert _ask(client, of_no_call).continues == "down_slowly", "no loop: it is scored"


def test_an_arm_that_cannot_serve_any_more_is_no_place_to_stay() -> None:
    client = _client(edge=edge_arm(capabilities=Capabilities(context_tokens=30)))
    assert _ask(client, _talk("0.9 easy")).arm == "edge"
    decision = _ask(client, _talk("0.9 easy " + "word " * 40, "yes"))
    assert (decision.arm, decision.reason) == ("cloud", "only_capable_arm")


def test_the_session_is_on_the_arm_that_answered() -> None:
    cloud = cloud_arm(fails=ArmUnavailable("down", arm="cloud"))
    client = _client(cloud=cloud)
    assert _ask(client, _talk("0.1 hard")).reason == "fallback"
    decision = _ask(client, _talk("0.1 hard", "yes, do it"))
    assert (decision.arm, decision.reason) == ("edge", "session_continues")


def test_looking_changes_nothing() -> None:
    client = _client()
    client.route(_talk("0.1 hard"), session="s")
    assert len(client.sessions) == 0
    _ask(client, _talk("0.1 hard"))
    looked = client.route(_talk("0.1 hard", "yes"), session="s")
    assert (looked.continues, looked.score) == ("short_follow_up", 0.1)


def test_a_mode_comes_before_a_session() -> None:
    client = _client()
    _ask(client, _talk("0.1 hard"))
    decision = _ask(client, _talk("0.1 hard", "yes"), mode="only_on_device")
    assert (decision.arm, decision.reason) == ("edge", "mode_only_on_device")


def test_memory_is_bounded_in_number_and_age() -> None:
    now = [0.0]
    held = Sessions(SessionSettings(max_sessions=2, max_age_s=10.0), clock=lambda: now[0])
    decision = _client().route(user("0.1 hard"))
    request = ChatRequest(messages=tuple(_talk("0.1 hard", "yes")))
    for name in ("a", "b", "a", "c"):
        held.answering(name, decision)
    assert len(held) == 2
    assert held.standing(request, "b") is None, "the longest unused goes first"
    assert held.standing(request, "a") is not None
    now[0] = 9.0
    held.standing(request, "a")
    now[0] = 11.0
    assert held.standing(request, "c") is None
    assert held.standing(request, "a") is not None, "use keeps it"
    held.forget("a")
    held.forget("a")
    assert len(held) == 0
    for number in range(5):
        held.called([{"id": str(number), "function": {"name": "f"}}], "cloud")
    assert len(held._calls) == 2


def test_many_threads_share_the_memory() -> None:
    held = Sessions(SessionSettings(max_sessions=50))
    decision = _client().route(user("0.1 hard"))
    request = ChatRequest(messages=tuple(user("0.1 hard")))
    failed: list[Exception] = []

    def work(seed: int) -> None:
        try:
            for number in range(300):
                held.answering(str((seed * 7 + number) % 90), decision)
                held.standing(request, str(number % 90))
        except Exception as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(held) <= 50


def test_wrong_values() -> None:
    for wrong in ("", 7, "x" * 257):
        with pytest.raises(RequestError, match="session is a"):
            _ask(_client(), user("0.5"), wrong)  # type: ignore[arg-type]
    for name in ("max_sessions", "down_after", "short_words"):
        with pytest.raises(ConfigError, match=name):
            SessionSettings(**{name: -1})
    with pytest.raises(ConfigError, match="max_age_s"):
        SessionSettings(max_age_s=0.0)

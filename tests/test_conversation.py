"""A conversation: what a follow-up is asked with, what stays after a stop or a failure."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_fakes import answer, bundle, chunk, cloud_arm, edge_arm

from hybridroute import HybridClient
from hybridroute.cli.conversation import Conversation, Limits
from hybridroute.edge_runtime.errors import ArmUnavailable


def talk_with(edge: Any, cloud: Any = None, **given: Any) -> Conversation:
    client = HybridClient(bundle(), edge=edge, cloud=cloud, threshold=0.5)
    return Conversation(client, **{"system": None, "limits": Limits(), **given})


def nothing(*_: object) -> None:
    """Shows nothing."""


def test_a_follow_up_is_asked_with_all_that_was_said() -> None:
    edge = edge_arm(script=answer("one", " two"))
    talk = talk_with(edge, system="Be brief.", limits=Limits(max_tokens=9, temperature=0.0, seed=1))
    shown: list[str] = []
    turn = talk.ask("0.9 first", lambda decision, piece: shown.append(decision.arm + piece))
    assert (turn.text, turn.stopped, turn.decision.arm) == ("one two", False, "edge")
    assert shown == ["edge", "edgeone", "edge two", "edge"]
    talk.ask("0.8 second", nothing)
    assert [(m["role"], m["content"]) for m in edge.requests[1].messages] == [
        ("system", "Be brief."),
        ("user", "0.9 first"),
        ("assistant", "one two"),
        ("user", "0.8 second"),
    ]
    asked = edge.requests[0]
    assert (asked.max_tokens, asked.temperature, asked.seed) == (9, 0.0, 1)


def test_the_users_turns_alone_are_scored() -> None:
    edge = edge_arm(script=answer("0.1 answer"))
    client = HybridClient(bundle(), edge=edge, cloud=cloud_arm(), threshold=0.5)
    talk = Conversation(client, system="0.2 system", limits=Limits())
    assert talk.ask("0.9 first", nothing).decision.score == 0.9
    assert talk.ask("0.1 second", nothing).decision.score == 0.9


def test_forgetting_keeps_the_system_message_and_the_turns() -> None:
    talk = talk_with(edge_arm(), system="Be brief.")
    talk.ask("0.9 hello", nothing)
    talk.forget()
    assert talk.messages == ({"role": "system", "content": "Be brief."},)
    assert len(talk.turns) == 1


def test_ctrl_c_stops_the_answer_and_keeps_what_came() -> None:
    edge = edge_arm(script=answer("one", "two"))
    talk = talk_with(edge)

    def stop(_: object, piece: str) -> None:
        if piece == "one":
            raise KeyboardInterrupt

    turn = talk.ask("0.9 first", stop)
    assert (turn.stopped, turn.text) == (True, "one")
    assert edge.streams[0].closed
    assert talk.messages[-1] == {"role": "assistant", "content": "one"}


def test_an_answer_stopped_before_its_first_word_leaves_nothing() -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    talk = talk_with(edge_arm(on_call=stop))
    assert talk.ask("0.9 first", nothing).stopped
    assert talk.messages == ()


def test_a_question_that_failed_does_not_stay() -> None:
    broken = edge_arm(script=[chunk("on"), ArmUnavailable("gone", arm="edge")])
    talk = talk_with(broken)
    with pytest.raises(ArmUnavailable):
        talk.ask("0.9 first", nothing)
    assert (talk.messages, talk.turns) == ((), [])

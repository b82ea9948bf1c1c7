"""Responses: OpenAI's shapes with the Decision under one more key."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from dataclasses import replace

from sdk_fakes import chunk, cloud_arm, edge_arm, manifest, user

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Completion, Usage
from hybridroute.responses import ChatCompletion, ChatCompletionChunk
from hybridroute.router import Router
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy


def _decision() -> Decision:
    from sdk_fakes import FakeScorer

    held = manifest()
    arms = (edge_arm(), cloud_arm())
    router = Router(scorer=FakeScorer(), manifest=held, arms=arms)
    active = ThresholdPolicy(held, [arm.model for arm in arms]).activate(Setting(dial=0.5))
    return router.decide(ChatRequest(messages=tuple(user("0.9 easy"))), active)


def _completion() -> Completion:
    return edge_arm().complete(ChatRequest(messages=tuple(user("hi"))))


def test_completion_keeps_the_answer_and_adds_the_decision() -> None:
    decision = _decision()
    usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
    answer = ChatCompletion.of(replace(_completion(), usage=usage), decision)
    body = json.loads(json.dumps(answer.to_dict()))
    assert body.pop("hybridroute") == json.loads(json.dumps(decision.to_dict()))
    assert body == replace(_completion(), usage=usage).to_dict()
    assert body["object"] == "chat.completion"
    assert answer.choices[0].message.content == "edge"


def test_chunk_keeps_the_piece_and_adds_the_decision() -> None:
    decision = _decision()
    body = ChatCompletionChunk.of(chunk("hi"), decision).to_dict()
    assert body.pop("hybridroute")["id"] == decision.id
    assert body == chunk("hi").to_dict()
    assert "usage" not in body


def test_wrapping_again_replaces_the_decision() -> None:
    first = ChatCompletion.of(_completion(), _decision())
    second = _decision()
    assert ChatCompletion.of(first, second).hybridroute is second


def test_an_answer_can_be_copied_and_pickled() -> None:
    answer = ChatCompletion.of(_completion(), _decision())
    assert deepcopy(answer) == answer
    assert pickle.loads(pickle.dumps(answer)) == answer

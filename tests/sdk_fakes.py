"""Tiny stand-ins at the protocols: a scorer, an arm, a stream, a manifest and its bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hybridroute.answer_watch import AnswerWatch
from hybridroute.answered import Listeners
from hybridroute.costs import Costs
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    ChunkChoice,
    Completion,
    CompletionChunk,
    Delta,
    Message,
)
from hybridroute.edge_runtime.errors import ScoringError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import (
    CalibratedArm,
    Calibration,
    DialTable,
    Manifest,
    ScoreQuantiles,
)
from hybridroute.edge_runtime.protocols import Assessment, Capabilities
from hybridroute.routed_text import TEXT_RULE
from hybridroute.sessions import Sessions

EDGE_MODEL, CLOUD_MODEL = "small-1", "large-1"
EVERYTHING = Capabilities(tools=True, json_mode=True, images=True, logit_bias=True, web_search=True)


class FakeScorer:
    """The score is the number in the text ("0.3 easy" scores 0.3), 0.5 without one."""

    score_kind = "label"

    def __init__(self, unknown_share: float = 0.0) -> None:
        self.unknown_share = unknown_share
        self.texts: list[str] = []

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.assess(text).score for text in texts], dtype=np.float32)

    def assess(self, text: str) -> Assessment:
        text.encode("utf-8")  # as a real tokenizer: lone surrogates do not get through
        if "\x00" in text:
            raise ScoringError("NUL")
        self.texts.append(text)
        try:
            score = float(text.split(maxsplit=1)[0])
        except ValueError:
            score = 0.5
        return Assessment(score=score, unknown_share=self.unknown_share, tokens=len(text.split()))


class FakeStream:
    """Chunks from a list; an exception in it is raised at its place."""

    def __init__(self, items: Sequence[CompletionChunk | Exception]) -> None:
        self._items = list(items)
        self.closed = False

    def __iter__(self) -> FakeStream:
        return self

    def __next__(self) -> CompletionChunk:
        if self.closed or not self._items:
            raise StopIteration
        item = self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeArm:
    """Answers with its own name; ``fails`` is raised instead, ``script`` is what it streams."""

    name: str
    model: str
    place: str
    capabilities: Capabilities = EVERYTHING
    fails: Exception | None = None
    script: list[CompletionChunk | Exception] | None = None
    on_call: Callable[[ChatRequest], None] | None = None
    requests: list[ChatRequest] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    warm: bool = False
    closed: bool = False

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(str(message.get("content", "")).split()) for message in messages)

    def complete(self, request: ChatRequest) -> Completion:
        self._called(request)
        return Completion(
            id="c-1",
            created=1,
            model=self.model,
            choices=(Choice(message=AnswerMessage(content=self.name), finish_reason="stop"),),
        )

    def stream(self, request: ChatRequest) -> FakeStream:
        self._called(request)
        opened = FakeStream(self.script if self.script is not None else answer(self.name))
        self.streams.append(opened)
        return opened

    def warm_up(self) -> None:
        self.warm = True

    def close(self) -> None:
        self.closed = True

    def _called(self, request: ChatRequest) -> None:
        self.requests.append(request)
        if self.on_call is not None:
            self.on_call(request)
        if self.fails is not None:
            raise self.fails


def edge_arm(**changes: object) -> FakeArm:
    return FakeArm(**{"name": "edge", "model": EDGE_MODEL, "place": "device", **changes})


def cloud_arm(**changes: object) -> FakeArm:
    return FakeArm(**{"name": "cloud", "model": CLOUD_MODEL, "place": "cloud", **changes})


def chunk(
    content: str | None = None, *, role: str | None = None, finish: str | None = None
) -> CompletionChunk:
    delta = Delta(role=role, content=content)
    choice = ChunkChoice(delta=delta, finish_reason=finish)
    return CompletionChunk(id="s-1", created=1, model="m", choices=(choice,))


def answer(*words: str) -> list[CompletionChunk | Exception]:
    """An answer as OpenAI streams it: the role, the words, the end."""
    return [chunk(role="assistant"), *(chunk(word) for word in words), chunk(finish="stop")]


def contents(chunks: Sequence[CompletionChunk]) -> list[str]:
    """The words of a stream."""
    return [
        choice.delta.content for one in chunks for choice in one.choices if choice.delta.content
    ]


def watch(request: ChatRequest) -> AnswerWatch:
    """A watch of a request without prices, conversation or listeners."""
    return AnswerWatch(
        request, session=None, sessions=Sessions(), costs=Costs(()), listeners=Listeners()
    )


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def dial_table(
    *, edge: float = 0.4, best: float = 0.8, share: float = 0.8, threshold: float = 0.9
) -> DialTable:
    """A straight line: dial d sends d * share to the cloud, by the threshold d * threshold."""
    steps = [i / GRID for i in range(GRID + 1)]
    return DialTable(
        thresholds=tuple(d * threshold for d in steps),
        cloud_share=tuple(d * share for d in steps),
        quality=tuple(edge + d * (best - edge) for d in steps),
    )


def calibration(**changes: object) -> Calibration:
    held = {
        "source": "test rows",
        "n": 500,
        "edge_quality": 0.4,
        "cloud_quality": 0.75,
        "cloud_quality_se": 0.01,
        "best_quality": 0.8,
        "best_gain_se": 0.01,
        "flat": False,
        "dial": dial_table(),
    }
    return Calibration(**{**held, **changes})


def manifest(**changes: object) -> Manifest:
    """Calibrated for the fakes' models; scores spread evenly over [0, 1]."""
    held = {
        "name": "test",
        "created": "2026-01-01",
        "hybridroute_version": "0",
        "score_kind": "label",
        "text_rule": TEXT_RULE,
        "max_tokens": 128,
        "unknown_token_limit": 0.3,
        "arms": (
            CalibratedArm(name="edge", model=EDGE_MODEL),
            CalibratedArm(name="cloud", model=CLOUD_MODEL),
        ),
        "calibration": calibration(),
        "score_quantiles": ScoreQuantiles(
            source="test rows", n=500, values=tuple(i / GRID for i in range(GRID + 1))
        ),
    }
    return Manifest(**{**held, **changes})


class FakeBundle(Bundle):
    """A bundle whose scorer is given, not loaded; ``loads`` counts how often it was asked for."""

    __slots__ = ("asked", "fake", "loads")

    def scorer(self, *, threads: int = 2, spins: bool = True) -> FakeScorer:
        object.__setattr__(self, "loads", self.loads + 1)
        object.__setattr__(self, "asked", {"threads": threads, "spins": spins})
        return self.fake


def bundle(scorer: FakeScorer | None = None, **changes: object) -> FakeBundle:
    made = FakeBundle(Path("nowhere"), manifest(**changes))
    object.__setattr__(made, "fake", scorer or FakeScorer())
    object.__setattr__(made, "loads", 0)
    return made

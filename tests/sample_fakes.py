"""What the tests of sampling share: prompts, an arm that answers with its seed, a plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hybridroute.arm_spec import ArmSpec, parse_arm
from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    Completion,
    Message,
    Usage,
    text_of,
)
from hybridroute.edge_runtime.protocols import Capabilities
from hybridroute.prompt_file import PromptRow
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import DrawSettings, SamplingPlan

ENDPOINT = "cloud=big@http://127.0.0.1:9/v1,key-env="


@dataclass
class SeedArm:
    """Answers with the prompt's text and the seed; ``on_call`` may raise instead."""

    name: str = "edge"
    model: str = "small-1"
    place: str = "device"
    capabilities: Capabilities = field(default_factory=Capabilities)
    on_call: Callable[[ChatRequest], None] | None = None
    usage: Usage | None = field(
        default_factory=lambda: Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15)
    )
    requests: list[ChatRequest] = field(default_factory=list)
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(text_of(message)) for message in messages)

    def complete(self, request: ChatRequest) -> Completion:
        with self.lock:
            self.requests.append(request)
        if self.on_call is not None:
            self.on_call(request)
        text = f"{text_of(request.messages[-1])} {request.seed}"
        choice = Choice(message=AnswerMessage(content=text), finish_reason="stop")
        return Completion(id="c", created=1, model=self.model, choices=(choice,), usage=self.usage)

    def stream(self, request: ChatRequest) -> object:
        raise AssertionError("sampling asks for whole answers")

    def warm_up(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@dataclass
class Watched:
    """A watcher that keeps what it is told; ``after`` responses it raises ``raises``."""

    begun: list[tuple[str, int, int]] = field(default_factory=list)
    seen: list[Response] = field(default_factory=list)
    after: int = 10**9
    raises: type[BaseException] = KeyboardInterrupt

    def begin(self, arm: str, *, left: int, already: int) -> None:
        self.begun.append((arm, left, already))

    def took(self, response: Response) -> None:
        self.seen.append(response)
        if len(self.seen) >= self.after:
            raise self.raises


def plan(
    *arms: str | ArmSpec, prompts: int | dict[str, PromptRow] = 3, n: int = 2, **draw: object
) -> SamplingPlan:
    """Prompts p0, p1, ... and the arms; one edge arm if none is named."""
    specs = [parse_arm(arm) if isinstance(arm, str) else arm for arm in arms or ("edge=small",)]
    rows = prompts if isinstance(prompts, dict) else {f"p{i}": row(i) for i in range(prompts)}
    return SamplingPlan(prompts=rows, arms=specs, draw=DrawSettings(n=n, **draw))


def row(number: int) -> PromptRow:
    return PromptRow(
        where=f"prompts.jsonl, line {number + 1}",
        id=f"p{number}",
        prompt=f"question {number}",
        domain="chat",
        reference=f"answer {number}",
        extra={"check": number},
    )


def response(**changes: object) -> Response:
    held = {
        "id": "p0",
        "prompt": "question 0",
        "arm": "edge",
        "model": "small-1",
        "sample": 0,
        "response": "yes",
        "finish_reason": "stop",
    }
    return Response(**{**held, **changes})


def write_responses(path: Path, *held: Response) -> Path:
    path.write_bytes(b"".join(one.to_line() for one in held))
    return path

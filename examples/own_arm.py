"""An arm of your own: any object with the members of ``hybridroute.Arm``; nothing to inherit.

Here a table of known answers takes the edge's place, and a plain function the cloud's, so that it
runs without any model. An arm around another inference engine looks the same.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

from hybridroute import ArmUnavailable, Capabilities, HybridClient
from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    ChunkChoice,
    Completion,
    CompletionChunk,
    Delta,
    Message,
    text_of,
)
from hybridroute.edge_runtime.protocols import Place

KNOWN = {"what are your opening hours?": "We are open from 9 to 17, Monday to Friday."}


def from_table(question: str) -> str:
    """A known answer; an ArmError makes the client ask the other arm."""
    try:
        return KNOWN[question.strip().lower()]
    except KeyError as exc:
        raise ArmUnavailable("no such question in the table", arm="edge") from exc


def from_afar(question: str) -> str:
    """Stands for a call to whatever you use."""
    return f"A longer answer to {question!r}."


class Words:
    """A stream of chunks, one a word; closing it ends it."""

    def __init__(self, model: str, words: Sequence[str]) -> None:
        self._model, self._id = model, f"chat-{uuid4().hex}"
        self._words = iter(words)

    def __iter__(self) -> Iterator[CompletionChunk]:
        return self

    def __next__(self) -> CompletionChunk:
        choice = ChunkChoice(delta=Delta(content=next(self._words)))
        now = int(time.time())
        return CompletionChunk(id=self._id, created=now, model=self._model, choices=(choice,))

    def close(self) -> None:
        self._words = iter(())


class FunctionArm:
    """Answers with a function of the last message."""

    def __init__(self, name: str, place: Place, answer: Callable[[str], str]) -> None:
        self.name = name
        self.model = answer.__name__
        self.place: Place = place
        self.capabilities = Capabilities()  # plain text: no tools, no JSON mode, no images
        self._answer = answer

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(text_of(message)) // 4 + 1 for message in messages)

    def complete(self, request: ChatRequest) -> Completion:
        text = self._answer(text_of(request.messages[-1]))
        choice = Choice(message=AnswerMessage(content=text), finish_reason="stop")
        name, now = f"chat-{uuid4().hex}", int(time.time())
        return Completion(id=name, created=now, model=self.model, choices=(choice,))

    def stream(self, request: ChatRequest) -> Words:
        text = self._answer(text_of(request.messages[-1]))
        return Words(self.model, [f"{word} " for word in text.split()])

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    edge = FunctionArm("edge", "device", from_table)
    cloud = FunctionArm("cloud", "cloud", from_afar)
    with HybridClient(edge=edge, cloud=cloud, cost_advantage=1.0) as client:
        for question in ("What are your opening hours?", "Why is the sea salty?"):
            answer = client.chat.completions.create(
                messages=[{"role": "user", "content": question}]
            )
            print(f"{question}\n  {answer.choices[0].message.content}")
            print(f"  {answer.hybridroute.explain()}")


if __name__ == "__main__":
    main()

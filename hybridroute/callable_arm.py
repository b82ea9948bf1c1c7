"""Anything that answers as an arm: a tool, a search, a person who takes over."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from uuid import uuid4

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
from hybridroute.edge_runtime.errors import ArmError, ConfigError, HybridRouteError
from hybridroute.edge_runtime.prices import Prices
from hybridroute.edge_runtime.protocols import Capabilities, Place
from hybridroute.edge_runtime.token_estimate import estimated_tokens

Answer = Callable[[ChatRequest], str | Iterable[str]]


class CallableArm:
    """An arm that calls a function.

    Parameters
    ----------
    name : str
        As the bundle knows it.
    answer : callable
        Takes the request and gives the answer, or its pieces as they come. It is called in the
        thread that asks, from several at once. What it raises becomes an ArmError, so that another
        arm may take over.
    model : str or None
        What the bundle was calibrated for; None takes the name.
    place : {"device", "cloud"}
        Where the data goes: a function that uses the network is in the cloud.
    capabilities : Capabilities or None
        None means any length of text, without tools, JSON mode and images.
    prices : Prices or None
        Per million tokens; None means not known.

    Raises
    ------
    ConfigError
        If the name is empty, ``answer`` is no function, or ``place`` is neither.

    Examples
    --------
    >>> arm = CallableArm("clock", lambda request: "It is noon.", place="device")
    >>> arm.complete(ChatRequest(messages=({"role": "user", "content": "?"},))).model
    'clock'
    """

    def __init__(
        self,
        name: str,
        answer: Answer,
        *,
        place: Place,
        model: str | None = None,
        capabilities: Capabilities | None = None,
        prices: Prices | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"name is {name!r}; give the arm's name as the bundle has it")
        if not callable(answer):
            raise ConfigError(f"answer is a {type(answer).__name__}; give a function")
        if place not in ("device", "cloud"):
            raise ConfigError(f"place is {place!r}; use 'device' or 'cloud'")
        self.name = name
        self.model = name if model is None else model
        self.place: Place = place
        self.capabilities = capabilities or Capabilities()
        self.prices = prices
        self._answer = answer

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """An estimate."""
        return estimated_tokens(messages)

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer; ``n`` of them are asked for one after the other.

        Raises
        ------
        ArmError
            What the function raised is its cause.
        """
        texts = ["".join(self._pieces(request)) for _ in range(request.n)]
        return Completion(
            id=_new_id(),
            created=int(time.time()),
            model=self.model,
            choices=tuple(
                Choice(index=at, message=AnswerMessage(content=text), finish_reason="stop")
                for at, text in enumerate(texts)
            ),
        )

    def stream(self, request: ChatRequest) -> PieceStream:
        """The pieces as they come. Raises as ``complete`` does, while it is read."""
        pieces = (self._pieces(request) for _ in range(request.n))
        return PieceStream(self.model, pieces)

    def warm_up(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to free."""

    def _pieces(self, request: ChatRequest) -> Iterator[str]:
        try:
            said = self._answer(request)
            for piece in (said,) if isinstance(said, str) else said:
                if not isinstance(piece, str):
                    raise ArmError(
                        f"the function of arm {self.name!r} gave a {type(piece).__name__}; it must "
                        "give text, or an iterable of texts",
                        arm=self.name,
                    )
                yield piece
        except HybridRouteError:
            raise
        except Exception as exc:  # anyone's function
            raise ArmError(
                f"the function of arm {self.name!r} failed: {type(exc).__name__}", arm=self.name
            ) from exc


class PieceStream:
    """Chunks made of pieces of text; a ChunkStream. Closing it ends the function's generator."""

    def __init__(self, model: str, choices: Iterable[Iterator[str]]) -> None:
        self._model = model
        self._id = _new_id()
        self._created = int(time.time())
        self._chunks = self._all(choices)
        self._closed = False

    def __iter__(self) -> PieceStream:
        return self

    def __next__(self) -> CompletionChunk:
        if self._closed:
            self.close()
            raise StopIteration
        return next(self._chunks)

    def close(self) -> None:
        """Cancel; further chunks never come, and the function's generator is closed.

        Where another thread is in it, that is done when the thread asks for the next chunk.
        """
        self._closed = True
        with suppress(ValueError):  # "generator already executing"
            self._chunks.close()

    def _all(self, choices: Iterable[Iterator[str]]) -> Generator[CompletionChunk, None, None]:
        for index, pieces in enumerate(choices):
            role: str | None = "assistant"
            for piece in pieces:
                yield self._chunk(index, Delta(role=role, content=piece))
                role = None
            yield self._chunk(index, Delta(role=role), finish="stop")

    def _chunk(self, index: int, delta: Delta, finish: str | None = None) -> CompletionChunk:
        return CompletionChunk(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=(ChunkChoice(index=index, delta=delta, finish_reason=finish),),
        )


def _new_id() -> str:
    return f"chatcmpl-{uuid4().hex}"

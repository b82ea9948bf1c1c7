"""A conversation with a client: the turns so far, and what each answer took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybridroute.client import HybridClient
    from hybridroute.decision import Decision, Mode
    from hybridroute.edge_runtime.chat import Message

Show = Callable[["Decision", str], None]
"""Is handed each piece of an answer, with the Decision in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How answers are sampled; None leaves it to the arm."""

    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer.

    Parameters
    ----------
    messages : tuple of Message
        What was asked, with the turns before it.
    decision : Decision
        Who answered, and why.
    text : str
        The answer, as far as it came.
    first_token_ms : float or None
        None where no token came.
    total_ms : float
        To the last token, routing included.
    stopped : bool
        Whether Ctrl-C ended it.
    """

    messages: tuple[Message, ...]
    decision: Decision
    text: str
    first_token_ms: float | None
    total_ms: float
    stopped: bool


class Conversation:
    """The messages of one chat; a follow-up is asked with all that was said before.

    Parameters
    ----------
    client : HybridClient
    system : str or None
        A system message before everything.
    limits : Limits
    """

    def __init__(self, client: HybridClient, *, system: str | None, limits: Limits) -> None:
        self.client = client
        self.mode: Mode | None = None
        """Narrows the client's own mode; None leaves it."""
        self.turns: list[Turn] = []
        """Every answer since the start; :meth:`forget` keeps them."""
        self._system = system
        self._limits = limits
        self._messages: tuple[Message, ...] = ()
        self.forget()

    @property
    def messages(self) -> tuple[Message, ...]:
        """What a follow-up is asked with."""
        return self._messages

    def forget(self) -> None:
        """Begin anew."""
        start: Message = {"role": "system", "content": self._system}
        self._messages = () if self._system is None else (start,)

    def ask(self, text: str, show: Show) -> Turn:
        """Ask, and hand each piece of the answer to ``show``.

        Ctrl-C stops the answer: what came of it stays in the conversation. If the arms fail, the
        question does not stay.

        Raises
        ------
        HybridRouteError
            As ``chat.completions.create``.
        KeyboardInterrupt
            On Ctrl-C before it was decided who answers.
        """
        start = perf_counter()
        asked: tuple[Message, ...] = (*self._messages, {"role": "user", "content": text})
        pieces: list[str] = []
        stopped = False
        stream = self.client.chat.completions.create(
            messages=asked,
            max_tokens=self._limits.max_tokens,
            temperature=self._limits.temperature,
            seed=self._limits.seed,
            mode=self.mode,
            stream=True,
        )
        with stream:
            try:
                for chunk in stream:
                    for choice in chunk.choices:
                        pieces.append(choice.delta.content or "")
                        show(stream.decision, pieces[-1])
            except KeyboardInterrupt:
                stopped = True
        turn = Turn(
            messages=asked,
            decision=stream.decision,
            text="".join(pieces),
            first_token_ms=stream.first_token_ms,
            total_ms=(perf_counter() - start) * 1000.0,
            stopped=stopped,
        )
        self.turns.append(turn)
        if turn.text:
            self._messages = (*asked, {"role": "assistant", "content": turn.text})
        return turn

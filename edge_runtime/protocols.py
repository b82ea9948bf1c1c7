"""The seams: what a scorer, an arm and a llama.cpp engine are.

Anything that has these members fits; nothing needs to inherit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from hybridroute.edge_runtime.chat import ChatRequest, Completion, CompletionChunk, Message
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.stop_signal import StopSignal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Place = Literal["device", "cloud"]
PairKind = Literal["label", "gap"]
"""What a score of two arms is. ``label``: an estimate of the label, a probability. ``gap``: made of
the arms' own qualities, and claims no probability."""
EstimateKind = Literal["quality", "margin", "ordinal"]
"""What a pool's estimates are. ``quality``: the mean of q, tradeable against cost. ``margin``:
comparable by differences alone, such as the log-odds of winning. ``ordinal``: only which arm is
largest means anything."""
ScoreKind = Literal[PairKind, EstimateKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What the router's model says of one text.

    Parameters
    ----------
    score : float or None
        Of two arms, in [0, 1]; high means the edge will do. None for a pool of arms.
    unknown_share : float
        Share of the text's tokens that the tokenizer does not know, in [0, 1].
    tokens : int
        Length of the model's input in tokens, special tokens included, after truncation.
    estimates : tuple of float
        One an arm, higher is better, of the router's kind. Of two arms the score and 0: the cloud
        is what the edge is measured from.
    uncertainties : tuple of float or None
        A standard error for each estimate, where the router knows one.
    """

    score: float | None = None
    unknown_share: float
    tokens: int
    estimates: tuple[float, ...] = ()
    uncertainties: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.score is not None and not self.estimates:
            object.__setattr__(self, "estimates", (self.score, 0.0))


class Scorer(Protocol):
    """Scores texts. Safe to call from several threads."""

    @property
    def score_kind(self) -> ScoreKind:
        """What a score estimates: ``"label"`` or ``"gap"``, or the kind of a pool's estimates."""
        ...

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores of shape (n,) in [0, 1], for n texts; not for a pool."""
        ...

    def assess(self, text: str) -> Assessment:
        """Score one text and say how much of it the tokenizer knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an arm can serve; an arm that cannot serve a request is left out before scoring.

    Parameters
    ----------
    context_tokens : int or None
        Prompt and answer together; None means no limit is known.
    tools, json_mode, images, logit_bias, web_search : bool
        Whether the arm takes tools, a JSON ``response_format``, image parts, and OpenAI's
        ``logit_bias`` and ``web_search_options``.
    """

    context_tokens: int | None = None
    tools: bool = False
    json_mode: bool = False
    images: bool = False
    logit_bias: bool = False
    web_search: bool = False

    def __post_init__(self) -> None:
        if self.context_tokens is not None and self.context_tokens < 1:
            raise ConfigError(f"context_tokens is {self.context_tokens}; give at least 1 or None")


class ChunkStream(Protocol):
    """Chunks of one answer. Closing it, or dropping it, cancels the generation."""

    def __iter__(self) -> Iterator[CompletionChunk]: ...

    def __next__(self) -> CompletionChunk: ...

    def close(self) -> None:
        """Cancel; further chunks never come. Safe to call twice and from another thread."""
        ...


@runtime_checkable
class Arm(Protocol):
    """One way to get an answer: a model with its sampling settings and price."""

    @property
    def name(self) -> str:
        """``"edge"`` or ``"cloud"`` in a two-arm client."""
        ...

    @property
    def model(self) -> str:
        """The model's name, compared with the names the bundle was calibrated for."""
        ...

    @property
    def place(self) -> Place:
        """Where the model runs."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the arm can serve."""
        ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Prompt length in tokens: exact where that is cheap, else an estimate."""
        ...

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. Raises ArmError."""
        ...

    def stream(self, request: ChatRequest) -> ChunkStream:
        """The answer piece by piece. Raises ArmError, here or while it is read."""
        ...

    def warm_up(self) -> None:
        """Load what the first answer needs. Raises ArmError or ConfigError."""
        ...

    def close(self) -> None:
        """Free everything; safe to call twice."""
        ...


@runtime_checkable
class StoppableArm(Protocol):
    """An arm whose calls end when a signal is set. An arm need not be one.

    Without it a whole answer runs to its end, though nobody waits for it any more, and a stream
    ends no earlier than its first chunk.
    """

    def complete_until(self, request: ChatRequest, stop: StopSignal) -> Completion:
        """As ``Arm.complete``; once ``stop`` is set it ends soon, with any answer or ArmError."""
        ...

    def stream_until(self, request: ChatRequest, stop: StopSignal) -> ChunkStream:
        """As ``Arm.stream``; once ``stop`` is set it returns or raises soon."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How a llama.cpp engine is started.

    Parameters
    ----------
    context_tokens : int
        Size of the context window, prompt and answer together.
    threads : int or None
        Generation threads; more threads than free cores is several times slower. None means the
        physical cores but one, at least 1.
    parallel : int
        Answers generated at the same time; engines that cannot, use 1.
    chat_template : str or None
        A Jinja template in place of the model's own.
    reuse_prompt : bool
        Reuse the state of an earlier prompt even where a seed is given. It saves time where one
        prompt is answered many times; the last bits then depend on what was asked before, so a
        seed need not give the same answer again.
    """

    context_tokens: int = 2048
    threads: int | None = None
    parallel: int = 1
    chat_template: str | None = None
    reuse_prompt: bool = False

    def __post_init__(self) -> None:
        for name in ("context_tokens", "threads", "parallel"):
            value = getattr(self, name)
            if name == "threads" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} is {value!r}; give a whole number, at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """How one generation ended."""

    reason: Literal["stop", "length", "cancelled"]
    prompt_tokens: int
    completion_tokens: int


class ChatEngine(Protocol):
    """A loaded GGUF model. One caller at a time, unless ``parallel`` says more."""

    @property
    def engine_name(self) -> str:
        """``"llama-cpp-python"`` or ``"xllamacpp"``."""
        ...

    @property
    def context_tokens(self) -> int:
        """The context window, in tokens."""
        ...

    @property
    def parallel(self) -> int:
        """How many calls of ``generate`` may run at the same time."""
        ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact prompt length in tokens, chat template included."""
        ...

    def generate(self, request: ChatRequest, on_text: Callable[[str], bool]) -> Finish:
        """Generate one answer, handing each piece of text to ``on_text``.

        ``on_text`` returns True to cancel; it is asked between tokens.
        """
        ...

    def close(self) -> None:
        """Free the model; safe to call twice."""
        ...

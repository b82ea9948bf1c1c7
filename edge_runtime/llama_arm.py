"""The edge arm: a GGUF model in this process, answered by worker threads."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from hybridroute.edge_runtime.arm_workers import ArmWorkers, Event, Job
from hybridroute.edge_runtime.chat import ChatRequest, Completion, Message
from hybridroute.edge_runtime.edge_answer import EdgeStream, cancel, whole_answer
from hybridroute.edge_runtime.engines import ENGINE_NAMES, load_engine
from hybridroute.edge_runtime.errors import ArmRefused, ConfigError
from hybridroute.edge_runtime.known_models import REGISTRY
from hybridroute.edge_runtime.model_memory import ModelMemory
from hybridroute.edge_runtime.model_registry import model_name, resolve
from hybridroute.edge_runtime.protocols import Capabilities, ChatEngine, EngineOptions, Place
from hybridroute.edge_runtime.sampling import sampling_of
from hybridroute.edge_runtime.stop_signal import StopSignal
from hybridroute.edge_runtime.token_estimate import estimated_tokens

EngineLoader = Callable[[Path, EngineOptions, str | None], ChatEngine]


class LlamaArm:
    """A model on this device. Making one is cheap: the model is loaded at first use.

    Parameters
    ----------
    model : str or Path
        A name of ``hybridroute models list``, or the path of a GGUF file.
    name : str
        The arm's name.
    engine : str or None
        ``"llama-cpp-python"`` or ``"xllamacpp"``; None takes the first one installed.
    options : EngineOptions or None
        None means ``EngineOptions()``: 2048 tokens of context.
    max_tokens : int or None
        The answer's length where the request gives none; None means until the model ends its
        turn or the context is full.
    stop : tuple of str
        Texts that end an answer, beside those of the request: some templates need them.
    memory : ModelMemory or None
        A limit shared with other arms: the longest unused model goes when another is needed.
    loader : callable
        Loads the engine; another one may be given.

    Raises
    ------
    ConfigError
        If ``engine`` or ``max_tokens`` is out of range.
    """

    def __init__(
        self,
        model: str | Path = "smollm2-135m",
        *,
        name: str = "edge",
        engine: str | None = None,
        options: EngineOptions | None = None,
        max_tokens: int | None = None,
        stop: tuple[str, ...] = (),
        memory: ModelMemory | None = None,
        loader: EngineLoader = load_engine,
    ) -> None:
        if engine is not None and engine not in ENGINE_NAMES:
            raise ConfigError(f"engine is {engine!r}; it must be one of {', '.join(ENGINE_NAMES)}")
        if max_tokens is not None and max_tokens < 1:
            raise ConfigError(f"max_tokens is {max_tokens}; give at least 1, or None")
        entry = REGISTRY.get(str(model))
        self.name = name
        self.model = model_name(model)
        self.place: Place = "device"
        self._source = model
        self._engine_name = engine
        self._options = options or EngineOptions()
        if entry is not None:
            fitting = min(self._options.context_tokens, entry.context_tokens)
            self._options = replace(self._options, context_tokens=fitting)
        self._max_tokens = max_tokens
        self._stop = stop
        self._memory = memory
        self._loader = loader
        self._lock = threading.Lock()
        self._workers: ArmWorkers | None = None
        self._ending: weakref.finalize[..., LlamaArm] | None = None
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """The context size and JSON; no tools and no images."""
        held, workers = self._options.context_tokens, self._workers
        if workers is not None:
            held = min(held, workers.engine.context_tokens)
        return Capabilities(context_tokens=held, json_mode=True)

    @property
    def engine_name(self) -> str | None:
        """The engine's name once it is loaded."""
        return None if self._workers is None else self._workers.engine.engine_name

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Prompt length in tokens: exact once loaded, before that about a quarter of the bytes.

        Raises
        ------
        ArmRefused
            If the loaded model's chat template refuses the messages.
        """
        workers = self._workers
        if workers is not None:
            try:
                return workers.engine.count_tokens(messages)
            except ConfigError:
                # It may have been unloaded since, to make room for another's model.
                if workers is self._workers:
                    raise
        return estimated_tokens(messages)

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer.

        Raises
        ------
        ContextOverflow, ArmRefused, ArmError
            If the prompt is too long, asks for what the arm has not, or the engine fails.
        ModelMissing, EngineMissing, ConfigError
            If the model cannot be loaded, or the arm is closed.
        """
        return self.complete_until(request, StopSignal())

    def complete_until(self, request: ChatRequest, stop: StopSignal) -> Completion:
        """As ``complete``; the signal ends the generation between two tokens."""
        jobs, events = self._submit(request)
        stop.tell(lambda: cancel(jobs, events))
        return whole_answer(jobs, events, model=self.model)

    def stream(self, request: ChatRequest) -> EdgeStream:
        """The answer piece by piece; raises as ``complete`` does, here or while it is read."""
        jobs, events = self._submit(request)
        return EdgeStream(jobs, events, model=self.model, owner=self)

    def stream_until(self, request: ChatRequest, stop: StopSignal) -> EdgeStream:
        """As ``stream``, which returns before anything is generated."""
        jobs, events = self._submit(request)
        stop.tell(lambda: cancel(jobs, events))
        return EdgeStream(jobs, events, model=self.model, owner=self)

    def _submit(self, request: ChatRequest) -> tuple[list[Job], SimpleQueue[tuple[int, Event]]]:
        self._refuse_unsupported(request)
        events: SimpleQueue[tuple[int, Event]] = SimpleQueue()
        jobs = [Job(part, index, events) for index, part in enumerate(self._parts(request))]
        # Between the two the model may have been unloaded to make room for another's.
        while not self._loaded().submit(jobs):
            pass
        return jobs, events

    def _refuse_unsupported(self, request: ChatRequest) -> None:
        for asked, what in (
            (request.tools, "tools"),
            (request.has_images, "images"),
            (request.has_logit_bias, "logit_bias"),
            (request.wants_web_search, "web_search_options"),
        ):
            if asked:
                raise ArmRefused(
                    f"the {self.name} arm takes no {what}; ask an arm that does", arm=self.name
                )

    def _parts(self, request: ChatRequest) -> list[ChatRequest]:
        """One request per answer, with seeds seed + i; the sampling settings are checked here."""
        sampling_of(request)
        limit = self._max_tokens if request.max_tokens is None else request.max_tokens
        seeds = [
            None if request.seed is None else request.seed + number for number in range(request.n)
        ]
        stop = (*request.stop, *self._stop)
        return [replace(request, max_tokens=limit, seed=seed, stop=stop, n=1) for seed in seeds]

    def warm_up(self) -> None:
        """Load the model and read it once, by generating one token. Raises as ``complete``."""
        if self._workers is None or self._closed:
            hello = ChatRequest(messages=({"role": "user", "content": "Hi"},), max_tokens=1)
            self.complete(hello)

    def _loaded(self) -> ArmWorkers:
        with self._lock:
            if self._closed:
                raise ConfigError(f"the {self.name} arm is closed; make a new one")
            if self._memory is not None:
                self._memory.touch(self)
            if self._workers is None:
                engine = self._load()
                count = max(1, min(self._options.parallel, engine.parallel))
                self._workers = ArmWorkers(engine, count=count, arm=self.name)
                # Also ends the threads when the arm is dropped, or the program ends, unclosed.
                self._ending = weakref.finalize(self, self._workers.close)
            return self._workers

    def _load(self) -> ChatEngine:
        path = resolve(self._source).path

        def load() -> ChatEngine:
            return self._loader(path, self._options, self._engine_name)

        if self._memory is None:
            return load()
        return self._memory.load(self, path.stat().st_size, load)

    def unload(self) -> bool:
        """Free the model unless it is answering or being loaded; the next request loads it again.

        Returns
        -------
        bool
            Whether it is free. Never waits for an answer.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._workers is None:
                return True
            if not self._workers.close(if_idle=True):
                return False
            self._workers = None
            if self._ending is not None:
                self._ending.detach()
            return True
        finally:
            self._lock.release()

    def close(self) -> None:
        """Cancel what runs, end the threads and free the model; safe to call twice."""
        with self._lock:
            self._closed = True
            workers = self._workers
        if workers is not None:
            workers.close()
        if self._memory is not None:
            self._memory.freed(self)

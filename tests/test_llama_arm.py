"""The edge arm over a fake engine: queueing, cancelling, crashes, closing."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ConfigError,
    ContextOverflow,
    ModelMissing,
    RequestError,
)
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.protocols import Arm, EngineOptions, Finish, StoppableArm
from hybridroute.edge_runtime.stop_signal import StopSignal

PATIENCE = 20.0


class FakeEngine:
    """Says the last message back a letter at a time; odd messages have odd effects.

    ``hold`` waits for the gate before each letter after the first; ``crash``, ``overflow`` and
    ``exit`` raise.
    """

    engine_name = "fake"
    context_tokens = 256

    def __init__(self, parallel: int = 1) -> None:
        self.parallel = parallel
        self.gate = threading.Event()
        self.requests: list[ChatRequest] = []
        self.letters = 0
        self.running = 0
        self.most_running = 0
        self.closed = 0
        self.cancelled = threading.Event()
        self._lock = threading.Lock()

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return 100 + len(messages)

    def generate(self, request: ChatRequest, on_text: Callable[[str], bool]) -> Finish:
        with self._lock:
            self.requests.append(request)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            return self._generate(str(request.messages[-1]["content"]), request, on_text)
        finally:
            with self._lock:
                self.running -= 1

    def _generate(self, text: str, request: ChatRequest, on_text: Callable[[str], bool]) -> Finish:
        if text == "crash":
            raise ZeroDivisionError("secret prompt")
        if text == "exit":
            raise SystemExit(3)
        if text == "overflow":
            raise ContextOverflow("9 tokens, 8 fit")
        for count, letter in enumerate(text[: request.max_tokens], start=1):
            if count > 1 and text.startswith("hold"):
                while not self.gate.wait(0.01):
                    if on_text(""):
                        self.cancelled.set()
                        return Finish(reason="cancelled", prompt_tokens=7, completion_tokens=count)
            with self._lock:
                self.letters += 1
            if on_text(letter):
                self.cancelled.set()
                return Finish(reason="cancelled", prompt_tokens=7, completion_tokens=count)
        cut = request.max_tokens is not None and len(text) > request.max_tokens
        size = len(text[: request.max_tokens])
        return Finish(reason="length" if cut else "stop", prompt_tokens=7, completion_tokens=size)

    def close(self) -> None:
        self.closed += 1


def ask(text: str, **settings: object) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), **settings)  # type: ignore[arg-type]


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF....")
    return path


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def arm(gguf: Path, engine: FakeEngine) -> Iterator[LlamaArm]:
    made = LlamaArm(gguf, loader=lambda _path, _options, _name: engine)
    yield made
    made.close()


def edge_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("hybridroute-edge")]


def test_making_an_arm_loads_nothing(gguf: Path) -> None:
    def loader(*_: object) -> FakeEngine:
        raise AssertionError("loaded")

    arm = LlamaArm(gguf, loader=loader)
    assert isinstance(arm, Arm)
    assert (arm.name, arm.model, arm.place, arm.engine_name) == ("edge", "tiny", "device", None)
    assert arm.capabilities.context_tokens == 2048
    assert arm.capabilities.json_mode
    assert not arm.capabilities.tools
    assert not arm.capabilities.images
    assert edge_threads() == []
    arm.close()


def test_the_whole_answer(arm: LlamaArm) -> None:
    answer = arm.complete(ask("hello", max_tokens=3)).to_dict()
    assert answer["model"] == "tiny"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "hel"}
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_chunks_carry_role_first_then_reason_and_usage(arm: LlamaArm) -> None:
    chunks = list(arm.stream(ask("abc")))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.content for delta in deltas] == ["a", "b", "c", None]
    assert [delta.role for delta in deltas] == ["assistant", None, None, None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert [chunk.usage is None for chunk in chunks] == [True, True, True, False]
    assert len({chunk.id for chunk in chunks}) == 1


def test_an_empty_answer_is_one_chunk(arm: LlamaArm) -> None:
    (chunk,) = arm.stream(ask(""))
    assert chunk.choices[0].delta.role == "assistant"
    assert chunk.choices[0].finish_reason == "stop"


def test_n_answers_take_seeds_that_follow(arm: LlamaArm, engine: FakeEngine) -> None:
    answer = arm.complete(ask("ab", n=3, seed=5))
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [choice.message.content for choice in answer.choices] == ["ab"] * 3
    assert [request.seed for request in engine.requests] == [5, 6, 7]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6
    assert answer.usage.prompt_tokens == 7


def test_n_answers_stream_with_one_usage(arm: LlamaArm) -> None:
    chunks = list(arm.stream(ask("ab", n=2)))
    ends = [chunk for chunk in chunks if chunk.choices[0].finish_reason]
    assert sorted(chunk.choices[0].index for chunk in ends) == [0, 1]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_arms_max_tokens_is_only_a_default(gguf: Path, engine: FakeEngine) -> None:
    arm = LlamaArm(gguf, max_tokens=2, loader=lambda *_: engine)
    assert arm.complete(ask("hello")).choices[0].message.content == "he"
    assert arm.complete(ask("hello", max_tokens=4)).choices[0].message.content == "hell"
    arm.close()


def test_tokens_are_estimated_then_counted(arm: LlamaArm) -> None:
    messages = ({"role": "user", "content": "é" * 10}, {"role": "user", "content": "\ud800"})
    assert arm.count_tokens(messages) == 3 + (5 + 4) + (1 + 4)
    arm.warm_up()
    assert arm.count_tokens(messages) == 102
    assert arm.capabilities.context_tokens == 256


def test_a_model_unloaded_while_it_counts_leaves_the_estimate(
    gguf: Path, engine: FakeEngine
) -> None:
    arm = LlamaArm(gguf, loader=lambda *_: engine)
    messages = ({"role": "user", "content": "abcd"},)
    arm.warm_up()

    def unloaded(messages: Sequence[Message]) -> int:
        arm.unload()
        raise ConfigError("the engine is closed")

    engine.count_tokens = unloaded  # type: ignore[method-assign]
    assert arm.count_tokens(messages) == 3 + (1 + 4)
    arm.close()


def test_concurrent_callers_queue(arm: LlamaArm, engine: FakeEngine) -> None:
    answers: dict[str, str | None] = {}

    def call(text: str) -> None:
        answers[text] = arm.complete(ask(text)).choices[0].message.content

    texts = [f"text {number}" for number in range(12)]
    callers = [threading.Thread(target=call, args=(text,)) for text in texts]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert answers == {text: text for text in texts}
    assert engine.most_running == 1
    assert len(edge_threads()) == 1


def test_parallel_is_bounded_by_the_engine_and_the_options(gguf: Path) -> None:
    for asked, able, expected in ((4, 2, 2), (2, 4, 2), (3, 1, 1)):
        engine = FakeEngine(parallel=able)
        options = EngineOptions(parallel=asked)
        arm = LlamaArm(gguf, options=options, loader=lambda *_, held=engine: held)
        arm.warm_up()
        assert len(edge_threads()) == expected
        arm.close()


def test_a_reader_that_stops_reading_blocks_nobody(arm: LlamaArm) -> None:
    unread = arm.stream(ask("x" * 5000))
    next(unread)
    assert arm.complete(ask("next")).choices[0].message.content == "next"
    assert sum(len(chunk.choices[0].delta.content or "") for chunk in unread) == 4999


def test_closing_a_stream_cancels(arm: LlamaArm, engine: FakeEngine) -> None:
    stream = arm.stream(ask("hold on"))
    assert next(stream).choices[0].delta.content == "h"
    stream.close()
    stream.close()
    assert engine.cancelled.wait(PATIENCE)
    assert list(stream) == []
    assert arm.complete(ask("ok")).choices[0].message.content == "ok"


def test_dropping_a_stream_cancels(arm: LlamaArm, engine: FakeEngine) -> None:
    stream = arm.stream(ask("hold on"))
    next(stream)
    del stream
    gc.collect()
    assert engine.cancelled.wait(PATIENCE)
    assert engine.letters == 1


def test_closing_a_stream_wakes_its_reader(arm: LlamaArm) -> None:
    stream = arm.stream(ask("hold on"))
    texts: list[str | None] = []
    reader = threading.Thread(
        target=lambda: texts.extend(c.choices[0].delta.content for c in stream)
    )
    reader.start()
    stream.close()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert texts in ([], ["h"])


def test_a_cancelled_job_in_the_queue_never_runs(arm: LlamaArm, engine: FakeEngine) -> None:
    first = arm.stream(ask("hold on"))
    next(first)
    waiting = arm.stream(ask("never"))
    waiting.close()
    engine.gate.set()
    assert arm.complete(ask("last")).choices[0].message.content == "last"
    assert [str(one.messages[-1]["content"]) for one in engine.requests] == ["hold on", "last"]


@pytest.mark.parametrize(("text", "kind"), [("crash", "ZeroDivisionError"), ("exit", "SystemExit")])
def test_a_crash_is_an_arm_error_and_the_arm_lives(arm: LlamaArm, text: str, kind: str) -> None:
    with pytest.raises(ArmError, match=kind) as caught:
        arm.complete(ask(text))
    assert caught.value.arm == "edge"
    assert "secret" not in str(caught.value)
    with pytest.raises(ArmError, match=kind):
        list(arm.stream(ask(text)))
    assert arm.complete(ask("ok")).choices[0].message.content == "ok"


def test_an_engines_own_error_gets_the_arms_name(arm: LlamaArm) -> None:
    with pytest.raises(ContextOverflow) as caught:
        arm.complete(ask("overflow"))
    assert caught.value.arm == "edge"


def test_one_failed_answer_of_several_cancels_the_rest(arm: LlamaArm, engine: FakeEngine) -> None:
    with pytest.raises(ArmError):
        arm.complete(ask("crash", n=3))
    assert arm.complete(ask("ok")).choices[0].message.content == "ok"


def test_close_cancels_what_runs_and_what_waits(arm: LlamaArm, engine: FakeEngine) -> None:
    running, waiting = arm.stream(ask("hold on")), arm.stream(ask("waits"))
    next(running)
    arm.close()
    arm.close()
    for stream in (running, waiting):
        with pytest.raises(ArmError, match="closed while answering"):
            list(stream)
    assert edge_threads() == []
    assert engine.closed == 1


def test_close_frees_a_caller_that_waits(arm: LlamaArm, engine: FakeEngine) -> None:
    errors: list[Exception] = []

    def call() -> None:
        try:
            arm.complete(ask("hold on"))
        except ArmError as exc:
            errors.append(exc)

    caller = threading.Thread(target=call)
    caller.start()
    while engine.letters == 0:
        caller.join(0.005)
    arm.close()
    caller.join(PATIENCE)
    assert len(errors) == 1


@pytest.mark.parametrize("loaded", [False, True])
def test_use_after_close_is_a_config_error(arm: LlamaArm, loaded: bool) -> None:
    if loaded:
        arm.warm_up()
    arm.close()
    for act in (arm.complete, arm.stream):
        with pytest.raises(ConfigError, match="closed"):
            act(ask("hello"))
    with pytest.raises(ConfigError, match="closed"):
        arm.warm_up()


def test_dropping_the_arm_ends_its_threads(gguf: Path, engine: FakeEngine) -> None:
    arm = LlamaArm(gguf, loader=lambda *_: engine)
    arm.warm_up()
    seen = weakref.ref(arm)
    del arm
    gc.collect()
    assert seen() is None
    assert edge_threads() == []
    assert engine.closed == 1


def test_a_stream_keeps_its_arm_alive(gguf: Path, engine: FakeEngine) -> None:
    stream = LlamaArm(gguf, loader=lambda *_: engine).stream(ask("abc"))
    gc.collect()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "abc"


def test_the_engine_is_loaded_once(gguf: Path) -> None:
    loads: list[EngineOptions] = []

    def loader(_path: Path, options: EngineOptions, _name: str | None) -> FakeEngine:
        loads.append(options)
        return FakeEngine()

    arm = LlamaArm(gguf, loader=loader)
    callers = [threading.Thread(target=arm.warm_up) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert len(loads) == 1
    arm.close()


def test_a_failed_load_is_tried_again(gguf: Path, engine: FakeEngine) -> None:
    path = gguf.with_name("later.gguf")
    arm = LlamaArm(path, loader=lambda *_: engine)
    with pytest.raises(ModelMissing):
        arm.complete(ask("hello"))
    gguf.rename(path)
    assert arm.complete(ask("hello")).choices[0].message.content == "hello"
    arm.close()


def test_what_the_arm_cannot_do_is_refused_before_loading(gguf: Path) -> None:
    arm = LlamaArm(gguf.with_name("absent.gguf"))
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    with pytest.raises(ArmRefused, match="no tools"):
        arm.complete(ask("hello", tools=({"type": "function"},)))
    with pytest.raises(ArmRefused, match="no images"):
        arm.stream(ChatRequest(messages=(image,)))
    for name in ("logit_bias", "web_search_options"):
        with pytest.raises(ArmRefused, match=f"no {name}"):
            arm.complete(ask("hello", extra={name: {"5": 1}}))


@pytest.mark.parametrize("penalty", [float("nan"), 3.0, "1", True])
def test_bad_penalties_are_refused(arm: LlamaArm, penalty: object) -> None:
    with pytest.raises(RequestError, match="presence_penalty"):
        arm.complete(ask("hello", presence_penalty=penalty))


def test_bad_settings_are_refused_at_birth(gguf: Path) -> None:
    with pytest.raises(ConfigError, match="engine is 'vllm'"):
        LlamaArm(gguf, engine="vllm")
    with pytest.raises(ConfigError, match="max_tokens is 0"):
        LlamaArm(gguf, max_tokens=0)
    with pytest.raises(ConfigError, match="threads is 0"):
        EngineOptions(threads=0)


def test_a_registered_models_context_is_not_exceeded() -> None:
    arm = LlamaArm("smollm2-135m", options=EngineOptions(context_tokens=100_000))
    assert arm.capabilities.context_tokens == 8192


@pytest.mark.parametrize("text", ["hold on", "waits in the queue"])
def test_a_signal_ends_a_whole_answer(arm: LlamaArm, engine: FakeEngine, text: str) -> None:
    """Also one that waits for its turn: the caller is free at once, and it is never generated."""
    ahead = arm.stream(ask("hold this")) if text.startswith("waits") else None
    stop, raised = StopSignal(), []

    def answer() -> None:
        with pytest.raises(ArmError, match="cancelled"):
            arm.complete_until(ask(text), stop)
        raised.append(True)

    caller = threading.Thread(target=answer)
    caller.start()
    while not engine.letters:
        threading.Event().wait(0.005)
    stop.set()
    caller.join(PATIENCE)
    assert raised == [True]
    if ahead is None:
        assert engine.cancelled.wait(PATIENCE)
    else:
        ahead.close()
    assert arm.complete(ask("next")).choices[0].message.content == "next"
    assert [one.messages[-1]["content"] for one in engine.requests[1:]] == ["next"]


def test_a_signal_ends_a_stream(arm: LlamaArm, engine: FakeEngine) -> None:
    assert isinstance(arm, StoppableArm)
    stop = StopSignal()
    stream = arm.stream_until(ask("hold on"), stop)
    next(stream)
    stop.set()
    assert engine.cancelled.wait(PATIENCE)

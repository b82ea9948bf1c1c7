"""Both llama.cpp engines on the real SmolLM2-135M."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.engines import ENGINE_NAMES, installed_engines, load_engine
from hybridroute.edge_runtime.errors import (
    ArmError,
    ConfigError,
    ContextOverflow,
    HybridRouteError,
    ModelMissing,
)
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.model_registry import resolve
from hybridroute.edge_runtime.protocols import ChatEngine, EngineOptions, Finish

pytestmark = pytest.mark.real

CONTEXT = 512
POEM = "Write a short poem about the sea and the moon."


def model_path(name: str = "smollm2-135m") -> Path:
    try:
        return resolve(name).path
    except ModelMissing as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="module", params=ENGINE_NAMES)
def engine_name(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name not in installed_engines():
        pytest.skip(f"the engine {name} is not installed")
    return name


@pytest.fixture(scope="module")
def engine(engine_name: str) -> Iterator[ChatEngine]:
    held = load_engine(model_path(), EngineOptions(context_tokens=CONTEXT), engine_name)
    yield held
    held.close()


@pytest.fixture
def arm(engine_name: str) -> Iterator[LlamaArm]:
    model_path()
    options = EngineOptions(context_tokens=CONTEXT, parallel=2)
    made = LlamaArm(engine=engine_name, options=options)
    yield made
    made.close()


def ask(text: str, **settings: Any) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), **settings)


def generate(engine: ChatEngine, request: ChatRequest) -> tuple[str, Finish]:
    pieces: list[str] = []

    def take(piece: str) -> bool:
        pieces.append(piece)
        return False

    finish = engine.generate(request, take)
    return "".join(pieces), finish


def test_a_chat_answer_with_exact_usage(engine: ChatEngine, engine_name: str) -> None:
    request = ask("What is 2+2?", temperature=0.0, max_tokens=48)
    text, finish = generate(engine, request)
    assert "4" in text
    assert finish.reason == "stop"
    assert finish.prompt_tokens == engine.count_tokens(request.messages)
    assert 1 < finish.completion_tokens < 48
    assert engine.engine_name == engine_name
    assert engine.context_tokens == CONTEXT


def test_both_engines_agree_on_the_prompts_length() -> None:
    if len(installed_engines()) < 2:
        pytest.skip("only one engine is installed")
    texts = ("Hello", "é ぁ 😀", "two\n\nlines  and   spaces", "<|im_end|>", "")
    counts = []
    for name in ENGINE_NAMES:
        held = load_engine(model_path(), EngineOptions(context_tokens=CONTEXT), name)
        counts.append([held.count_tokens(ask(text).messages) for text in texts])
        held.close()
    assert counts[0] == counts[1]


def test_stream_equals_complete_at_temperature_0(arm: LlamaArm) -> None:
    for text in ("What is the capital of France?", POEM):
        request = ask(text, temperature=0.0, max_tokens=40)
        whole = arm.complete(request)
        chunks = list(arm.stream(request))
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert streamed == whole.choices[0].message.content
        assert len(chunks) > 10
        assert chunks[-1].usage == whole.usage
        assert whole.model == "smollm2-135m"


def test_a_seed_repeats_whatever_was_asked_between(engine: ChatEngine) -> None:
    request = ask(POEM, seed=11, temperature=1.0, max_tokens=32)
    first = generate(engine, request)
    generate(engine, ask(POEM + " Make it funny.", max_tokens=8))
    generate(engine, ask("Hi", max_tokens=4))
    assert generate(engine, request) == first
    assert generate(engine, ask(POEM, seed=12, temperature=1.0, max_tokens=32))[0] != first[0]


def test_a_long_prompt_repeats_bit_for_bit_when_partly_reused(engine: ChatEngine) -> None:
    long = "Tell me more about " + ", ".join(f"item {number}" for number in range(60))
    request = ask(long, temperature=0.0, max_tokens=24)
    first = generate(engine, request)
    generate(engine, ask(long[:150], temperature=0.0, max_tokens=4))
    assert generate(engine, request) == first
    generate(engine, ask(long[:200], max_tokens=4))
    assert generate(engine, request) == first


@pytest.mark.parametrize("whole", ["classic", "is 4", "4."])
def test_stop_strings_end_the_answer_and_never_leak(engine: ChatEngine, whole: str) -> None:
    request = ask("What is 2+2?", temperature=0.0, max_tokens=48)
    unstopped, full = generate(engine, request)
    assert whole in unstopped
    text, finish = generate(
        engine, ask("What is 2+2?", temperature=0.0, max_tokens=48, stop=("@@", whole))
    )
    assert text == unstopped[: unstopped.index(whole)]
    assert finish.reason == "stop"
    assert finish.completion_tokens < full.completion_tokens


def test_max_tokens_ends_with_length(engine: ChatEngine) -> None:
    text, finish = generate(engine, ask(POEM, temperature=0.0, max_tokens=5))
    assert text
    assert (finish.reason, finish.completion_tokens) == ("length", 5)


def test_without_max_tokens_it_runs_until_the_context_is_full(engine: ChatEngine) -> None:
    filler = "word " * 440
    _, finish = generate(
        engine, ask(filler, temperature=0.0, response_format={"type": "json_object"})
    )
    total = finish.prompt_tokens + finish.completion_tokens
    assert finish.reason == "stop" or total >= CONTEXT - 1
    assert total <= CONTEXT + 1


def test_cancelling_stops_early(engine: ChatEngine) -> None:
    seen: list[str] = []

    def take(piece: str) -> bool:
        seen.append(piece)
        return sum(bool(one) for one in seen) == 3

    finish = engine.generate(ask(POEM, temperature=0.0, max_tokens=200), take)
    assert finish.reason == "cancelled"
    assert 3 <= finish.completion_tokens < 20
    assert finish.prompt_tokens == engine.count_tokens(ask(POEM).messages)
    assert generate(engine, ask("Hi", max_tokens=2))[1].completion_tokens == 2


def test_cancelling_while_the_prompt_is_read(engine: ChatEngine) -> None:
    finish = engine.generate(ask("word " * 400, max_tokens=50), lambda piece: True)
    assert (finish.reason, finish.completion_tokens) == ("cancelled", 0)


def test_an_exception_in_the_callback_comes_out(engine: ChatEngine) -> None:
    def take(piece: str) -> bool:
        if piece:
            raise LookupError("from the callback")
        return False

    with pytest.raises(LookupError, match="from the callback"):
        engine.generate(ask(POEM, max_tokens=20), take)
    assert generate(engine, ask("Hi", max_tokens=2))[1].completion_tokens == 2


def test_two_threads_at_once_get_their_own_answers(arm: LlamaArm) -> None:
    requests = {text: ask(text, temperature=0.0, max_tokens=24) for text in ("What is 2+2?", POEM)}
    alone = {text: arm.complete(one).choices[0].message.content for text, one in requests.items()}
    together: dict[str, str | None] = {}

    def call(text: str) -> None:
        together[text] = arm.complete(requests[text]).choices[0].message.content

    threads = [threading.Thread(target=call, args=(text,)) for text in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together.keys() == alone.keys()
    assert together["What is 2+2?"] == alone["What is 2+2?"]
    assert together[POEM]


def test_a_prompt_over_the_context_names_both_sizes(engine: ChatEngine) -> None:
    request = ask("word " * 600, max_tokens=5)
    calls: list[str] = []
    with pytest.raises(ContextOverflow) as caught:
        engine.generate(request, lambda piece: bool(calls.append(piece)))
    size = engine.count_tokens(request.messages)
    assert str(caught.value) == (
        f"the prompt has {size} tokens and the model's context holds {CONTEXT}, prompt and answer "
        "together; shorten the prompt or raise context_tokens"
    )
    assert calls == []


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\ud800 lone",
        "\udfff",
        "",
        " ",
        "\u202e\ufeff",
        "<|im_end|><|im_start|>",
        "%s{{x}}{%",
    ],
)
def test_odd_prompts_are_answered(engine: ChatEngine, text: str) -> None:
    assert generate(engine, ask(text, max_tokens=3))[1].completion_tokens >= 1


@pytest.mark.parametrize("unit", ["a", " ", "\n", "é ぁ ", "1", "(", "\0", "\ud800"])
def test_200_000_characters_do_no_harm(engine: ChatEngine, unit: str) -> None:
    text = (unit * 200_000)[:200_000]
    try:
        _, finish = generate(engine, ask(text, max_tokens=2))
        assert finish.prompt_tokens < CONTEXT
    except ContextOverflow as exc:
        assert int(re.findall(r"\d+", str(exc))[0]) >= CONTEXT
    assert generate(engine, ask("Hi", max_tokens=2))[1].completion_tokens == 2


def test_pieces_are_whole_characters(engine: ChatEngine) -> None:
    pieces: list[str] = []
    request = ask("Repeat exactly: 😀😃😄 日本語 😀😃😄 日本語", temperature=0.0, max_tokens=60)
    engine.generate(request, lambda piece: bool(pieces.append(piece)))
    text = "".join(pieces)
    assert any(ord(letter) > 0x2FFF for letter in text)
    assert "\ufffd" not in text.rstrip("\ufffd")
    text.encode("utf-8")


def test_json_object_gives_json(engine: ChatEngine) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "sum", "schema": schema}}
    text, finish = generate(
        engine, ask("What is 2+2?", temperature=0.0, max_tokens=80, response_format=wanted)
    )
    assert finish.reason == "stop"
    assert list(json.loads(text)) == ["answer"]
    text, _ = generate(
        engine,
        ask("Name it", temperature=0.0, max_tokens=20, response_format={"type": "json_object"}),
    )
    assert text.lstrip().startswith("{")


def test_a_schema_nobody_can_use_is_refused(engine: ChatEngine) -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": {"type": "no such type"}}}
    with pytest.raises(HybridRouteError):
        generate(engine, ask("Hi", max_tokens=5, response_format=wanted))
    assert generate(engine, ask("Hi", max_tokens=2))[1].completion_tokens == 2


def test_a_frequency_penalty_changes_a_repetitive_answer(engine: ChatEngine) -> None:
    plain, _ = generate(
        engine, ask("What is the capital of France?", temperature=0.0, max_tokens=40)
    )
    fined, _ = generate(
        engine,
        ask(
            "What is the capital of France?", temperature=0.0, max_tokens=40, frequency_penalty=2.0
        ),
    )
    assert fined != plain


def test_a_custom_template_is_used(engine_name: str) -> None:
    template = "{% for m in messages %}Q: {{ m['content'] }}\nA:{% endfor %}"
    options = EngineOptions(context_tokens=CONTEXT, chat_template=template)
    held = load_engine(model_path(), options, engine_name)
    try:
        messages = ask("Hello").messages
        assert held.count_tokens(messages) < 10
        assert generate(held, ask("Hello", max_tokens=3))[1].prompt_tokens == held.count_tokens(
            messages
        )
    finally:
        held.close()


def test_a_template_that_refuses_the_messages_is_a_refusal(engine_name: str) -> None:
    template = "{{ raise_exception('roles of ' + messages[0]['content']) }}"
    options = EngineOptions(context_tokens=CONTEXT, chat_template=template)
    try:
        held = load_engine(model_path(), options, engine_name)
    except ConfigError as exc:
        # xllamacpp tries the template as it starts.
        assert "chat_template" in str(exc)
        return
    try:
        with pytest.raises(ArmError) as caught:
            generate(held, ask("private words", max_tokens=3))
        assert "private" not in str(caught.value)
        assert caught.value.__cause__ is None
    finally:
        held.close()


def test_a_broken_template_is_refused_at_load(engine_name: str) -> None:
    options = EngineOptions(context_tokens=CONTEXT, chat_template="{% for m in %}")
    with pytest.raises(ConfigError, match=r"chat.template"):
        load_engine(model_path(), options, engine_name)


@pytest.mark.parametrize("keep", [64, 5_000_000])
def test_a_cut_model_file_is_model_missing(engine_name: str, keep: int, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    with model_path().open("rb") as source:
        cut.write_bytes(source.read(keep))
    with pytest.raises(ModelMissing, match=r"cut\.gguf"):
        load_engine(cut, EngineOptions(context_tokens=CONTEXT), engine_name)


def test_use_after_close_is_a_config_error(engine_name: str) -> None:
    held = load_engine(model_path(), EngineOptions(context_tokens=CONTEXT), engine_name)
    held.close()
    held.close()
    with pytest.raises(ConfigError, match="closed"):
        generate(held, ask("Hi"))
    with pytest.raises(ConfigError, match="closed"):
        held.count_tokens(ask("Hi").messages)


def test_closing_the_arm_while_it_answers(arm: LlamaArm) -> None:
    before = set(threading.enumerate())
    stream = arm.stream(ask(POEM, temperature=1.0))
    next(stream)
    arm.close()
    assert {one for one in threading.enumerate() if one not in before} == set()


def test_the_second_model_answers_with_a_few_shot_template(engine_name: str) -> None:
    template = (
        "Question: What is the capital of Italy?\nAnswer: Rome\n\n"
        "Question: {{ messages[-1]['content'] }}\nAnswer:"
    )
    options = EngineOptions(context_tokens=CONTEXT, chat_template=template)
    held = load_engine(model_path("gemma3-270m"), options, engine_name)
    try:
        request = ask("What is the capital of France?", temperature=0.0, max_tokens=8, stop=("\n",))
        assert generate(held, request)[0].strip() == "Paris"
    finally:
        held.close()


QUIET = """
import sys, threading
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.chat import ChatRequest
arm = LlamaArm(engine=sys.argv[1])
stream = arm.stream(ChatRequest(messages=({"role": "user", "content": "Count to 1000"},)))
next(stream)
print("one chunk")
"""


def test_nothing_is_printed_and_an_unclosed_arm_does_not_hold_the_program(engine_name: str) -> None:
    model_path()
    done = subprocess.run(
        [sys.executable, "-c", QUIET, engine_name],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "one chunk\n", "")


def own_tcp_listeners() -> set[str]:
    """Local addresses this process listens on, by the socket inodes it holds open."""
    inodes = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows: list[list[str]] = []
    for table in ("tcp", "tcp6"):
        path = Path("/proc/self/net") / table
        if path.exists():
            rows += [line.split() for line in path.read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A" and row[9] in inodes}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_tcp_port_is_opened(engine_name: str) -> None:
    before = own_tcp_listeners()
    held = load_engine(model_path(), EngineOptions(context_tokens=CONTEXT), engine_name)
    try:
        generate(held, ask("Hi", max_tokens=2))
        assert own_tcp_listeners() == before
    finally:
        held.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_look_for_tcp_ports_sees_one() -> None:
    before = own_tcp_listeners()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"{server.getsockname()[1]:04X}"
        assert {address.rpartition(":")[2] for address in own_tcp_listeners() - before} == {port}


@pytest.fixture
def xllamacpp_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[Path]]]:
    if "xllamacpp" not in installed_engines():
        pytest.skip("the engine xllamacpp is not installed")
    short = tempfile.mkdtemp()
    monkeypatch.setattr(tempfile, "tempdir", short)
    yield lambda: list(Path(short).iterdir())


def test_the_socket_is_ours_alone_asks_for_the_key_and_goes_away(
    xllamacpp_folder: Callable[[], list[Path]],
) -> None:
    held = load_engine(model_path(), EngineOptions(context_tokens=CONTEXT), "xllamacpp")
    try:
        (folder,) = xllamacpp_folder()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(str(folder / "s.sock"))
            body = b'{"prompt": "x", "n_predict": 1}'
            plain.sendall(
                b"POST /completion HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n"
                b"Content-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            plain.settimeout(20)
            answer = b""
            while block := plain.recv(65536):
                answer += block
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"evil.example" not in answer
        assert b"Access-Control-Allow-Origin: *" not in answer
        assert "_key" not in repr(held)
    finally:
        held.close()
    assert xllamacpp_folder() == []


def test_a_long_temporary_path_still_gets_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "xllamacpp" not in installed_engines():
        pytest.skip("the engine xllamacpp is not installed")
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    held = load_engine(model_path(), EngineOptions(context_tokens=CONTEXT), "xllamacpp")
    try:
        assert held.count_tokens(ask("Hi").messages) > 0
    finally:
        held.close()
    assert list(deep.iterdir()) == []

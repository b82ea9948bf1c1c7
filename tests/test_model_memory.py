"""Several local models under one limit, over fake engines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from test_llama_arm import PATIENCE, FakeEngine, ask

from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError, ModelMissing
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.model_memory import ModelMemory

SIZE = 1000
TWO = 2 * 1200


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, ModelMemory], tuple[LlamaArm, list[FakeEngine]]]:
    def made(name: str, memory: ModelMemory) -> tuple[LlamaArm, list[FakeEngine]]:
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(b"GGUF" + b"." * (SIZE - 4))
        engines: list[FakeEngine] = []

        def load(*_: object) -> FakeEngine:
            engines.append(FakeEngine())
            return engines[-1]

        return LlamaArm(path, name=name, memory=memory, loader=load), engines

    return made


def test_the_longest_unused_goes_and_comes_again(make) -> None:
    memory = ModelMemory(TWO)
    (a, of_a), (b, of_b), (c, of_c) = (make(name, memory) for name in "abc")
    for arm in (a, b, a, c):
        arm.complete(ask("hello"))
    assert [len(one) for one in (of_a, of_b, of_c)] == [1, 1, 1]
    assert [one[0].closed for one in (of_a, of_b, of_c)] == [0, 1, 0]
    assert memory.used_bytes == TWO
    b.complete(ask("hello"))
    assert (len(of_b), of_a[0].closed) == (2, 1)
    for arm in (a, b, c):
        arm.close()
    assert memory.used_bytes == 0


def test_one_that_answers_stays(make) -> None:
    memory = ModelMemory(1200)
    (a, of_a), (b, _) = make("a", memory), make("b", memory)
    a.complete(ask("hello"))
    stream = a.stream(ask("hold on"))
    next(stream)
    with pytest.raises(ArmUnavailable, match="no memory for arm 'b' while the others answer"):
        b.complete(ask("hello"))
    of_a[0].gate.set()
    assert list(stream)[-1].choices[0].finish_reason == "stop"
    deadline = threading.Event()
    for _ in range(int(PATIENCE * 100)):  # the worker notes the end just after it says so
        if a.unload():
            break
        deadline.wait(0.01)
    memory.freed(a)
    assert b.complete(ask("hello")).choices[0].message.content == "hello"
    a.close()
    b.close()


def test_a_model_over_the_limit_is_refused(make) -> None:
    arm, engines = make("a", ModelMemory(1199))
    with pytest.raises(ConfigError, match="the limit is"):
        arm.complete(ask("hello"))
    assert engines == []


def test_a_load_that_fails_takes_no_room(tmp_path: Path) -> None:
    memory = ModelMemory(TWO)
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF" + b"." * (SIZE - 4))

    def load(*_: object) -> FakeEngine:
        raise ModelMissing("broken")

    with pytest.raises(ModelMissing):
        LlamaArm(path, memory=memory, loader=load).complete(ask("hello"))
    assert memory.used_bytes == 0


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_a_limit_is_a_whole_number(limit: object) -> None:
    with pytest.raises(ConfigError, match="max_bytes"):
        ModelMemory(limit)

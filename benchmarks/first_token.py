"""Time to the first token: the client on its edge arm, and bare llama.cpp with the same model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.rounds import ROUNDS
from benchmarks.table import Report
from hybridroute import CloudSettings, Decision, HybridClient, LlamaArm
from hybridroute.edge_runtime.chat import Message
from hybridroute.edge_runtime.model_registry import resolve
from hybridroute.edge_runtime.protocols import EngineOptions

MODEL = "smollm2-135m"
LIMIT = 1.10
THREADS = 2
CONTEXT = 2048
PROMPTS = (
    "What is the capital of France?",
    "Rewrite this politely: send me the report now, I have been waiting since Monday.",
    "A train travels 60 miles in one hour and a half. What is its average speed in miles per hour?",
    "Write a Python function that reverses a string, with a docstring and two examples of its use.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """Milliseconds to llama.cpp's first token, of the routing, and to the client's first token."""

    bare: float
    router: float
    client: float

    @property
    def ratio(self) -> float:
        """The client's time over what it cannot do without."""
        return self.client / (self.bare + self.router)


def measure() -> Report:
    """The same prompts turn by turn; each one's best of 7, and their sum.

    Both engines keep what a prompt shares with the one before it (here the chat template's system
    text), so no prompt follows itself. At temperature 0 the client's engine cuts a prompt where an
    answer cannot depend on what was asked before, which llama.cpp alone does not promise: a row
    of its own says what that costs.
    """
    from llama_cpp import Llama

    path = str(resolve(MODEL).path)
    bare = Llama(path, n_ctx=CONTEXT, n_threads=THREADS, n_threads_batch=THREADS, verbose=False)
    options = EngineOptions(context_tokens=CONTEXT, threads=THREADS)
    arm = LlamaArm(MODEL, engine="llama-cpp-python", options=options)
    cloud = CloudSettings(base_url="http://127.0.0.1:9/v1", model="unasked", api_key_env="")
    with HybridClient(edge=arm, cloud=cloud, threshold=0.0, router_threads=THREADS) as client:
        client.warm_up()
        sampled = _best(bare, client, temperature=0.8)
        greedy = _best(bare, client, temperature=0.0)
    bare.close()
    rows = [_row(prompt, times) for prompt, times in zip(PROMPTS, sampled, strict=True)]
    total, repeatable = _summed(sampled), _summed(greedy)
    rows.append(_row("all", total))
    rows.append(_row("all, temperature 0: bit for bit", repeatable))
    return Report(
        title=f"First token on the edge arm, {MODEL}, {THREADS} threads, best of {ROUNDS}",
        header=("", "llama.cpp", "router", "client", "client / (llama.cpp + router)"),
        rows=tuple(rows),
        target=f"the client at most {LIMIT:.2f} times llama.cpp and the router's own time",
        reached=total.ratio <= LIMIT,
    )


def _best(bare: Any, client: HybridClient, *, temperature: float) -> list[First]:
    """For each prompt the best of the rounds, the first round thrown away."""
    seen = [_round(bare, client, temperature) for _ in range(ROUNDS + 1)][1:]
    return [
        First(
            bare=min(turn[at].bare for turn in seen),
            router=min(turn[at].router for turn in seen),
            client=min(turn[at].client for turn in seen),
        )
        for at in range(len(PROMPTS))
    ]


def _summed(times: list[First]) -> First:
    return First(
        bare=sum(one.bare for one in times),
        router=sum(one.router for one in times),
        client=sum(one.client for one in times),
    )


def _row(name: str, times: First) -> tuple[str, ...]:
    shown = (times.bare, times.router, times.client)
    return (name[:40], *(f"{value:.1f} ms" for value in shown), f"{times.ratio:.3f}")


def _round(bare: Any, client: HybridClient, temperature: float) -> list[First]:
    found = []
    for prompt in PROMPTS:
        messages: list[Message] = [{"role": "user", "content": prompt}]
        start = time.perf_counter()
        _first_of_bare(bare, messages, temperature)
        alone = (time.perf_counter() - start) * 1000.0
        start = time.perf_counter()
        decision = _first_of_client(client, messages, temperature)
        asked = (time.perf_counter() - start) * 1000.0
        if (decision.arm, decision.reason) != ("edge", "score_at_or_above_threshold"):
            raise AssertionError(f"not routed to the edge: {decision.explain()}")
        found.append(First(bare=alone, router=decision.latency_ms, client=asked))
    return found


def _first_of_bare(bare: Any, messages: list[Message], temperature: float) -> None:
    chunks = bare.create_chat_completion(
        messages, stream=True, max_tokens=1, temperature=temperature
    )
    for chunk in chunks:
        if chunk["choices"][0]["delta"].get("content"):
            return


def _first_of_client(client: HybridClient, messages: list[Message], temperature: float) -> Decision:
    given = client.chat.completions.create(
        messages=messages, stream=True, max_tokens=1, temperature=temperature
    )
    with given as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        return stream.decision


if __name__ == "__main__":
    measure().show()

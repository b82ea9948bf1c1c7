"""Sampling: the stage's parallel engine, with and without reuse of a prompt's state, against a
plain loop over llama-cpp-python, on the same cores with the same model, prompts and seeds."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.table import Report
from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.model_registry import resolve
from hybridroute.edge_runtime.protocols import EngineOptions
from hybridroute.prompt_file import PromptRow
from hybridroute.training.arm_pool import draw_all
from hybridroute.training.arm_sampler import ArmSampler
from hybridroute.training.local_runner import LOCAL_SLOTS
from hybridroute.training.pacing import Budget, Rate
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import DrawSettings, PromptJob, spread

MODEL = "smollm2-135m"
TARGET = 1.4
CONTEXT = 1024
ROUNDS = 3
N = 10
MAX_TOKENS = 24
STORY = (
    "Early in spring the two sisters moved the shop from the harbour to the old mill, because the "
    "rent had doubled and the roof let the rain in. They sold bread, lamp oil, rope and paper, and "
    "on Fridays they read letters aloud for those who could not read them. "
)
PROMPTS = (
    *("What is the capital of France?", "What is 17 plus 25?", "Name three birds that swim."),
    *("Rewrite politely: send me the report now.", "Write a line of Python that sorts a list."),
    f"{STORY * 2}Say in one sentence why the sisters moved.",
    f"{STORY * 3}What did the sisters do on Fridays?",
    f"{STORY * 4}List what the shop sold.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of one round."""

    tokens: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Tokens generated in a second, prompts' time included."""
        return self.tokens / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """The same by this process's own CPU time, which a busy machine disturbs less."""
        return self.tokens / self.cpu_seconds


Way = Callable[[], int]
"""Draws every sample of every prompt once; how many tokens were generated."""


def measure(threads: int = 2, rounds: int = ROUNDS, prompts: int = len(PROMPTS)) -> Report:
    """Turn by turn; the first round is thrown away. A ratio is the median of the rounds' ratios.

    The plain loop reuses a prompt's state too: llama-cpp-python does so wherever two prompts in a
    row begin alike.
    """
    settings = DrawSettings(n=N, max_tokens=MAX_TOKENS)
    arms = {
        f"{LOCAL_SLOTS} slots, prompt computed anew": _arm(threads, reuse=False),
        f"{LOCAL_SLOTS} slots, prompt's state reused": _arm(threads, reuse=True),
    }
    # From both ends: short prompts stand first, long ones last.
    asked = [PROMPTS[at // 2] if at % 2 else PROMPTS[-1 - at // 2] for at in range(prompts)]
    ways: dict[str, Way] = {"llama-cpp-python, one by one": _loop(threads, settings, asked)}
    ways |= {name: _stage(arm, settings, asked) for name, arm in arms.items()}
    held: dict[str, list[Speed]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started, cpu = time.perf_counter(), time.process_time()
            tokens = way()
            seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
            if number:
                held[name].append(Speed(tokens=tokens, seconds=seconds, cpu_seconds=cpu_seconds))
    for arm in arms.values():
        arm.close()
    return _report(held, threads, prompts)


def _report(held: dict[str, list[Speed]], threads: int, prompts: int) -> Report:
    loop, anew, reused = held.values()
    rows = [
        (
            name,
            str(sum(speed.tokens for speed in speeds)),
            f"{statistics.median(speed.per_second for speed in speeds):.1f}",
            f"{_ratio(speeds, loop):.2f}",
            f"{_ratio(speeds, anew):.2f}",
            f"{statistics.median(speed.per_cpu_second for speed in speeds):.1f}",
        )
        for name, speeds in held.items()
    ]
    return Report(
        title=f"Sampling {N} answers to {prompts} prompts, {MODEL}, {threads} threads",
        header=("", "tokens", "tokens/s", "to one by one", "to computed anew", "tokens/CPU s"),
        rows=tuple(rows),
        target=f"the stage, which reuses, at least {TARGET} times one by one; reuse a gain",
        reached=_ratio(reused, loop) >= TARGET and _ratio(reused, anew) > 1.0,
    )


def _ratio(speeds: list[Speed], base: list[Speed]) -> float:
    pairs = zip(speeds, base, strict=True)
    return statistics.median(speed.per_second / other.per_second for speed, other in pairs)


def _loop(threads: int, settings: DrawSettings, prompts: Sequence[str]) -> Way:
    from llama_cpp import Llama

    path = str(resolve(MODEL).path)
    model = Llama(path, n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False)

    def run() -> int:
        tokens = 0
        for at, prompt in enumerate(prompts):
            for sample in range(settings.n):
                answer: Any = model.create_chat_completion(
                    [{"role": "user", "content": prompt}],
                    max_tokens=settings.max_tokens,
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                    seed=settings.seed_of(str(at), "edge", sample),
                )
                tokens += answer["usage"]["completion_tokens"]
        return tokens

    return run


def _arm(threads: int, *, reuse: bool) -> LlamaArm:
    options = EngineOptions(
        context_tokens=CONTEXT, threads=threads, parallel=LOCAL_SLOTS, reuse_prompt=reuse
    )
    return LlamaArm(MODEL, engine="xllamacpp", options=options)


def _stage(arm: LlamaArm, settings: DrawSettings, prompts: Sequence[str]) -> Way:
    spec = ArmSpec(name="edge", model=MODEL)
    sampler = ArmSampler(
        spec=spec, arm=arm, settings=settings, rate=Rate(None), budget=Budget(None)
    )
    jobs = [
        PromptJob(
            id=str(at),
            row=PromptRow(where=str(at), prompt=prompt),
            samples=tuple(range(settings.n)),
        )
        for at, prompt in enumerate(prompts)
    ]

    def run() -> int:
        held: list[Response] = []
        draw_all(
            spread(jobs, LOCAL_SLOTS),
            sampler.draw,
            workers=LOCAL_SLOTS,
            take=held.append,
            abandon=arm.close,
        )
        return sum(response.completion_tokens or 0 for response in held)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), choices=range(1, 9))
    asked = parser.parse_args()
    measure(asked.threads, asked.rounds, asked.prompts).show()


if __name__ == "__main__":
    main()

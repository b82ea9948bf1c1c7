"""What is to be sampled: prompts, arms, how many responses, and every response's seed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.prompt_file import PromptRow, read_prompt_rows

_SEEDS = 2**31 - 1
"""Some servers read a seed as a signed 32-bit number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePrompts:
    """The prompts by id, in the order read, and how many equal ones were left out."""

    rows: Mapping[str, PromptRow]
    duplicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSettings:
    """How responses are drawn, whatever the prompt and the arm.

    Parameters
    ----------
    n : int
        Responses per prompt and arm.
    temperature : float
        In [0, 2].
    top_p : float
        In (0, 1].
    max_tokens : int
        Longest response.
    seed : int
        Every response's seed is derived from it.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    n: int = 10
    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n", "max_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 1")
        if not (math.isfinite(self.temperature) and 0 <= self.temperature <= 2):
            raise ConfigError(f"temperature is {self.temperature}; give a number from 0 to 2")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}; give a number above 0, at most 1")
        if self.temperature == 0 and self.n > 1:
            raise ConfigError(
                f"at temperature 0 all {self.n} responses would be one; give --n 1, or a "
                "temperature above 0"
            )

    def digest(self, arm: ArmSpec) -> str:
        """A short hash of all that shapes the arm's responses but their seeds."""
        names = ("temperature", "top_p", "max_tokens")
        return arm.digest({name: getattr(self, name) for name in names})

    def seed_of(self, prompt_id: str, arm: str, sample: int) -> int:
        """The seed of one response: a hash, so that it does not hang on the order of work."""
        text = "\0".join((str(self.seed), prompt_id, arm, str(sample)))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % _SEEDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingPlan:
    """What the stage is to give: ``draw.n`` responses of every arm to every prompt.

    Raises
    ------
    ConfigError
        If there is no arm, or two have one name.
    """

    prompts: Mapping[str, PromptRow] = field(repr=False)
    arms: Sequence[ArmSpec]
    draw: DrawSettings

    def __post_init__(self) -> None:
        if not self.arms:
            raise ConfigError("no arm is named; give --arm NAME=MODEL, once an arm")
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"two arms are called {twice[0]!r}; give each a name of its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptJob:
    """The samples still to draw from one arm for one prompt; one worker draws them in a row."""

    id: str
    row: PromptRow = field(repr=False)
    samples: tuple[int, ...]


def jobs_of(
    plan: SamplingPlan, arm: ArmSpec, done: Mapping[tuple[str, str], set[int]]
) -> list[PromptJob]:
    """What is left to do for one arm, prompt by prompt in the plan's order."""
    jobs = []
    for prompt_id, row in plan.prompts.items():
        there = done.get((prompt_id, arm.name), set())
        left = tuple(sample for sample in range(plan.draw.n) if sample not in there)
        if left:
            jobs.append(PromptJob(id=prompt_id, row=row, samples=left))
    return jobs


def spread(jobs: Sequence[PromptJob], workers: int) -> Iterator[PromptJob]:
    """The jobs; where they are fewer than the workers, each is cut so that all have work."""
    pieces = -(-workers // max(1, len(jobs)))
    for job in jobs:
        for first in range(min(pieces, len(job.samples))):
            yield PromptJob(id=job.id, row=job.row, samples=job.samples[first::pieces])


def read_sample_prompts(paths: Sequence[Path]) -> SamplePrompts:
    """Read prompt files; a row without an id is called by a hash of its prompt.

    Equal rows of one id are read once.

    Raises
    ------
    DataError
        If a file or line is malformed, or one id stands for two prompts: names both lines.
    """
    rows: dict[str, PromptRow] = {}
    duplicates = 0
    for path in paths:
        for row in read_prompt_rows(path):
            held = row.id or _hash(row)
            before = rows.setdefault(held, row)
            if before is row:
                continue
            if (before.prompt, before.reference) != (row.prompt, row.reference):
                raise DataError(
                    f"{row.where}: the id {held!r} stands at {before.where} with another prompt "
                    "or reference; give each prompt an id of its own"
                )
            duplicates += 1
    return SamplePrompts(rows=rows, duplicates=duplicates)


def _hash(row: PromptRow) -> str:
    return hashlib.sha256(json.dumps(plain(row.prompt)).encode()).hexdigest()[:16]

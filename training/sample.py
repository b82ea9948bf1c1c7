"""The sampling stage: responses of every arm to every prompt, written as they come.

One arm after another, so that one model at a time is in memory; no response stays in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.line_log import LineLog
from hybridroute.training.pacing import Budget, BudgetUsed
from hybridroute.training.response_standing import Standing, standing_of
from hybridroute.training.sample_summary import ArmTally, Sampled
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import DrawSettings, PromptJob, SamplingPlan, jobs_of

Take = Callable[[Response], None]


class Runner(Protocol):
    """Draws all jobs of one arm: in this process, or on a cluster."""

    def run(
        self,
        spec: ArmSpec,
        draw: DrawSettings,
        jobs: Sequence[PromptJob],
        *,
        budget: Budget,
        take: Take,
    ) -> None:
        """Hand every response to ``take`` as it comes. Raises BudgetUsed, ArmError, ConfigError."""
        ...

    def close(self) -> None:
        """Free everything; safe to call twice."""
        ...


class Watcher(Protocol):
    """Told what happens, to show it."""

    def begin(self, arm: str, *, left: int, already: int) -> None:
        """An arm begins: ``left`` responses to draw, ``already`` there."""
        ...

    def took(self, response: Response) -> None:
        """A response is written."""
        ...


def sample(
    plan: SamplingPlan,
    out: Path,
    *,
    runner: Runner,
    watcher: Watcher,
    budget_usd: float | None = None,
    retry_errors: bool = False,
) -> Sampled:
    """Draw what is not in ``out`` yet, and write each response as it comes.

    Parameters
    ----------
    budget_usd : float or None
        What all runs on this file may spend together.
    retry_errors : bool
        Ask again where an earlier run got an error.

    Raises
    ------
    DataError
        If ``out`` cannot be written, is being written by another process, or holds something else.
    ConfigError
        If ``out`` was made with other settings, an arm cannot be made, or a budget is set for an
        endpoint without a price.
    ArmError
        If an arm fails for good; what had come is written.
    """
    _check_prices(plan.arms, budget_usd)
    is_new = not out.exists()
    with LineLog(out) as log, _not_left_empty(out if is_new else None):
        standing = standing_of(out, plan, retry_errors=retry_errors)
        budget = Budget(budget_usd, spent_usd=standing.cost_usd)
        tallies, over = [], []
        for spec in plan.arms:
            jobs = jobs_of(plan, spec, standing.done)
            tally = _tally(plan, spec, jobs)
            watcher.begin(spec.name, left=tally.left, already=tally.already)
            started = time.monotonic()
            try:
                if jobs:
                    take = _taker(log, standing, tally, watcher)
                    runner.run(spec, plan.draw, jobs, budget=budget, take=take)
            except BudgetUsed:
                over.append(spec.name)
            tally.seconds = time.monotonic() - started
            tally.failures(standing.errors_of(plan, spec.name))
            tallies.append(tally)
    return Sampled(
        out=out, tallies=tuple(tallies), spent_usd=budget.spent_usd, over_budget=tuple(over)
    )


@contextmanager
def _not_left_empty(out: Path | None) -> Iterator[None]:
    """Remove a file that a failed run has made and written nothing to."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if out is not None and out.stat().st_size == 0:
                out.unlink()
        raise


def _check_prices(arms: Sequence[ArmSpec], budget_usd: float | None) -> None:
    for arm in arms:
        if budget_usd is not None and arm.cost_usd(0, 0) is None:
            raise ConfigError(
                f"arm {arm.name}: a budget needs its prices; give price-in and price-out, US "
                "dollars per million tokens"
            )


def _tally(plan: SamplingPlan, spec: ArmSpec, jobs: Sequence[PromptJob]) -> ArmTally:
    left = sum(len(job.samples) for job in jobs)
    already = plan.draw.n * len(plan.prompts) - left
    return ArmTally(arm=spec.name, model=spec.model, already=already, left=left)


def _taker(log: LineLog, standing: Standing, tally: ArmTally, watcher: Watcher) -> Take:
    def take(response: Response) -> None:
        log.append(response.to_line())
        standing.add(response)
        tally.add(response)
        watcher.took(response)

    return take

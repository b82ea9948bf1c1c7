"""``hybridroute train --estimator``: a router among any number of arms."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridroute.cli.output import print_json
from hybridroute.training.magnitude import fault_of
from hybridroute.training.outcome_options import named
from hybridroute.training.show_card import show_card

if TYPE_CHECKING:
    from hybridroute.training.fit_config import FitConfig
    from hybridroute.training.outcomes import OutcomeTable
    from hybridroute.training.pair_split import SplitBy

PoolEstimator = Annotated[
    str | None,
    typer.Option(
        help="Route among many arms by this: random, length, knn-50, knn-200, ridge, ridge-length, "
        "logistic, cluster-best, sw, mf or deberta.",
        show_default=False,
    ),
]
PoolArms = Annotated[
    str | None,
    typer.Option(help="With --estimator: the pool, with commas; by default every arm."),
]
PoolCosts = Annotated[
    list[str] | None,
    typer.Option(help="NAME=USD: what a query costs at an arm, in place of the outcomes' costs."),
]
PoolModels = Annotated[
    list[str] | None, typer.Option(help="NAME=MODEL: the model of an arm, where not its name.")
]


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What was asked of a pool's router, as typed."""

    estimator: str
    arms: str | None
    costs: list[str] | None
    models: list[str] | None
    split: tuple[SplitBy, int]


@dataclass(frozen=True, slots=True)
class CardWords:
    """What the model card is to say."""

    name: str
    sources: list[str] | None
    licence: str | None


def run_pool(
    asked: PoolOptions,
    words: CardWords,
    table: OutcomeTable,
    config: FitConfig,
    out: Path,
    *,
    work: Path,
    json: bool,
) -> None:
    """Train, and show what came of it."""
    from hybridroute.training.fit_progress import FitProgress
    from hybridroute.training.pool.train import PoolPlan, train_pool

    arms = None if asked.arms is None else tuple(filter(None, asked.arms.split(",")))
    plan = PoolPlan(
        outcomes=table,
        estimator=asked.estimator,
        out=out,
        work=work,
        name=words.name or f"Router: {len(arms or table.arm_names)} arms, {asked.estimator}",
        arms=arms,
        models=dict(named(text, "--model", "MODEL") for text in asked.models or ()),
        costs=costs_of(asked.costs),
        config=config,
        split_by=asked.split[0],
        split_seed=asked.split[1],
        sources=tuple(words.sources or ()),
        licence=words.licence,
        command=shlex.join(["hybridroute", *sys.argv[1:]]),
    )
    with FitProgress() as progress:
        bundle, report = train_pool(plan, on_step=progress.step, on_stage=progress.stage)
    if json:
        print_json({"bundle": str(bundle.path), **report})
    else:
        show_card(bundle.path / "README.md")


def costs_of(texts: list[str] | None) -> dict[str, float]:
    """``NAME=USD`` as numbers; wrong usage where one is none, or no cost."""
    found = {}
    for text in texts or ():
        name, cost = named(text, "--cost", "USD")
        try:
            found[name] = float(cost)
        except ValueError as exc:
            raise typer.BadParameter(
                f"{text!r}: {cost!r} is not a number", param_hint="--cost"
            ) from exc
        if fault := fault_of(found[name], low=0.0):
            raise typer.BadParameter(f"the cost of {name!r} {fault}", param_hint="--cost")
    return found

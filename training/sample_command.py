"""``hybridroute sample``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridroute.cli.output import console, print_json, say
from hybridroute.cli.ranges import within
from hybridroute.training.wrong_usage import wrong_usage

if TYPE_CHECKING:
    from hybridroute.prompt_file import PromptRow
    from hybridroute.training.sample import Runner
    from hybridroute.training.sample_summary import Sampled

_ARM_HELP = r"""NAME=MODEL[,option=value...], once an arm. MODEL is a name of `models list`, a GGUF
file, or MODEL@URL for an OpenAI-compatible endpoint. Options: slots (answers at the same time),
price-in, price-out (USD per million tokens), stop (ends an answer; \n is a line feed); for a model
here also threads, context, engine, template (few-shot, for base models, or a Jinja file); for an
endpoint key-env (the variable with the key; empty for none) and rate (requests a minute)."""

_EXAMPLES = """
Examples:

  hybridroute sample prompts.jsonl --out responses.jsonl --arm edge=smollm2-135m
  --arm cloud=gpt-4o-mini@https://api.openai.com/v1,price-in=0.15,price-out=0.6 --budget-usd 5

  hybridroute sample prompts.jsonl --out responses.jsonl --n 5 --max-tokens 48
  --arm edge=smollm2-135m --arm cloud=gemma3-270m,template=few-shot
"""


_LONGEST = 300
"""Of an error that is quoted, in characters."""


class RunnerName(StrEnum):
    """Where the models run."""

    LOCAL = "local"
    RAY = "ray"


def sample(
    *,
    prompts: Annotated[
        list[Path],
        typer.Argument(
            help='Prompt files: a prompt a line; JSON lines with "prompt" or "messages" and '
            'perhaps "id", "domain", "reference"; MixInstruct.'
        ),
    ],
    arm: Annotated[list[str], typer.Option(help=_ARM_HELP)],
    out: Annotated[
        Path, typer.Option(help="The responses file; an existing one is gone on with.")
    ] = Path("responses.jsonl"),
    limit: Annotated[
        int | None,
        typer.Option(help="Only so many prompts, spread over the files: to try it.", min=1),
    ] = None,
    n: Annotated[int, typer.Option("--n", "-n", help="Responses per prompt and arm.", min=1)] = 10,
    temperature: Annotated[float, typer.Option(help="0 to 2.", callback=within(0, 2))] = 0.8,
    top_p: Annotated[
        float, typer.Option(help="Above 0, at most 1.", callback=within(0, 1, low_in=False))
    ] = 0.95,
    max_tokens: Annotated[int, typer.Option(help="Longest response.", min=1)] = 128,
    seed: Annotated[int, typer.Option(help="Every response's seed is derived from it.")] = 0,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Most requests a minute to each endpoint.",
            callback=within(0.001, high_in=False),
        ),
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(
            help="Stop before all runs on this file cost more; needs prices.",
            callback=within(0, high_in=False),
        ),
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option(help="Ask again where an earlier run got an error.")
    ] = False,
    engine: Annotated[RunnerName, typer.Option(help="Threads here, or a Ray cluster.")] = (
        RunnerName.LOCAL
    ),
    workers: Annotated[
        int, typer.Option(help="With ray: actors, each with a model of its own.", min=1)
    ] = 2,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Draw n responses of every arm to every prompt, written as they come.

    Killed at any moment, the same command goes on where it stopped. An arm all of whose responses
    are errors is exit 1; some are not.
    """
    from hybridroute.arm_spec import parse_arm
    from hybridroute.training.sample import sample as run
    from hybridroute.training.sample_progress import SampleProgress
    from hybridroute.training.sampling_plan import DrawSettings, SamplingPlan, read_sample_prompts

    with wrong_usage():
        draw = DrawSettings(
            n=n, temperature=temperature, top_p=top_p, max_tokens=max_tokens, seed=seed
        )
        arms = tuple(parse_arm(text) for text in arm)
    read = read_sample_prompts(prompts)
    if read.duplicates:
        say(f"{read.duplicates} prompts stand twice and are sampled once")
    with wrong_usage("--arm"):
        plan = SamplingPlan(prompts=_spread(read.rows, limit), arms=arms, draw=draw)
    # Only where a person reads it: elsewhere stderr is for what went wrong, and str() says nothing.
    progress = SampleProgress(write=None if sys.stderr.isatty() else str)
    runner = _runner(engine, rate=rate, workers=workers)
    try:
        sampled = run(
            plan,
            out,
            runner=runner,
            watcher=progress,
            budget_usd=budget_usd,
            retry_errors=retry_errors,
        )
    finally:
        progress.end()
        runner.close()
    if json:
        print_json(sampled.to_dict())
    else:
        _show(sampled)
    _tell_errors(sampled)
    if sampled.over_budget:
        _tell_stopped(sampled, budget_usd)
    if sampled.over_budget or any(tally.is_barren for tally in sampled.tallies):
        raise typer.Exit(1)


sample.__doc__ = (sample.__doc__ or "") + _EXAMPLES


def _spread(rows: Mapping[str, PromptRow], limit: int | None) -> Mapping[str, PromptRow]:
    """``limit`` rows at even distances: files often hold one kind of prompt after the other."""
    if limit is None or limit >= len(rows):
        return rows
    names = list(rows)
    return {name: rows[name] for name in (names[at * len(rows) // limit] for at in range(limit))}


def _runner(engine: RunnerName, *, rate: float | None, workers: int) -> Runner:
    if engine is RunnerName.RAY:
        from hybridroute.training.ray_runner import RayRunner

        return RayRunner(actors=workers, rate=rate)
    from hybridroute.training.local_runner import LocalRunner

    return LocalRunner(rate=rate)


def _tell_errors(sampled: Sampled) -> None:
    for tally in sampled.tallies:
        if tally.last_error is None:
            continue
        there = tally.already + tally.drawn
        count = f"all {there}" if tally.is_barren else f"{tally.failed} of {there}"
        last = " ".join(tally.last_error.split())[:_LONGEST]
        say(
            f"hybridroute: {count} responses of arm {tally.arm} are errors, the last one: {last} "
            "(--retry-errors asks again)"
        )


def _tell_stopped(sampled: Sampled, budget_usd: float | None) -> None:
    left = sum(tally.left for tally in sampled.tallies)
    say(
        f"hybridroute: the budget of {budget_usd:g} USD allows no further call to "
        f"{', '.join(sampled.over_budget)}: {sampled.spent_usd:.6f} USD are spent and {left} "
        "responses are left; run the same command with a higher --budget-usd to go on"
    )


def _show(sampled: Sampled) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    other = any(tally.model != tally.arm for tally in sampled.tallies)
    table = Table(box=SIMPLE_HEAD)
    for head in ("arm", "model") if other else ("arm",):
        table.add_column(head, overflow="fold")  # a name that is cut names nothing
    for head in ("there", "drawn", "left", "errors", "tokens/s", "USD", "s"):
        table.add_column(head, no_wrap=True)
    for tally in sampled.tallies:
        counts = (tally.already, tally.drawn, tally.left, tally.errors)
        speed, cost = f"{tally.tokens_per_second:.0f}", f"{tally.cost_usd:.4f}"
        names = (tally.arm, tally.model) if other else (tally.arm,)
        table.add_row(*names, *map(str, counts), speed, cost, f"{tally.seconds:.0f}")
    shown = console()
    shown.print(table)
    shown.print(f"The responses are in {sampled.out}.", markup=False)

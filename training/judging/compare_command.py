"""``hybridroute compare``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridroute.cli.output import print_json
from hybridroute.cli.ranges import within
from hybridroute.training.fit_config import TOKENS, FitConfig
from hybridroute.training.judging.compare_options import (
    AverageName,
    HoldOutName,
    ObjectiveName,
    finite,
    objective_of,
)
from hybridroute.training.outcome_options import Aliases, Json, More, Outcomes, read_table
from hybridroute.training.pool.train_command import costs_of
from hybridroute.training.wrong_usage import wrong_usage

if TYPE_CHECKING:
    from hybridroute.training.fit_config import Precision
    from hybridroute.training.judging.all_runs import Timer
    from hybridroute.training.judging.comparison import Comparison
    from hybridroute.training.judging.contest import Contest
    from hybridroute.training.judging.reading import Given
    from hybridroute.training.judging.records import Records
    from hybridroute.training.out_of_scope import Scope
    from hybridroute.training.outcomes import OutcomeTable
    from hybridroute.training.pool.estimator import Queries
    from hybridroute.training.stages import OnStage

_DEFAULT = FitConfig()
_PROTOCOL = "Protocol"
_REPORT = "Report"


def compare(
    *,
    outcomes: Outcomes,
    more: More = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(
            help="Rows to judge; the others are trained on. By default rows that the files mark, "
            "or else folds of --outcomes.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = None,
    arms: Annotated[
        list[str] | None,
        typer.Option("--arm", "--arms", help="An arm to choose among; by default all. Repeat."),
    ] = None,
    estimators: Annotated[
        list[str] | None,
        typer.Option(
            "--estimator",
            "--estimators",
            help="By default all of seconds; deberta takes minutes a fit. Repeat, or use commas.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, rich_help_panel=_PROTOCOL)] = 5,
    hold_out: Annotated[
        HoldOutName,
        typer.Option(
            help="Without rows to judge: prompts or whole domains.", rich_help_panel=_PROTOCOL
        ),
    ] = HoldOutName.PROMPTS,
    average: Annotated[
        AverageName,
        typer.Option(help="Each row weighs the same, or each domain.", rich_help_panel=_PROTOCOL),
    ] = AverageName.ROWS,
    objective: Annotated[
        ObjectiveName,
        typer.Option(
            help="What the winner is chosen by: mean quality, or quality for cost (AIQ); auto is "
            "AIQ where arms differ in cost.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = ObjectiveName.AUTO,
    keep_duplicates: Annotated[
        bool,
        typer.Option(
            "--keep-duplicates",
            help="Judge equal prompts as often as they stand.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = False,
    cost: Annotated[
        list[str] | None,
        typer.Option(help="ARM=USD a call, in place of that arm's stated costs. Repeat."),
    ] = None,
    reference: Annotated[
        float | None,
        typer.Option(
            help="A strong model's mean quality, for V_R.",
            rich_help_panel=_PROTOCOL,
            callback=finite,
        ),
    ] = None,
    pool: Annotated[str, typer.Option(help="Of a RouterEval pickle: SIZE/GROUP.")] = "3/all_strong",
    alias: Aliases = None,
    encoder: Annotated[
        str, typer.Option(help="minilm, a folder, or a name on the hub; it stays as it is.")
    ] = _DEFAULT.encoder,
    max_tokens: Annotated[
        int, typer.Option(help="Input length; the beginning is cut.", callback=within(*TOKENS))
    ] = _DEFAULT.max_tokens,
    epochs: Annotated[
        int, typer.Option(min=1, help="Of a deberta among --estimators.")
    ] = _DEFAULT.epochs,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a page with figures (compare.html, compare.json, PNGs).",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder of a new bundle: the winner, trained on the rows to train on."),
    ] = None,
    json: Json = False,
) -> None:
    """Judge estimators side by side on your own outcomes, by one protocol, with intervals."""
    from hybridroute.edge_runtime.errors import HybridRouteError
    from hybridroute.training.judging.all_runs import Plan
    from hybridroute.training.judging.contenders import NAMES, contenders_of, standing_beside
    from hybridroute.training.judging.contest import contest
    from hybridroute.training.judging.records import records_of
    from hybridroute.training.stage_progress import StageProgress

    _check_places(report, save)
    names = _names(estimators or NAMES)
    config = FitConfig(
        encoder=encoder, max_tokens=max_tokens, epochs=epochs, precision=_precision(names)
    )
    contenders = contenders_of(names, fine_tuning=config)
    prices = costs_of(cost)
    given = _given([*outcomes, *(more or [])], test, arms, alias or [], pool)
    if save is not None and given.outcomes is None:
        raise typer.BadParameter("a bundle needs outcomes with prompts", param_hint="--save")
    records = records_of(
        given.train, given.test, prices=prices or None, keep_duplicates=keep_duplicates
    )
    with StageProgress() as shown:
        queries, timer, scope = _embedded(given, records, encoder, max_tokens, shown.stage)
        plan = Plan(
            held_out="given" if records.test is not None else hold_out.value,
            seeds=seeds,
            average=average.value,
            objective=objective_of(objective),
            reference=reference,
            timer=timer,
            scope=scope,
        )
        others = standing_beside(names)
        ended = contest(records, queries, contenders, plan, standing=others, on_step=shown.stage)
        places = {} if report is None else {"report": _report(ended.found, report, shown.stage)}
    failed = None
    if save is not None and given.outcomes is not None:
        try:
            places["bundle"] = _save(given.outcomes, ended, save, costs=prices, config=config)
        except HybridRouteError as exc:
            failed = exc  # what was found is told first: it took longer
    _show(ended.found, given.notes, places, json=json)
    if failed is not None:
        raise failed


def _names(estimators: Sequence[str]) -> list[str]:
    from hybridroute.training.pool.registry import check_names

    names = [part for text in estimators for part in text.split(",") if part]
    with wrong_usage("--estimators"):
        check_names(names)
    return names


def _precision(names: list[str]) -> Precision:
    """Of the fits that use torch, where there are some."""
    from hybridroute.training.pool.registry import FINE_TUNED

    if FINE_TUNED not in names:
        return "fp32"
    from hybridroute.training.torch_setup import chosen_precision

    return chosen_precision("auto")


def _given(
    paths: list[Path],
    test: list[Path] | None,
    arms: list[str] | None,
    aliases: list[str],
    pool: str,
) -> Given:
    from hybridroute.training.judging.reading import from_outcomes, from_routereval, is_pickle
    from hybridroute.training.readers.routereval import Candidates

    columns = [name for text in arms or [] for name in text.split(",") if name]
    if any(is_pickle(path) for path in paths):
        if len(paths) > 1 or test:
            raise typer.BadParameter("a RouterEval pickle stands alone: it has its own test rows")
        with wrong_usage("--pool"):
            candidates = Candidates.parse(pool)
        return from_routereval(paths[0], candidates, columns)
    judged = read_table(test, aliases) if test else None
    return from_outcomes(read_table(paths, aliases), judged, columns)


def _embedded(
    given: Given, records: Records, encoder: str, max_tokens: int, told: OnStage
) -> tuple[Queries, Timer | None, Scope | None]:
    """What estimators see; the timer where there is a graph to time, and what it cannot read."""
    from hybridroute.training.judging.embedded import embedded, from_states

    if given.states is not None:
        return from_states(given.states, records), None, None
    from hybridroute.training.torch_setup import quiet_transformers

    quiet_transformers()
    told(f"embedding {len(records.table):,} texts")
    return embedded(records.table.texts, encoder=encoder, max_tokens=max_tokens)


def _check_places(report: Path | None, save: Path | None) -> None:
    from hybridroute.edge_runtime.bundle import check_place
    from hybridroute.training.report_page.files import check_report_place

    if report is not None:
        check_report_place(report)
    if save is not None:
        check_place(save)


def _save(
    outcomes: OutcomeTable,
    ended: Contest,
    out: Path,
    *,
    costs: dict[str, float],
    config: FitConfig,
) -> Path:
    """Train the winner, with the settings it was chosen with most often, on the rows it was
    compared on to train."""
    from hybridroute.training.fit_progress import FitProgress
    from hybridroute.training.pool.registry import FINE_TUNED
    from hybridroute.training.pool.train import PoolPlan, train_pool

    winner = ended.winner
    made = winner.estimator
    name = winner.name if made is None else made.name
    plan = PoolPlan(
        outcomes=outcomes,
        estimator=name,
        made=None if name == FINE_TUNED else made,
        arms=tuple(arm.name for arm in ended.found.arms),
        costs=costs,
        config=config,
        out=out,
        work=out.with_name(f"{out.name}-work"),
        name=f"Router: {name}, {len(ended.found.arms)} arms",
        command=shlex.join(["hybridroute", *sys.argv[1:]]),
    )
    with FitProgress() as shown:
        return train_pool(plan, on_step=shown.step, on_stage=shown.stage)[0].path


def _report(found: Comparison, folder: Path, told: OnStage) -> Path:
    from hybridroute.training.compare_page.files import write_comparison

    told("making the report")
    return write_comparison(found, folder)


def _show(
    found: Comparison, notes: tuple[str, ...], places: dict[str, Path], *, json: bool
) -> None:
    if json:
        where = {name: str(place) for name, place in places.items()}
        print_json({**found.to_dict(), "reading": list(notes), **where})
        return
    from hybridroute.cli.output import console
    from hybridroute.training.judging.shown import show

    show(found, notes)
    for name, place in places.items():
        console().print(f"The {name} is in {place}", markup=False, soft_wrap=True)

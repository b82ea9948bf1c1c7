"""``hybridroute calibrate``: promises from labelled outcomes, or quantiles from bare prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.output import console, print_json
from hybridroute.training.outcome_options import Aliases, Json, More, read_table

if TYPE_CHECKING:
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.edge_runtime.promises import Promises
    from hybridroute.training.outcomes import OutcomeTable
    from hybridroute.training.promise.bundle_rows import BundleRows
    from hybridroute.training.promise.fit import Fitted
    from hybridroute.training.promise.outcomes import Limit, QualityRange

_LABELLED = "With outcomes"


def calibrate(
    *,
    prompts: Annotated[
        Path | None,
        typer.Option(help='One prompt a line, or JSON lines with "prompt" or "messages".'),
    ] = None,
    outcomes: Annotated[
        list[Path] | None,
        typer.Option(help="Outcome files or folders, as of train.", rich_help_panel=_LABELLED),
    ] = None,
    more: More = None,
    edge: Annotated[
        str | None,
        typer.Option(
            help="The small model in the outcomes; by default the bundle's.",
            rich_help_panel=_LABELLED,
        ),
    ] = None,
    cloud: Annotated[
        str | None,
        typer.Option(
            help="The large model in the outcomes; by default the bundle's.",
            rich_help_panel=_LABELLED,
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(help="Most quality to lose on average.", rich_help_panel=_LABELLED),
    ] = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative", help="As a share of the cloud's quality.", rich_help_panel=_LABELLED
        ),
    ] = False,
    of_gap: Annotated[
        bool,
        typer.Option("--of-gap", help="As a share of the gap: 1 - PGR.", rich_help_panel=_LABELLED),
    ] = False,
    confidence: Annotated[float, typer.Option(rich_help_panel=_LABELLED)] = 0.9,
    quality_range: Annotated[
        str,
        typer.Option(
            help="LOW,HIGH: the least and largest a quality can ever be.",
            rich_help_panel=_LABELLED,
        ),
    ] = "0,1",
    alias: Aliases = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the new bundle; may name the old one.")
    ] = Path("hybridroute-bundle"),
    bundle: Annotated[
        str | None, typer.Option(help="Folder of the trained router; the default bundle if absent.")
    ] = None,
    json: Json = False,
) -> None:
    """Calibrate a bundle for your own traffic, without training.

    With --outcomes (labelled): the largest share of queries for the edge whose quality drop is
    under --max-drop with --confidence, and a table of such promises into the new bundle. With
    --prompts (no labels): which threshold keeps which share of them on the edge, no more.
    """
    if (prompts is None) == (outcomes is None):
        raise typer.BadParameter("give either --outcomes (labelled) or --prompts (no labels)")
    if prompts is not None:
        from hybridroute.cli.prompt_quantiles import calibrate_on_prompts

        calibrate_on_prompts(prompts, out, bundle, json=json)
        return
    limit = None
    if max_drop is not None:
        limit = _limit(max_drop, confidence, relative=relative, of_gap=of_gap)
    held_range = _range(quality_range)
    table = read_table([*(outcomes or []), *(more or [])], alias or [])
    _on_outcomes(
        table,
        (edge, cloud),
        limit,
        held_range,
        _Places(bundle=bundle, out=out, json=json),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where a calibration reads and writes."""

    bundle: str | None
    out: Path
    json: bool


def _limit(max_drop: float, confidence: float, *, relative: bool, of_gap: bool) -> Limit:
    from hybridroute.training.promise.outcomes import Limit, LimitKind

    if relative and of_gap:
        raise typer.BadParameter("--relative and --of-gap exclude each other")
    kind: LimitKind = "gap" if of_gap else "relative" if relative else "absolute"
    return Limit(max_drop=max_drop, confidence=confidence, kind=kind)


def _range(text: str) -> QualityRange:
    from hybridroute.training.promise.outcomes import QualityRange

    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not LOW,HIGH", param_hint="--quality-range") from exc
    return QualityRange(low=low, high=high)


def _on_outcomes(
    table: OutcomeTable,
    names: tuple[str | None, str | None],
    limit: Limit | None,
    quality_range: QualityRange,
    places: _Places,
) -> None:
    from hybridroute.edge_runtime.bundle import check_place
    from hybridroute.own_prompts import write_copy

    opened, threads = _opened(places.bundle)
    check_place(places.out)
    edge, cloud = _pair(opened, names)
    held = _scored(opened, table, (edge, cloud), quality_range, threads)
    fitted = None
    if limit is not None:
        from hybridroute.training.promise.fit import fit_promise

        fitted = fit_promise(held.rows, limit)
        if not fitted.feasible:
            _say_infeasible(held, fitted, json=places.json)
            raise typer.Exit(1)
    made = with_promises(opened, held, edge, cloud, [fitted] if fitted else [])
    write_copy(made, places.out)
    promises = made.manifest.promises
    assert promises is not None  # noqa: S101 (narrows the type; with_promises made it)
    if places.json:
        print_json({**_counts(held, fitted), **_body(places.out, edge, cloud, promises)})
    else:
        _show(held, fitted, promises, places.out)


def with_promises(
    bundle: Bundle, held: BundleRows, edge: str, cloud: str, asked: list[Fitted]
) -> Bundle:
    """The bundle, in memory, with the promises of these rows.

    For the pair it was calibrated for, the dial's table stays. For another pair, table and arms
    become that pair's, measured on the same rows.
    """
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.edge_runtime.manifest import SCHEMA_VERSION, CalibratedArm
    from hybridroute.training.calibrate import calibrate as measure
    from hybridroute.training.promise.table import promise_table

    manifest, rows = bundle.manifest, held.rows
    source = f"{len(held.table)} outcomes of {held.table.source}"
    calibration = manifest.calibration
    if calibration is None or bundle.model_names != (edge, cloud):
        calibration = measure(rows.scores, rows.edge_q, rows.cloud_q, source)
    arms = (CalibratedArm(name="edge", model=edge), CalibratedArm(name="cloud", model=cloud))
    if bundle.model_names == (edge, cloud):
        arms = (manifest.arms[0], manifest.arms[1])
    promises = promise_table(
        rows, source=source, seen=held.seen, calibration=calibration, asked=asked
    )
    made = replace(
        manifest,
        schema_version=SCHEMA_VERSION,
        arms=arms,
        calibration=calibration,
        promises=promises,
    )
    return Bundle(bundle.path, made)


def _opened(bundle: str | None) -> tuple[Bundle, int]:
    from hybridroute.cli.assemble import settings_of
    from hybridroute.router_source import open_bundle

    router = settings_of({"router": {"bundle": bundle}}).router
    return open_bundle(router.bundle), router.threads


def _pair(bundle: Bundle, names: tuple[str | None, str | None]) -> tuple[str, str]:
    held = bundle.model_names or (None, None)
    edge, cloud = (given or own for given, own in zip(names, held, strict=True))
    if edge is None or cloud is None:
        raise typer.BadParameter("the bundle names no models; give --edge and --cloud")
    return edge, cloud


def _scored(
    bundle: Bundle,
    table: OutcomeTable,
    pair: tuple[str, str],
    quality_range: QualityRange,
    threads: int,
) -> BundleRows:
    from hybridroute.cli.prompt_quantiles import scoring_bar
    from hybridroute.training.promise.bundle_rows import bundle_rows

    with scoring_bar() as progress:
        task = progress.add_task("scoring", total=len(table))
        return bundle_rows(
            bundle,
            table,
            *pair,
            quality_range=quality_range,
            threads=threads,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _counts(held: BundleRows, fitted: Fitted | None) -> dict[str, Any]:
    return {
        **({} if fitted is None else fitted.to_dict()),
        "n": held.rows.n,
        "n_seen_in_training": held.seen,
        "n_out_of_scope": held.out_of_scope,
        "rows_without_the_pair": held.without_the_pair,
        "duplicates": held.duplicates,
    }


def _body(out: Path, edge: str, cloud: str, promises: Promises) -> dict[str, Any]:
    from hybridroute.edge_runtime.chat import plain

    return {
        "bundle": str(out),
        "edge": edge,
        "cloud": cloud,
        "promises": plain(promises.kept),
    }


def _say_infeasible(held: BundleRows, fitted: Fitted, *, json: bool) -> None:
    from hybridroute.cli.output import say

    if json:
        print_json(_counts(held, fitted))
    more = (
        "no threshold's drop is under the limit, so more outcomes would not help"
        if fitted.needed_n is None
        else f"about {fitted.needed_n} would, if they are like these"
    )
    say(
        f"hybridroute: {held.rows.n} outcomes do not support a drop of at most "
        f"{fitted.limit.max_drop:g} ({fitted.limit.kind}) with {fitted.limit.confidence:g} "
        f"confidence: {more}. No bundle was written"
    )


def _show(held: BundleRows, fitted: Fitted | None, promises: Promises, out: Path) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = console()
    table = Table("at most", "confidence", "stay on the edge", "measured drop", box=SIMPLE_HEAD)
    for one in promises.kept:
        share = f"{one.cost_advantage:.1%}" if one.feasible else "infeasible"
        needed = "" if one.feasible or one.needed_n is None else f", needs {one.needed_n}"
        table.add_row(
            f"{one.max_drop:g} {one.kind}",
            f"{one.confidence:g}",
            share + needed,
            f"{one.drop:.4f}",
        )
    shown.print(table)
    if fitted is not None:
        shown.print(
            f"A drop of at most {fitted.limit.max_drop:g} ({fitted.limit.kind}) with "
            f"{fitted.limit.confidence:g} confidence: {fitted.cost_advantage:.1%} of the queries "
            f"stay on the edge (threshold {fitted.threshold:.3f}).",
            markup=False,
        )
        if fitted.note is not None:
            shown.print(f"Note: {fitted.note}.", style="yellow", markup=False)
    if held.seen:
        shown.print(f"{held.seen} rows were seen in training and left out.", markup=False)
    shown.print(
        f"Measured on {held.rows.n} outcomes. The new bundle is in {out}; it holds for these two "
        "models and for queries like these (docs/promise.md).",
        markup=False,
    )

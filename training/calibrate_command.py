"""``hybridroute calibrate``: promises from labelled outcomes, or quantiles from bare prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridroute.cli.options import DropName
from hybridroute.cli.ranges import within
from hybridroute.training.calibrate_usage import check_usage
from hybridroute.training.outcome_options import Aliases, Json, More, read_table
from hybridroute.training.wrong_usage import wrong_usage

if TYPE_CHECKING:
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.training.outcomes import OutcomeTable
    from hybridroute.training.promise.bundle_rows import BundleRows
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
    add: Annotated[
        list[Path] | None,
        typer.Option(
            help="Decision logs with feedback, or their exports: promises from ratings.",
            rich_help_panel=_LABELLED,
        ),
    ] = None,
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
        typer.Option(
            help="Most quality to lose on average.",
            rich_help_panel=_LABELLED,
            callback=within(0, 1, low_in=False, high_in=False),
        ),
    ] = None,
    drop_kind: Annotated[
        DropName | None,
        typer.Option(
            help="What --max-drop is a share of: nothing (by default), the cloud's quality, or "
            "the gap (1 - PGR).",
            rich_help_panel=_LABELLED,
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            help="Of --max-drop, 0 to 1; 0.9 if not said.",
            rich_help_panel=_LABELLED,
            callback=within(0, 1, low_in=False, high_in=False),
        ),
    ] = None,
    quality_range: Annotated[
        str | None,
        typer.Option(
            help="LOW,HIGH: the least and largest a quality can ever be; 0,1 if not said.",
            rich_help_panel=_LABELLED,
        ),
    ] = None,
    map_scores: Annotated[
        bool,
        typer.Option(
            "--map-scores",
            help="Fit a map from score to probability on a fifth of the rows, the rest on others.",
            rich_help_panel=_LABELLED,
        ),
    ] = False,
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
    --add (feedback on answers): the same, as far as ratings of one arm allow it. With --prompts
    (no labels): which threshold keeps which share of them on the edge, no more.
    """
    options = {
        "--edge": edge,
        "--cloud": cloud,
        "--max-drop": max_drop,
        "--drop-kind": drop_kind,
        "--confidence": confidence,
        "--quality-range": quality_range,
        "--map-scores": map_scores or None,
        "--alias": alias or None,
        "more files": more or None,
    }
    sources = {"--outcomes": outcomes, "--add": add, "--prompts": prompts}
    check_usage(_given(sources), _given(options))
    if prompts is not None:
        from hybridroute.cli.prompt_quantiles import calibrate_on_prompts

        calibrate_on_prompts(prompts, out, bundle, json=json)
        return
    limit = _limit(max_drop, confidence, drop_kind)
    if add is not None:
        from hybridroute.training.calibrate_ratings import calibrate_on_ratings

        calibrate_on_ratings(_opened(bundle)[0], add, limit, out, json=json)
        return
    held_range = _range(quality_range or "0,1")
    table = read_table([*(outcomes or []), *(more or [])], alias or [])
    _on_outcomes(
        table,
        (edge, cloud),
        limit,
        held_range,
        _Places(bundle=bundle, out=out, map_scores=map_scores, json=json),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where a calibration reads and writes, and how much it changes."""

    bundle: str | None
    out: Path
    map_scores: bool
    json: bool


def _given(options: Mapping[str, object]) -> list[str]:
    return [name for name, value in options.items() if value is not None]


def _limit(max_drop: float | None, confidence: float | None, kind: DropName | None) -> Limit | None:
    from hybridroute.promise import CONFIDENCE
    from hybridroute.training.promise.outcomes import Limit

    if max_drop is None:
        return None
    return Limit(
        max_drop=max_drop,
        confidence=CONFIDENCE if confidence is None else confidence,
        kind="absolute" if kind is None else kind.value,
    )


def _range(text: str) -> QualityRange:
    from hybridroute.training.promise.outcomes import QualityRange

    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not LOW,HIGH", param_hint="--quality-range") from exc
    with wrong_usage("--quality-range"):
        return QualityRange(low=low, high=high)


def _on_outcomes(
    table: OutcomeTable,
    names: tuple[str | None, str | None],
    limit: Limit | None,
    quality_range: QualityRange,
    places: _Places,
) -> None:
    from hybridroute.edge_runtime.bundle import check_place
    from hybridroute.training.calibrate_output import Calibrated, refusals, say_infeasible, show
    from hybridroute.training.promise.fit import fit_promise
    from hybridroute.training.recalibrate import map_scores, with_promises, without_map

    opened, threads = _opened(places.bundle)
    check_place(places.out)
    edge, cloud = _pair(opened, names)
    if places.map_scores:
        opened = without_map(opened)
    chosen = fitted = None
    with refusals(limit, quality_range, json=places.json):
        held = _scored(opened, table, (edge, cloud), quality_range, threads)
        if places.map_scores:
            mapped = map_scores(opened, held, edge, cloud)
            opened, held, chosen = mapped.bundle, mapped.held, mapped.chosen
        if limit is not None:
            fitted = fit_promise(held.rows, limit)
    done = Calibrated(edge=edge, cloud=cloud, counts=held.counts, fitted=fitted, chosen=chosen)
    if fitted is not None and not fitted.feasible:
        say_infeasible(done, json=places.json)
        raise typer.Exit(1)
    made = with_promises(opened, held, edge, cloud, [] if fitted is None else [fitted])
    made.save_pretrained(places.out)
    show(done, made.manifest, places.out, json=places.json)


def _opened(bundle: str | None) -> tuple[Bundle, int]:
    from hybridroute.cli.assemble import settings_of
    from hybridroute.router_source import open_pair_bundle

    router = settings_of({"router": {"bundle": bundle}}).router
    return open_pair_bundle(router.bundle), router.threads


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

"""``hybridroute evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.output import console, print_json
from hybridroute.cli.ranges import within
from hybridroute.training.outcome_options import (
    Aliases,
    Json,
    More,
    Outcomes,
    both_arms,
    named,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.training.evaluate_pair import Judged
    from hybridroute.training.outcomes import OutcomeTable
    from hybridroute.training.report_page.assemble import Wanted

_REPORT = "Report"


def evaluate(
    *,
    outcomes: Outcomes,
    more: More = None,
    edge: Annotated[
        str | None, typer.Option(help="The small model's name in the outcomes; not for a pool.")
    ] = None,
    cloud: Annotated[
        str | None, typer.Option(help="The large model's name in the outcomes; not for a pool.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle's folder; the default bundle if left out.")
    ] = None,
    alias: Aliases = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a page with figures (report.html, report.json, PNGs).",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FOLDER: another bundle for the report. May be given again.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    fit_outcomes: Annotated[
        list[Path] | None,
        typer.Option(
            help="Outcomes for the report's kNN and length to be fitted on; if left out, the rows "
            "judged against that the bundle was fitted or selected on.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    dial: Annotated[
        float | None,
        typer.Option(
            help="The setting the report shows; by default what a client starts with.",
            rich_help_panel=_REPORT,
            callback=within(0, 1),
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    json: Json = False,
) -> None:
    """Judge a bundle's exported router on outcomes: APGR, CPT50, CPT80, drops, the dial.

    A pool's bundle is judged by the figures of `hybridroute compare`.
    """
    from hybridroute.router_source import open_bundle, open_pair_bundle

    if report is None and (against or fit_outcomes or dial is not None):
        raise typer.BadParameter("--against, --fit-outcomes and --dial need --report FOLDER")
    others = [named(text, "--against", "FOLDER") for text in against or []]
    if report is not None:
        _check_place(report)
    opened = open_bundle(bundle)
    paths, aliases = [*outcomes, *(more or [])], alias or []
    if opened.manifest.pool is not None:
        _refuse_pair_options(edge, cloud, against, fit_outcomes, dial)
        from hybridroute.training.judging.evaluate_pool import evaluate_pool

        evaluate_pool(opened, read_table(paths, aliases), report, threads=threads, json=json)
        return
    from hybridroute.training.report_page.assemble import Wanted

    arms = both_arms(edge, cloud)
    wanted = Wanted(
        against=tuple((name, open_pair_bundle(Path(place))) for name, place in others),
        fit=read_table(fit_outcomes, aliases) if fit_outcomes else None,
        dial=dial,
        threads=threads,
    )
    _evaluate_pair(opened, read_table(paths, aliases), arms, wanted, report, json=json)


def _evaluate_pair(
    bundle: Bundle,
    table: OutcomeTable,
    arms: tuple[str, str],
    wanted: Wanted,
    report: Path | None,
    *,
    json: bool,
) -> None:
    from hybridroute.training.evaluate_pair import evaluate_judged, judged_rows
    from hybridroute.training.stage_progress import StageProgress

    edge, cloud = arms
    with StageProgress() as progress:
        progress.stage(f"scoring {len(table):,} rows")
        judged = judged_rows(bundle, table, edge, cloud, threads=wanted.threads)
        progress.stage(f"judging on {len(judged.table):,} rows, with intervals")
        found = evaluate_judged(bundle, judged)
        if report is not None:
            progress.stage("making the report, with its baselines")
            found["report"] = str(_report(bundle, judged, wanted, report))
    if json:
        print_json({"bundle": str(bundle.path), "edge": edge, "cloud": cloud, **found})
    else:
        _show_evaluation(found)


def _refuse_pair_options(*given: object) -> None:
    names = ("--edge", "--cloud", "--against", "--fit-outcomes", "--dial")
    for name, value in zip(names, given, strict=True):
        if value is not None and value != []:
            raise typer.BadParameter(
                "it is for two arms and a threshold, and this is a pool's bundle, which knows its "
                "arms; leave it out",
                param_hint=name,
            )


def _check_place(folder: Path) -> None:
    from hybridroute.training.report_page.files import check_report_place

    check_report_place(folder)


def _report(bundle: Bundle, judged: Judged, wanted: Wanted, folder: Path) -> Path:
    from hybridroute.training.report_page.assemble import report_of
    from hybridroute.training.report_page.files import write_report

    return write_report(report_of(bundle, judged, wanted), folder)


def _show_evaluation(found: dict[str, Any]) -> None:
    shown = console()
    shown.print(_figures(found))
    for remark, style in _remarks(found):
        shown.print(remark, style=style, markup=False)
    if found["dials"]:
        shown.print(_dials(found["dials"]))
    if "report" in found:
        shown.print(f"The report is in {found['report']}", markup=False, soft_wrap=True)


def _figures(found: Mapping[str, Any]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("", "value", box=SIMPLE_HEAD, show_header=False)
    for name in ("n", "edge_quality", "cloud_quality", "apgr", "cpt50", "cpt80"):
        value = found[name]
        text = "-" if value is None else f"{value:.4g}"
        if name == "apgr" and found["apgr_interval"]:
            text += " [{:.3f}, {:.3f}]".format(*found["apgr_interval"])
        table.add_row(name, text)
    for name in ("n_seen_in_training", "n_seen_in_calibration"):
        table.add_row(name, "not stored" if found[name] is None else str(found[name]))
    if found["n_out_of_scope"]:
        table.add_row("n_out_of_scope", str(found["n_out_of_scope"]))
    return table


def _remarks(found: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """What must be known of the figures, each with its style."""
    from hybridroute.training.left_out import LeftOut

    if found["n_out_of_scope"]:
        yield (
            f"{found['n_out_of_scope']} of these rows are out of scope (too many tokens unknown to "
            "the router): they are the cloud's at every setting, as a client sends them there.",
            "yellow",
        )
    left_out = LeftOut.of(found).in_words()
    if left_out:
        yield f"Left out: {left_out}.", "yellow"
    if found["pgr_undefined"]:
        yield f"No PGR: {found['pgr_undefined']}", None
    if found["n_seen_in_training"]:
        apart = found["unseen"]
        held = f"{found['n_seen_in_training']} of these rows were seen in training"
        if apart and apart["apgr"] is not None:
            held += f"; without them APGR is {apart['apgr']:.3f} on {apart['n']} rows"
        yield f"{held}.", "yellow"


def _dials(rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    dials = Table("dial asked", "realised", "cloud share expected", "cloud share", box=SIMPLE_HEAD)
    for row in rows:
        realised = "-" if row["realised"] is None else f"{row['realised']:.2f}"
        dials.add_row(
            f"{row['dial']:g}",
            realised,
            f"{row['expected_cloud_share']:.1%}",
            f"{row['cloud_share']:.1%}",
        )
    return dials

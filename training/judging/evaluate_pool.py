"""``hybridroute evaluate`` of a pool's bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hybridroute.cli.output import console, print_json

if TYPE_CHECKING:
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.training.judging.made_bundle import JudgedPool
    from hybridroute.training.outcomes import OutcomeTable


def evaluate_pool(
    bundle: Bundle, table: OutcomeTable, report: Path | None, *, threads: int, json: bool
) -> None:
    """Judge, write the page if one is wanted, and show what came of it."""
    from hybridroute.training.judging.made_bundle import judge_pool
    from hybridroute.training.stage_progress import StageProgress

    places = {}
    with StageProgress() as progress:
        progress.stage(f"scoring and judging {len(table):,} rows")
        judged = judge_pool(bundle, table, threads=threads)
        if report is not None:
            from hybridroute.training.compare_page.files import write_comparison

            progress.stage("making the report")
            places["report"] = str(write_comparison(judged.found, report))
    if json:
        print_json({"bundle": str(bundle.path), **judged.to_dict(), **places})
        return
    _show(judged)
    for name, place in places.items():
        console().print(f"The {name} is in {place}", markup=False, soft_wrap=True)


def _show(judged: JudgedPool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from hybridroute.training.judging.shown import show

    show(judged.found)
    known = judged.n_seen_in_calibration
    if known != 0:
        said = "The bundle does not store which rows" if known is None else f"{known} of these rows"
        console().print(f"{said} set its tables.", style="yellow", markup=False)
    if not judged.dials:
        return
    table = Table(
        "dial asked", "quality expected", "quality", "$/1,000 expected", "$/1,000", box=SIMPLE_HEAD
    )
    for row in judged.dials:
        table.add_row(
            f"{row.dial:g}",
            f"{row.expected_quality:.3f}",
            f"{row.quality:.3f}",
            f"{1000 * row.expected_usd:.3g}",
            f"{1000 * row.usd:.3g}",
        )
    console().print(table)

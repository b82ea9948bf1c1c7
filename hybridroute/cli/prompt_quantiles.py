"""``hybridroute calibrate --prompts``: the score quantiles of one's own prompts, without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridroute.cli import options
from hybridroute.cli.output import console, print_json

if TYPE_CHECKING:
    from hybridroute.own_prompts import OwnPrompts

_TENTHS = tuple(i / 10 for i in range(1, 10))


def calibrate_on_prompts(prompts: Path, out: Path, bundle: str | None, *, json: bool) -> None:
    """Measure on prompts which threshold keeps which share of them on the edge, and say so.

    Raises
    ------
    DataError, BundleError
        If the prompts cannot be read, or the new bundle cannot be written.
    """
    from hybridroute.cli.assemble import settings_of
    from hybridroute.own_prompts import read_prompts, with_own_quantiles
    from hybridroute.router_source import open_pair_bundle

    router = settings_of(options.as_flags(bundle=bundle)).router
    opened = open_pair_bundle(router.bundle)
    texts = read_prompts(prompts)
    scorer = opened.scorer(threads=router.threads)
    with scoring_bar() as progress:
        task = progress.add_task("scoring", total=len(texts))
        measured = with_own_quantiles(
            opened,
            scorer,
            texts,
            source=f"{prompts.name}, {len(texts)} prompts",
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    measured.bundle.save_pretrained(out)
    if json:
        print_json(_body(measured, out))
    else:
        _show(measured, out)


def thresholds_of(measured: OwnPrompts) -> dict[float, float]:
    """The threshold for cost advantage .1, .2, ..., .9."""
    from hybridroute.setting import Setting
    from hybridroute.threshold_policy import ThresholdPolicy

    policy = ThresholdPolicy(measured.bundle.manifest, ())
    return {c: policy.threshold(Setting(cost_advantage=c)) for c in _TENTHS}


def _body(measured: OwnPrompts, out: Path) -> dict[str, Any]:
    return {
        "bundle": str(out),
        "n": measured.n,
        "out_of_scope": measured.out_of_scope,
        "thresholds": [
            {"cost_advantage": share, "threshold": threshold}
            for share, threshold in thresholds_of(measured).items()
        ],
    }


def _show(measured: OwnPrompts, out: Path) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("cost advantage", "threshold", box=SIMPLE_HEAD)
    for column in table.columns:
        column.justify = "right"
    for share, threshold in thresholds_of(measured).items():
        table.add_row(f"{share:.1f}", f"{threshold:.4f}")
    shown = console()
    shown.print(table)
    shown.print(
        f"Measured on {measured.n} prompts. The new bundle is in {out}; use it with --bundle or "
        "HYBRIDROUTE_ROUTER_BUNDLE.",
        markup=False,
    )
    if measured.out_of_scope:
        shown.print(
            f"{measured.out_of_scope} more are out of scope (too many tokens unknown to the "
            "router): they go to the out-of-scope arm, whatever the threshold.",
            markup=False,
        )
    if measured.n < 100:
        shown.print("Fewer than 100 prompts: take the shares as rough.", style="yellow")


def scoring_bar() -> Any:
    """A progress bar on standard error, where that is a terminal."""
    from rich.progress import Progress

    shown = console(stderr=True)
    return Progress(console=shown, transient=True, disable=not shown.is_terminal)

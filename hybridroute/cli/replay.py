"""``hybridroute replay``: what another setting would have done with the logged requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridroute.cli import options
from hybridroute.cli.output import console, print_json
from hybridroute.cli.usage import check_one, check_promise_words

if TYPE_CHECKING:
    from hybridroute.replay import Replay


def replay(
    *,
    log: Annotated[Path, typer.Option(help="The decision log, an SQLite file.")],
    dial: options.Dial = None,
    threshold: options.Threshold = None,
    cost_advantage: options.CostAdvantage = None,
    max_drop: options.MaxDrop = None,
    confidence: options.Confidence = None,
    drop_kind: options.DropKind = None,
    bundle: options.Bundle = None,
    json: options.Json = False,
) -> None:
    """Estimate what another dial would have cost, and lost, on the requests of a decision log.

    No model is called. Costs take the tokens of the answers that were given.
    """
    from hybridroute.cli.assemble import settings_of
    from hybridroute.promise import promise_from
    from hybridroute.replay import replay as replayed
    from hybridroute.router_source import open_pair_bundle
    from hybridroute.setting import Setting

    amounts = {"--dial": dial, "--threshold": threshold, "--cost-advantage": cost_advantage}
    check_one({**amounts, "--max-drop": max_drop}, is_needed=True)
    check_promise_words({"confidence": confidence, "drop_kind": drop_kind}, max_drop)
    setting = Setting(
        dial=dial,
        threshold=threshold,
        cost_advantage=cost_advantage,
        promise=promise_from(max_drop, confidence, None if drop_kind is None else drop_kind.value),
    )
    router = settings_of(options.as_flags(bundle=bundle)).router
    found = replayed(log, setting, open_pair_bundle(router.bundle))
    if json:
        print_json(found.to_dict())
        return
    out = console()
    for line in _lines(found):
        out.print(line, markup=False, soft_wrap=True)


def _lines(found: Replay) -> list[str]:
    lines = [
        f"{found.requests} requests, at {found.setting} instead (estimates):",
        f"cloud share {found.cloud_share_was:.1%} -> {found.cloud_share_would_be:.1%}; "
        f"{found.to_edge} would move to the edge, {found.to_cloud} to the cloud, "
        f"{found.fixed} were not the score's to decide",
    ]
    if found.cost_usd_was is None or found.cost_usd_would_be is None:
        lines.append("cost unknown: no prices are set for the cloud")
    else:
        left_out = f" ({found.unpriced} without a price left out)" if found.unpriced else ""
        lines.append(
            f"cost {found.cost_usd_was:.4f} -> {found.cost_usd_would_be:.4f} USD{left_out}"
        )
    if found.labelled:
        lines.append(
            f"mean quality {found.quality_was:.3f} -> {found.quality_would_be:.3f} on the "
            f"{found.labelled} requests with labels"
        )
    return [*lines, *_losses(found)]


def _losses(found: Replay) -> list[str]:
    lines = []
    if found.worse_expected is not None:
        side = "more" if found.worse_expected >= 0 else "fewer"
        lines.append(
            f"by the router's scores, {abs(found.worse_expected):.1f} {side} answers would be "
            "worse than the cloud's"
        )
    if found.quality_lost_expected is not None:
        way = "fall" if found.quality_lost_expected >= 0 else "rise"
        lines.append(
            f"by the bundle's calibration table ({found.quality_lost_from}), mean quality would "
            f"{way} by about {abs(found.quality_lost_expected):.3f}"
        )
    return lines or [
        "loss not estimated: the bundle's calibration is not for these arms, or its scores are no "
        "probabilities"
    ]

"""``hybridroute add-arm``: one more arm in a bundle, or another in its place."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hybridroute.cli.output import print_json
from hybridroute.cli.ranges import within
from hybridroute.training.magnitude import LARGEST
from hybridroute.training.outcome_options import Aliases, Json, More, Outcomes, read_table
from hybridroute.training.show_card import show_card


def add_arm(
    *,
    bundle: Annotated[Path, typer.Option(help="A bundle of `train --estimator`.")],
    outcomes: Outcomes,
    more: More = None,
    arm: Annotated[str, typer.Option(help="Its name in the outcomes; the pool's, to replace it.")],
    model: Annotated[str, typer.Option(help="Its model, where not its name.")] = "",
    cost: Annotated[
        float | None,
        typer.Option(
            help="US dollars of a query, in place of the outcomes' costs.",
            callback=within(0, LARGEST),
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the new bundle; may be the old one.")],
    alias: Aliases = None,
    json: Json = False,
) -> None:
    """Add an arm to a bundle, or replace one, from a few hundred outcomes and without retraining.

    The other arms' estimates stay as they are. The dial is calibrated anew on the outcomes given.
    """
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.training.pool.add_arm import NewArm
    from hybridroute.training.pool.add_arm import add_arm as run
    from hybridroute.training.stage_progress import StageProgress

    begun = time.perf_counter()
    table = read_table([*outcomes, *(more or [])], alias or [])
    with StageProgress() as progress:
        progress.stage(f"fitting {arm} on {len(table):,} rows, and calibrating")
        held, facts = run(
            Bundle.load(bundle),
            table,
            NewArm(name=arm, model=model or arm, usd=cost),
            out,
            command=shlex.join(["hybridroute", *sys.argv[1:]]),
        )
    if json:
        seconds = round(time.perf_counter() - begun, 3)
        print_json({"bundle": str(held.path), **facts, "seconds": seconds})
    else:
        show_card(held.path / "README.md")

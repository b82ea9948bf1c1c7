"""``hybridroute feedback``: note how good a logged answer was, or export what was noted."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from hybridroute.cli import options
from hybridroute.cli.output import print_json, say
from hybridroute.cli.ranges import within
from hybridroute.edge_runtime.errors import ConfigError


def feedback(
    *,
    log: Annotated[Path, typer.Option(help="The decision log, an SQLite file.")],
    decision: Annotated[
        str | None, typer.Option("--id", help="The id of the Decision to rate.")
    ] = None,
    good: Annotated[
        bool | None, typer.Option("--good/--bad", help="Whether its answer was good.")
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(help="In place of --good or --bad: from 0 to 1.", callback=within(0, 1)),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Export to this file; standard output if left out.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Rate the answer of one decision, or export all answered decisions as JSON lines.

    No prompt is in the export: id, time, router, arm, model, reason, score, propensity, quality.
    `hybridroute calibrate --add FILE` takes the log, or such an export.
    """
    if decision is None:
        if good is not None or quality is not None:
            raise typer.BadParameter("give --id, the Decision's, with --good, --bad or --quality")
        _export(log, out, json=json)
        return
    if (good is None) == (quality is None):
        raise typer.BadParameter("give one of --good, --bad and --quality")
    from hybridroute.decision_log import write_label
    from hybridroute.ratings import checked_quality

    value = checked_quality(good if quality is None else quality)
    write_label(log, id=decision, quality=value)
    if json:
        print_json({"id": decision, "quality": value})
    else:
        say(f"noted: {decision} has quality {value:g}")


def _export(log: Path, out: Path | None, *, json: bool) -> None:
    from hybridroute.ratings import read_ratings

    found = read_ratings(log)
    lines = [json_.dumps(one.to_dict(), allow_nan=False) for one in found]
    rated = sum(one.quality is not None for one in found)
    if out is None:
        for line in lines:
            typer.echo(line)
        return
    try:
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{out} cannot be written: {exc}") from exc
    if json:
        print_json({"out": str(out), "answers": len(found), "rated": rated})
    else:
        say(f"{len(found)} answers, {rated} of them rated, are in {out}")

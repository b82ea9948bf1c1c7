"""``hybridroute calibrate --add``: promises from what users said of the answers they got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.training.promise.fit import Fitted
    from hybridroute.training.promise.outcomes import Limit
    from hybridroute.training.promise.rated import Rated


def calibrate_on_ratings(
    bundle: Bundle, files: Sequence[Path], limit: Limit | None, out: Path, *, json: bool
) -> None:
    """Fit promises on the rated answers of decision logs, and write the bundle with them.

    Raises
    ------
    DataError
        If the ratings do not allow a conclusion.
    ConfigError
        If the bundle is not for two models.
    """
    from hybridroute.decision_log import bundle_name
    from hybridroute.edge_runtime.bundle import check_place
    from hybridroute.edge_runtime.errors import ConfigError
    from hybridroute.ratings import read_ratings
    from hybridroute.training.calibrate_output import Calibrated, refusals, say_infeasible, show
    from hybridroute.training.promise.fit import fit_promise
    from hybridroute.training.promise.outcomes import QualityRange
    from hybridroute.training.promise.rated import rated_rows

    check_place(out)
    if len(bundle.model_names) != 2:
        raise ConfigError(
            f"the bundle is for {len(bundle.model_names)} models; ratings make promises for two"
        )
    edge, cloud = bundle.model_names
    ratings = sorted(
        (one for file in files for one in read_ratings(file)), key=lambda one: (one.at, one.id)
    )
    rated = rated_rows(ratings, bundle=bundle_name(bundle), edge=edge, cloud=cloud)
    fitted = None
    if limit is not None:
        with refusals(limit, QualityRange(), json=json):
            fitted = fit_promise(rated.rows, limit)
    done = Calibrated(edge=edge, cloud=cloud, counts=rated.counts, fitted=fitted)
    if fitted is not None and not fitted.feasible:
        say_infeasible(done, json=json)
        raise typer.Exit(1)
    made = with_rated_promises(bundle, rated, [] if fitted is None else [fitted])
    made.save_pretrained(out)
    show(done, made.manifest, out, json=json)


def with_rated_promises(bundle: Bundle, rated: Rated, asked: Sequence[Fitted]) -> Bundle:
    """The bundle, in memory, with the promises that ratings support in place of its own."""
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.edge_runtime.manifest import SCHEMA_VERSION
    from hybridroute.training.promise.table import promise_table

    manifest, rows = bundle.manifest, rated.rows
    source = f"{rows.n} rated answers, {rated.explored} of them of an arm drawn at random"
    promises = promise_table(rows, source=source, calibration=manifest.calibration, asked=asked)
    made = replace(manifest, schema_version=SCHEMA_VERSION, promises=promises)
    return Bundle(bundle.path, made)

"""A bundle with new promises, or with a new map of its scores: the router itself is unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import (
    SCHEMA_VERSION,
    CalibratedArm,
    Calibration,
    Manifest,
)
from hybridroute.edge_runtime.probability_map import ProbabilityMap
from hybridroute.edge_runtime.promises import Promises
from hybridroute.training.calibrate import calibrate
from hybridroute.training.evaluate_pair import shift_of
from hybridroute.training.labels import labels_at
from hybridroute.training.out_of_scope import told
from hybridroute.training.probability_fit import (
    Chosen,
    choose_map,
    mapped_scores,
    reliability_of,
)
from hybridroute.training.promise.bundle_rows import BundleRows
from hybridroute.training.promise.fit import Fitted
from hybridroute.training.promise.table import promise_table

FIT_SHARE = 0.2
"""Of the rows, for the map; promises and what is measured of it stand on the others."""


def with_promises(
    bundle: Bundle, held: BundleRows, edge: str, cloud: str, asked: Sequence[Fitted]
) -> Bundle:
    """The bundle, in memory, with the promises of these rows.

    For the pair it was calibrated for, the dial's table stays. For another pair, table and arms
    become that pair's, measured on the same rows.
    """
    manifest, rows = bundle.manifest, held.rows
    source = told(f"{len(held.table)} outcomes of {held.table.source}", held.outside)
    calibration = manifest.calibration
    if calibration is None or bundle.model_names != (edge, cloud):
        calibration = calibrate(
            rows.scores, rows.edge_q, rows.cloud_q, source, outside=held.outside
        )
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mapped:
    """A bundle whose scores are mapped, and the rows that are left for everything else.

    Parameters
    ----------
    bundle : Bundle
        In memory. Its thresholds moved along the map.
    held : BundleRows
        Rows the map was not fitted on, their scores mapped.
    chosen : Chosen
    """

    bundle: Bundle
    held: BundleRows
    chosen: Chosen


def without_map(bundle: Bundle) -> Bundle:
    """The bundle with the scores of its graph as they are, its thresholds moved back.

    Raises
    ------
    ConfigError
        If the scores claim no probability, so that there is nothing to map them to.
    """
    if bundle.manifest.score_kind != "label":
        raise ConfigError(
            f"the bundle's scores are of kind {bundle.manifest.score_kind!r}, which claims no "
            "probability; only 'label' scores can be mapped. Leave --map-scores out"
        )
    return Bundle(bundle.path, remapped(bundle.manifest, None))


def map_scores(bundle: Bundle, held: BundleRows, edge: str, cloud: str) -> Mapped:
    """Fit and choose a map on a fifth of the rows, and measure it on the others.

    Parameters
    ----------
    bundle : Bundle
        Without a map; see :func:`without_map`.
    held : BundleRows
        Scored by it.

    Raises
    ------
    DataError
        If the fifth is too few rows.
    """
    labels = labels_at(held.table, edge, cloud, shift_of(bundle.manifest)).astype(np.float64)
    scores, inside = held.rows.scores, ~held.outside
    cut = int(FIT_SHARE * len(scores))
    fit = np.arange(len(scores)) < cut
    source = f"{int((fit & inside).sum())} outcomes of {held.table.source}"
    chosen = choose_map(scores[fit & inside], labels[fit & inside], source)
    rest = _rest(held, cut)
    measured = reliability_of(chosen.map, scores[~fit & inside], labels[~fit & inside])
    chosen = replace(chosen, measured=measured)
    if chosen.map is None:
        return Mapped(bundle=bundle, held=rest, chosen=chosen)
    found = replace(chosen.map, measured=measured)
    manifest = replace(remapped(bundle.manifest, found), schema_version=SCHEMA_VERSION)
    rows = replace(rest.rows, scores=mapped_scores(found, rest.rows.scores))
    return Mapped(
        bundle=Bundle(bundle.path, manifest),
        held=replace(rest, rows=rows),
        chosen=replace(chosen, map=found),
    )


def remapped(manifest: Manifest, new: ProbabilityMap | None) -> Manifest:
    """The manifest with another map, or none: every threshold keeps the queries it kept."""
    old = manifest.probability_map

    def move(values: Iterable[float]) -> tuple[float, ...]:
        raw = (value if old is None else old.inverse(value) for value in values)
        moved = np.array([value if new is None else new(value) for value in raw])
        # Scores are float32: a threshold is rounded down to one, so that a score equal to it stays.
        single = moved.astype(np.float32)
        single = np.where(single > moved, np.nextafter(single, np.float32(-1)), single)
        return tuple(np.maximum.accumulate(single.astype(np.float64)).tolist())

    def one(value: float) -> float:
        return move([value])[0]

    quantiles = manifest.score_quantiles
    return replace(
        manifest,
        probability_map=new,
        calibration=_moved_dial(manifest.calibration, move),
        score_quantiles=None
        if quantiles is None
        else replace(quantiles, values=move(quantiles.values)),
        promises=_moved_promises(manifest.promises, one),
        golden=tuple(replace(item, score=one(item.score)) for item in manifest.golden),
    )


def _moved_dial(
    calibration: Calibration | None, move: Callable[[Iterable[float]], tuple[float, ...]]
) -> Calibration | None:
    if calibration is None:
        return None
    dial = replace(calibration.dial, thresholds=move(calibration.dial.thresholds))
    return replace(calibration, dial=dial)


def _moved_promises(promises: Promises | None, one: Callable[[float], float]) -> Promises | None:
    if promises is None:
        return None
    kept = tuple(replace(item, threshold=one(item.threshold)) for item in promises.kept)
    return replace(promises, kept=kept)


def _rest(held: BundleRows, cut: int) -> BundleRows:
    rows = held.rows
    return replace(
        held,
        rows=replace(
            rows,
            scores=rows.scores[cut:],
            edge_q=rows.edge_q[cut:],
            cloud_q=rows.cloud_q[cut:],
            outside=rows.outside[cut:],
        ),
        table=held.table.select(range(cut, len(held.table))),
        outside=held.outside[cut:],
    )

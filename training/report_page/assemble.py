"""From scored rows to the report's numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridroute._version import __version__
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.training.bootstrap import resample_weights
from hybridroute.training.evaluate_pair import Judged, numbers_of, resampled_domains, shift_of
from hybridroute.training.metric_name import stated_metric
from hybridroute.training.out_of_scope import as_routed, outside_of
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.report_page.areas import standings
from hybridroute.training.report_page.at_setting import at_setting, chosen_setting, domain_rows
from hybridroute.training.report_page.contents import BundleFacts, Report
from hybridroute.training.report_page.fitted_baselines import (
    FitRows,
    apart_from,
    length_router,
    neighbour_router,
)
from hybridroute.training.report_page.label_shift import label_shift
from hybridroute.training.report_page.metric_matrix import metric_matrix
from hybridroute.training.report_page.reading import reading_of
from hybridroute.training.report_page.reliability import reliabilities
from hybridroute.training.report_page.routers import Router, Rows, oracle_router, random_router
from hybridroute.training.report_page.series import (
    ADVANTAGES,
    line_of,
    refused_relative,
    usual_resamples,
)
from hybridroute.training.rows_seen import count_seen_in_calibration

THIS = "this router"
_TAKEN = frozenset({THIS, "random", "oracle", "length"})
_NEIGHBOURS = "knn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to compare with, and how.

    Parameters
    ----------
    against : tuple of (name, Bundle)
        Other bundles, judged on the same rows.
    fit : OutcomeTable or None
        Rows for the baselines to be fitted on; judged ones among them are left out. None takes the
        judged table's rows that the router was fitted or selected on.
    dial : float or None
        The setting shown; None is the one a client starts with.

    Raises
    ------
    ConfigError
        If a name is given twice or is one of the report's own.
    """

    against: tuple[tuple[str, Bundle], ...] = ()
    fit: OutcomeTable | None = None
    dial: float | None = None
    threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        names = [name for name, _ in self.against]
        for name in names:
            own = name in _TAKEN or name.lower().startswith(_NEIGHBOURS)
            if own or names.count(name) > 1:
                raise ConfigError(f"--against {name!r}: that name is taken; give another one")


def report_of(bundle: Bundle, judged: Judged, wanted: Wanted) -> Report:
    """Judge the bundle beside all that is wanted, on rows that no bundle here has seen.

    Raises
    ------
    ConfigError
        If the dial is out of range, or the bundle cannot say what it means.
    DataError
        If a row to fit on has not both arms.
    """
    bundles = ((THIS, bundle), *wanted.against)
    models = (judged.edge, judged.cloud)
    setting, threshold = chosen_setting(bundle.manifest, models, wanted.dial)
    seen = _seen_by_any(judged, bundles)
    kept = np.ones(len(seen), dtype=np.bool_) if seen.all() else ~seen
    rows = _rows(judged, kept, wanted.seed)
    own = _bundle_routers(bundles, judged, kept, rows, wanted.threads)
    others, notes = _other_routers(bundle.manifest, rows, _fit_rows(judged, kept, wanted))
    routers = (*own, *others)
    at = at_setting(own[0], rows, setting, threshold)
    numbers = numbers_of(bundle.manifest, judged.select(kept))
    return Report(
        hybridroute_version=__version__,
        made=time.strftime("%Y-%m-%d"),
        edge=judged.edge,
        cloud=judged.cloud,
        bundles=tuple(_facts(name, held) for name, held in bundles),
        source=judged.table.source,
        n=len(rows.table),
        n_seen_in_training=int(seen.sum()),
        n_seen_in_calibration=count_seen_in_calibration(bundle.manifest, rows.table),
        judged_on_seen=bool(seen.all()),
        left_out=judged.left_out,
        resamples=len(rows.weights),
        resampled=rows.resampled,
        reading=reading_of(at, numbers),
        judged=numbers,
        at_setting=at,
        cost_advantages=ADVANTAGES,
        relative_refused=refused_relative(rows),
        lines=tuple(line_of(router, rows) for router in routers),
        standings=standings(routers, rows),
        reliability=reliabilities((*own, *_before_maps(bundles, own)), rows),
        labels=label_shift(rows, _fitted_t(bundle.manifest)),
        domains=domain_rows(own[0], rows, threshold),
        matrix=metric_matrix(own, rows),
        notes=(*notes, *_same_order(own)),
    )


def _seen_by_any(judged: Judged, bundles: Sequence[tuple[str, Bundle]]) -> NDArray[np.bool_]:
    known = {key for _, held in bundles for key in held.manifest.training_hashes}
    return np.array([key in known for key in judged.table.prompt_hashes()])


def _rows(judged: Judged, kept: NDArray[np.bool_], seed: int) -> Rows:
    table = judged.table.select(kept)
    domains = resampled_domains(table)
    return Rows(
        table=table,
        edge=judged.edge,
        cloud=judged.cloud,
        weights=resample_weights(
            len(table), domains, resamples=usual_resamples(len(table)), seed=seed
        ),
        resampled="rows" if domains is None else "domains, then rows",
    )


def _bundle_routers(
    bundles: Sequence[tuple[str, Bundle]],
    judged: Judged,
    kept: NDArray[np.bool_],
    rows: Rows,
    threads: int,
) -> tuple[Router, ...]:
    texts = rows.table.texts()
    found = []
    for place, (name, held) in enumerate(bundles):
        manifest = held.manifest
        # The judged bundle's scores are at hand; a comparison in float64 is what the policy does.
        scores, outside = judged.scores[kept], judged.outside[kept]
        if place:
            scorer = held.scorer(threads=threads)
            scores = scorer.score(texts)
            outside = outside_of(scorer, texts, manifest.unknown_token_limit)
        found.append(
            Router(
                name=name,
                kind="bundle" if place else "this",
                scores=as_routed(scores, outside),
                outside=outside,
                labelled_with=stated_metric(manifest.training),
                probability_at=shift_of(manifest) if manifest.score_kind == "label" else None,
            )
        )
    return tuple(found)


def _before_maps(
    bundles: Sequence[tuple[str, Bundle]], routers: Sequence[Router]
) -> tuple[Router, ...]:
    """Where scores are mapped to probabilities, the same router's scores before."""
    found = []
    for (name, bundle), router in zip(bundles, routers, strict=True):
        held = bundle.manifest.probability_map
        if held is not None:
            scores = np.array([held.inverse(score) for score in router.scores.tolist()])
            found.append(replace(router, name=f"{name}, before its map", scores=scores))
    return tuple(found)


def _fit_rows(judged: Judged, kept: NDArray[np.bool_], wanted: Wanted) -> FitRows:
    """For the baselines: the rows given for it, else what this router learnt from."""
    if wanted.fit is not None:
        table = judged.table.select(kept)
        fit = apart_from(wanted.fit, table, judged.edge, judged.cloud)
        return FitRows(table=fit, own=False)
    own = judged.table.select(judged.seen & ~kept)
    return FitRows(table=own if len(own) else None, own=True)


def _other_routers(
    manifest: Manifest, rows: Rows, held: FitRows
) -> tuple[tuple[Router, ...], tuple[str, ...]]:
    """The baselines and both ends, and notes on what they were fitted on or is left out."""
    table, edge, cloud, fit = rows.table, rows.edge, rows.cloud, held.table
    near = neighbour_router(table, fit, edge, cloud, max_tokens=manifest.max_tokens)
    routers = [
        length_router(table, fit, edge, cloud),
        random_router(len(table)),
        oracle_router(rows.edge_q, rows.cloud_q),
    ]
    notes = [*held.in_words()]
    if isinstance(near, str):
        notes.append(near)
    else:
        routers.insert(0, near)
    if fit is None or not len(fit):
        notes.append("length is not fitted: it sends the longer queries to the cloud")
    return tuple(routers), tuple(notes)


def _same_order(routers: Sequence[Router]) -> Iterable[str]:
    """Other bundles whose lines cannot be seen apart from the judged one's."""
    first = routers[0]
    for router in routers[1:]:
        if np.array_equal(router.scores, first.scores):
            yield f"{router.name} gives these rows the same scores as {first.name}"


def _facts(name: str, bundle: Bundle) -> BundleFacts:
    manifest = bundle.manifest
    labels = manifest.training.get("labels")
    kind = labels.get("kind") if isinstance(labels, Mapping) else None
    return BundleFacts(
        name=name,
        title=manifest.name,
        path=str(bundle.path),
        score_kind=manifest.score_kind,
        created=manifest.created,
        labels=kind if isinstance(kind, str) else None,
        labelled_with=stated_metric(manifest.training),
        training_rows=len(manifest.training_hashes),
    )


def _fitted_t(manifest: Manifest) -> float | None:
    labels = manifest.training.get("labels")
    held = labels.get("t_star") if isinstance(labels, Mapping) else None
    return float(held) if isinstance(held, (int, float)) else None

"""All that a plan asks to be fitted, one after the other, each as the graph that would ship."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import FitRows, fit_rows
from hybridroute.training.device_export import PARITY_TEXTS, DeviceModel, export_for_device
from hybridroute.training.fit import evidence_of
from hybridroute.training.fit_config import FitConfig, HeadsKind
from hybridroute.training.fit_seeds import OnStep, SeedFit, SelectionRows, fit_seeds
from hybridroute.training.frozen_fit import FrozenFit
from hybridroute.training.labels import Labels, labels_at
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.pair_split import PairSplit, can_select
from hybridroute.training.parity import APGR_ROWS
from hybridroute.training.router_model import ScoringNetwork
from hybridroute.training.score_map import ScoreMap, fit_score_map
from hybridroute.training.stages import OnStage, untold
from hybridroute.training.targets import QualityScale, Targets, targets_of
from hybridroute.training.training_plan import TrainingPlan

_WITHOUT_LABEL = ("ridge", "knn")
"""They learn the gap: another label changes nothing."""
_HEADS: Mapping[HeadsKind, str] = {"label": "label head", "arms": "head per arm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What all candidates of a run share; ``on_stage`` is told what is done with them."""

    plan: TrainingPlan
    split: PairSplit
    tokenizer: RouterTokenizer
    scale: QualityScale
    on_stage: OnStage = untold


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A fitted router, its score's map, the labels it learnt, and each seed's result."""

    model: ScoringNetwork
    config: FitConfig
    score_map: ScoreMap
    labels: Labels
    seeds: tuple[SeedFit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One fit of a plan, not carried out yet: ``fit`` does it, and raises as the fits do."""

    config: FitConfig
    fit: Callable[[], Candidate]

    @property
    def name(self) -> str:
        """What tells it from the others."""
        held = self.config
        if held.fit in _WITHOUT_LABEL:
            return held.fit
        if held.fit != "deberta":
            return f"{held.fit}, {held.label}"
        return f"{held.fit}, {held.label}, {_HEADS[held.heads]}, seed {held.seed}"


def attempts(
    line: Line, *, on_step: OnStep | None, frozen: FrozenFit | None = None
) -> Iterator[Attempt]:
    """A plan's fits in order: kinds, then labels, then heads, then seeds.

    Without ``select`` all seeds are one fit: the best of them. ``frozen`` holds the frozen
    encoder's states of the fit rows where they are at hand; they are computed once otherwise.
    """
    plan, fits = line.plan, _Fits(line, on_step, frozen)
    for kind in plan.kinds:
        for label in plan.label_kinds[:1] if kind in _WITHOUT_LABEL else plan.label_kinds:
            config = replace(plan.config, fit=kind, label=label)
            if kind != "deberta":
                yield Attempt(config=config, fit=partial(fits.frozen, config))
                continue
            for heads in plan.head_kinds:
                for seeds in [(seed,) for seed in plan.seeds] if plan.select else [plan.seeds]:
                    tuned = replace(config, heads=heads, seed=seeds[0])
                    yield Attempt(config=tuned, fit=partial(fits.tuned, tuned, seeds))


class _Fits:
    """Carries fits out; the frozen encoder's states are shared by its heads."""

    def __init__(self, line: Line, on_step: OnStep | None, frozen: FrozenFit | None) -> None:
        self._line = line
        self._on_step = on_step
        self._frozen = frozen

    def frozen(self, config: FitConfig) -> Candidate:
        """A head on the frozen encoder."""
        count = len(self._line.split.fit)
        self._line.on_stage(f"embedding {count:,} rows and fitting {config.fit}")
        targets, rows = self._learnt(config)
        self._frozen = self._frozen or FrozenFit(config, rows, max_bytes=self._line.plan.max_bytes)
        model = self._frozen.head(config, targets.values)
        return _candidate(self._line, model, config, targets, ())

    def tuned(self, config: FitConfig, seeds: tuple[int, ...]) -> Candidate:
        """The best of the seeds' fine-tuned networks."""
        plan, line = self._line.plan, self._line
        line.on_stage(f"fine-tuning on {len(line.split.fit):,} rows")
        targets, rows = self._learnt(config)
        selection, table = None, line.split.select
        if not plan.refit and can_select(table, plan.edge, plan.cloud):
            selection = SelectionRows.of(table, plan.edge, plan.cloud, line.tokenizer)
        chosen = fit_seeds(
            rows,
            selection,
            config,
            seeds=seeds if selection is not None else seeds[:1],
            folder=_folder(plan, config),
            on_step=self._on_step,
        )
        return _candidate(line, chosen.model, chosen.config, targets, chosen.seeds)

    def _learnt(self, config: FitConfig) -> tuple[Targets, FitRows]:
        targets = _targets(self._line, config)
        texts = self._line.split.fit.texts()
        return targets, fit_rows(texts, targets.values, self._line.tokenizer)


def _folder(plan: TrainingPlan, config: FitConfig) -> Path:
    """Where a fit's checkpoints lie: apart for labels and heads, where there are several."""
    place = plan.work if len(plan.label_kinds) == 1 else plan.work / config.label
    return place if len(plan.head_kinds) == 1 else place / config.heads


def exported(line: Line, candidate: Candidate) -> DeviceModel:
    """The graph of a candidate, checked against torch. Raises TrainingError as the export does."""
    plan, rows = line.plan, parity_rows(line.split)
    count = PARITY_TEXTS + len(rows)
    line.on_stage(f"exporting, and comparing the graph with torch on {count:,} texts")
    return export_for_device(
        candidate.model,
        candidate.score_map,
        line.tokenizer,
        rows=rows,
        edge=plan.edge,
        cloud=plan.cloud,
        weights=plan.weights,
        max_bytes=plan.max_bytes,
        seed=plan.split_seed,
    )


def _targets(line: Line, config: FitConfig) -> Targets:
    plan = line.plan
    return targets_of(
        line.split.fit,
        plan.edge,
        plan.cloud,
        kind=config.label,
        scale=line.scale,
        seed=plan.split_seed,
    )


def _candidate(
    line: Line,
    model: ScoringNetwork,
    config: FitConfig,
    targets: Targets,
    seeds: tuple[SeedFit, ...],
) -> Candidate:
    table = line.split.calibrate
    rows = fit_rows(table.texts(), np.zeros((len(table), 3), np.float32), line.tokenizer)
    # At the fit rows' t*: a t* of its own would give the same score two meanings.
    labels = labels_at(table, line.plan.edge, line.plan.cloud, targets.labels.t_star or 0.0)
    score_map = fit_score_map(model.score_kind, evidence_of(model, rows), labels)
    return Candidate(
        model=model, config=config, score_map=score_map, labels=targets.labels, seeds=seeds
    )


def parity_rows(split: PairSplit) -> OutcomeTable:
    """Selection rows; where they are fewer than ``APGR_ROWS``, filled up with fit rows.

    Few rows say little of an export: two of nearly equal score that change places move APGR by
    more than the limit. Fit rows serve as well, since nothing is judged here but whether two
    graphs order the same rows alike. With ``refit`` the selection rows are fit rows, too.
    """
    taken = set(split.select.prompt_hashes())
    more = [i for i, key in enumerate(split.fit.prompt_hashes()) if key not in taken]
    wanted = max(0, APGR_ROWS - len(split.select))
    return joined((split.select, split.fit.select(more[:wanted])))

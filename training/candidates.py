"""All that a plan asks to be fitted, one after the other, each as the graph that would ship."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import fit_rows
from hybridroute.training.device_export import DeviceModel, export_for_device
from hybridroute.training.fit import evidence_of
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import OnStep, SeedFit, SelectionRows, fit_seeds
from hybridroute.training.frozen_fit import FrozenFit
from hybridroute.training.labels import Labels, labels_at
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.pair_split import PairSplit
from hybridroute.training.router_model import ScoringNetwork
from hybridroute.training.score_map import ScoreMap, fit_score_map
from hybridroute.training.targets import QualityRange, Targets, targets_of

if TYPE_CHECKING:
    from hybridroute.training.pipeline import TrainingPlan

_PARITY_ROWS = 1000
_WITHOUT_LABEL = ("ridge", "knn")
"""They learn the gap: another label changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What all candidates of a run share."""

    plan: TrainingPlan
    split: PairSplit
    tokenizer: RouterTokenizer
    scale: QualityRange


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A fitted router, its score's map, the labels it learnt, and each seed's result."""

    model: ScoringNetwork
    config: FitConfig
    score_map: ScoreMap
    labels: Labels
    seeds: tuple[SeedFit, ...]

    @property
    def name(self) -> str:
        """What tells it from the others."""
        held = self.config
        if held.fit in _WITHOUT_LABEL:
            return held.fit
        return f"{held.fit}, {held.label}" + (
            f", seed {held.seed}" if held.fit == "deberta" else ""
        )


def candidates(line: Line, *, on_step: OnStep | None) -> Iterator[Candidate]:
    """Fit them in the plan's order: kinds, then labels, then seeds.

    Without ``select`` all seeds are one candidate: the best of them.
    """
    plan, frozen = line.plan, None
    for kind in plan.kinds:
        labels = plan.label_kinds[:1] if kind in _WITHOUT_LABEL else plan.label_kinds
        for label in labels:
            config = replace(plan.config, fit=kind, label=label)
            targets = _targets(line, config)
            rows = fit_rows(line.split.fit.texts(), targets.values, line.tokenizer)
            if kind != "deberta":
                frozen = frozen or FrozenFit(config, rows)
                model = frozen.head(config, targets.values)
                yield _candidate(line, model, config, targets, ())
                continue
            selection = SelectionRows.of(line.split.select, plan.edge, plan.cloud, line.tokenizer)
            folder = plan.work if len(plan.label_kinds) == 1 else plan.work / label
            for seeds in [(seed,) for seed in plan.seeds] if plan.select else [plan.seeds]:
                chosen = fit_seeds(
                    rows, selection, config, seeds=seeds, folder=folder, on_step=on_step
                )
                yield _candidate(line, chosen.model, chosen.config, targets, chosen.seeds)


def exported(line: Line, candidate: Candidate) -> DeviceModel:
    """The graph of a candidate, checked against torch. Raises TrainingError as the export does."""
    plan = line.plan
    return export_for_device(
        candidate.model,
        candidate.score_map,
        line.tokenizer,
        rows=_parity_rows(line.split),
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


def _parity_rows(split: PairSplit) -> OutcomeTable:
    """Selection rows, filled up with fit rows.

    Among a few dozen rows, two of nearly equal score that change places move APGR by more than
    the limit.
    """
    more = max(0, _PARITY_ROWS - len(split.select))
    return joined((split.select, split.fit.select(range(min(more, len(split.fit))))))

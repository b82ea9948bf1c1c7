"""The straight line: outcomes, split, labels, fit, export, calibrate, bundle, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from hybridroute.edge_runtime.bundle import Bundle, check_place
from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import fit_rows
from hybridroute.training.device_export import DeviceModel, WeightKind, export_for_device
from hybridroute.training.encoders import load_encoder
from hybridroute.training.fit import evidence_of
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import Chosen, OnStep, SelectionRows, fit_seeds
from hybridroute.training.labels import labels_at
from hybridroute.training.model_card import checkpoint_card
from hybridroute.training.new_bundle import new_manifest, with_report, write_bundle
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.pair_split import PairSplit, SplitBy, split_pair
from hybridroute.training.pretrained import PretrainedRouter
from hybridroute.training.report import report_on
from hybridroute.training.score_map import ScoreMap, fit_score_map
from hybridroute.training.targets import QualityRange, Targets, targets_of

_PARITY_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What to train on, how, and where to put it.

    Parameters
    ----------
    outcomes : OutcomeTable
    edge, cloud : str
        The arms' names in the table, which become the models the bundle is calibrated for.
    also_fit : OutcomeTable or None
        Rows used for fitting only.
    split_by, split_seed
        Whole domains or single prompts, by hash.
    seeds : sequence of int
        One fit each; the best on the selection rows is kept.
    weights, max_bytes
        Kind and limit of the exported graph.
    baselines : bool
        Whether to fit and judge the baselines too.
    sources : sequence of str
        Where the rows come from and under which licence, for the model card.
    licence : str or None
        The router's own, as hubs name licences, for the model card; None says ``unknown``.
    command : str
        What was typed, for the model card.
    """

    outcomes: OutcomeTable
    edge: str
    cloud: str
    config: FitConfig
    out: Path
    work: Path
    name: str
    also_fit: OutcomeTable | None = None
    split_by: SplitBy = "prompt"
    split_seed: int = 0
    seeds: tuple[int, ...] = (1,)
    weights: WeightKind = "int8"
    max_bytes: int = 32 * 10**6
    baselines: bool = True
    sources: tuple[str, ...] = ()
    licence: str | None = None
    command: str = ""

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ConfigError(f"seeds are {list(self.seeds)}; give one or more different ones")
        negative = [seed for seed in (*self.seeds, self.split_seed) if seed < 0]
        if negative:
            raise ConfigError(f"seed {negative[0]} is negative; give at least 0")
        out, work = self.out.resolve(), self.work.resolve()
        if work == out or out in work.parents:
            raise ConfigError(f"the work folder {self.work} lies in {self.out}; give another one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The bundle, the run's report (what ``train --json`` prints), and the fitted router's folder.

    ``checkpoint`` lies in the work folder; see :class:`PretrainedRouter`.
    """

    bundle: Bundle
    report: Mapping[str, Any]
    checkpoint: Path


def train(plan: TrainingPlan, *, on_step: OnStep | None = None) -> Trained:
    """Train a router and write its bundle.

    Raises
    ------
    DataError, TrainingError, ConfigError, BundleError
        As the stages do. What can be known to be wrong is raised before the fit.
    """
    check_place(plan.out)
    split = _split(plan)
    tokenizer = _tokenizer(plan.config)
    scale = QualityRange.of(split.fit, plan.edge, plan.cloud)
    targets = _targets(plan, split.fit, scale)
    chosen = fit_seeds(
        fit_rows(split.fit.texts(), targets.values, tokenizer),
        SelectionRows.of(split.select, plan.edge, plan.cloud, tokenizer),
        plan.config,
        seeds=plan.seeds,
        folder=plan.work,
        on_step=on_step,
    )
    score_map = _score_map(plan, split, targets, chosen, tokenizer)
    exported = _export(plan, split, chosen, score_map, tokenizer)
    facts = _run_facts(plan, split, chosen, exported) | {
        "labels": targets.labels.summary(),
        "quality_range": [scale.low, scale.high],
        "score_map": {"slope": score_map.slope, "offset": score_map.offset},
    }
    scorer = OnnxScorer(exported.onnx, tokenizer, score_kind=chosen.model.score_kind)
    manifest = new_manifest(plan, split, chosen.config, scorer, facts)
    tokenizer_file = tokenizer.to_json().encode("utf-8")
    bundle = write_bundle(plan.out, manifest, exported.onnx, tokenizer_file)
    report = {**facts, "report": report_on(bundle, plan, split)}
    bundle = with_report(bundle, report)
    router = PretrainedRouter(
        model=chosen.model, score_map=score_map, tokenizer=tokenizer, arms=(plan.edge, plan.cloud)
    )
    checkpoint = router.save_pretrained(
        plan.work / "pretrained", card=checkpoint_card(bundle.manifest), encoder=plan.config.encoder
    )
    return Trained(bundle=bundle, report=report, checkpoint=checkpoint)


def _split(plan: TrainingPlan) -> PairSplit:
    return split_pair(
        plan.outcomes,
        plan.edge,
        plan.cloud,
        by=plan.split_by,
        seed=plan.split_seed,
        also_fit=plan.also_fit,
    )


def _tokenizer(config: FitConfig) -> RouterTokenizer:
    encoder = load_encoder(config.encoder, position_buckets=config.position_buckets, dropout=0.0)
    if encoder.longest is not None and config.max_tokens > encoder.longest:
        raise ConfigError(
            f"max_tokens is {config.max_tokens}; the encoder {config.encoder} reads at most "
            f"{encoder.longest}"
        )
    held = Tokenizer.from_str(encoder.tokenizer_json)
    if held.get_vocab_size() > encoder.vocabulary:
        raise TrainingError(
            f"the tokenizer of {config.encoder} knows {held.get_vocab_size()} tokens and its "
            f"weights {encoder.vocabulary}; they do not belong together"
        )
    return RouterTokenizer(held, max_tokens=config.max_tokens)


def _targets(plan: TrainingPlan, table: OutcomeTable, scale: QualityRange) -> Targets:
    return targets_of(
        table,
        plan.edge,
        plan.cloud,
        kind=plan.config.label,
        scale=scale,
        seed=plan.split_seed,
    )


def _score_map(
    plan: TrainingPlan,
    split: PairSplit,
    targets: Targets,
    chosen: Chosen,
    tokenizer: RouterTokenizer,
) -> ScoreMap:
    table = split.calibrate
    rows = fit_rows(table.texts(), np.zeros((len(table), 3), np.float32), tokenizer)
    found = evidence_of(chosen.model, rows)
    # At the fit rows' t*: a t* of its own would give the same score two meanings.
    labels = labels_at(table, plan.edge, plan.cloud, targets.labels.t_star or 0.0)
    return fit_score_map(chosen.model.score_kind, found, labels)


def _export(
    plan: TrainingPlan,
    split: PairSplit,
    chosen: Chosen,
    score_map: ScoreMap,
    tokenizer: RouterTokenizer,
) -> DeviceModel:
    return export_for_device(
        chosen.model,
        score_map,
        tokenizer,
        rows=_parity_rows(split),
        edge=plan.edge,
        cloud=plan.cloud,
        weights=plan.weights,
        max_bytes=plan.max_bytes,
        seed=plan.split_seed,
    )


def _parity_rows(split: PairSplit) -> OutcomeTable:
    """Selection rows, filled up with fit rows.

    Among a few dozen rows, two of nearly equal score that change places move APGR by more than
    the limit.
    """
    more = max(0, _PARITY_ROWS - len(split.select))
    return joined((split.select, split.fit.select(range(min(more, len(split.fit))))))


def _run_facts(
    plan: TrainingPlan, split: PairSplit, chosen: Chosen, exported: DeviceModel
) -> dict[str, Any]:
    return {
        "command": plan.command,
        "sources": list(plan.sources),
        "licence": plan.licence,
        "data": plan.outcomes.source,
        "split": split.facts,
        "config": chosen.config.to_dict(),
        "seeds": [
            {"seed": item.seed, "select": item.value, "best_step": item.best_step}
            for item in chosen.seeds
        ],
        "chosen_seed": chosen.config.seed,
        "weights": exported.weights,
        "kept_fp32": len(exported.kept_fp32),
        "parity": exported.parity.to_dict(),
        "fp32_parity": exported.fp32_parity.to_dict(),
    }

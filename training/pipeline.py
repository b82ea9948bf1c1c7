"""The straight line: outcomes, split, labels, fit, export, calibrate, bundle, report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from hybridroute.edge_runtime.bundle import Bundle, check_place
from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.candidate_bundle import CandidateFolder, candidate_bundle
from hybridroute.training.candidates import Attempt, Candidate, Line, attempts, exported
from hybridroute.training.encoder_kinds import is_deberta
from hybridroute.training.encoders import load_encoder
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import OnStep
from hybridroute.training.model_card import checkpoint_card
from hybridroute.training.new_bundle import with_report
from hybridroute.training.pair_split import PairSplit, split_pair, with_selection_fitted
from hybridroute.training.pretrained import PretrainedRouter
from hybridroute.training.report import report_on
from hybridroute.training.router_model import RouterModel
from hybridroute.training.selection import Keep, select_best
from hybridroute.training.stages import OnStage, untold
from hybridroute.training.targets import QualityScale
from hybridroute.training.training_plan import TrainingPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The bundle, the run's report (what ``train --json`` prints), and the fitted router's folder.

    ``checkpoint`` lies in the work folder; see :class:`PretrainedRouter`. It is None where there is
    none: for a head on a frozen encoder, and for an encoder that is no DeBERTa.
    """

    bundle: Bundle
    report: Mapping[str, Any]
    checkpoint: Path | None


def train(
    plan: TrainingPlan, *, on_step: OnStep | None = None, on_stage: OnStage = untold
) -> Trained:
    """Train a router and write its bundle.

    ``on_step`` is told of each step of a fine-tuning: seed, step, steps in all, loss; ``on_stage``
    of each stage.

    Raises
    ------
    DataError, TrainingError, ConfigError, BundleError
        As the stages do. What can be known to be wrong is raised before the fit.
    """
    check_place(plan.out)
    line = line_of(plan, on_stage=on_stage)
    made = attempts(line, on_step=on_step)
    more = {}
    if plan.select:
        chosen, device, rows = select_best(line, _checked(plan, made), keep=_keep(line))
        more = {"selection": {"rows": len(line.split.select), "candidates": rows}}
    else:
        chosen = next(made).fit()
        device = exported(line, chosen)
    bundle, facts = candidate_bundle(
        line, chosen, device, place=plan.out, name=plan.name, more=more
    )
    beside = " and the baselines" if plan.baselines else ""
    on_stage(f"judging it{beside} on {len(line.split.test) + len(line.split.seen):,} rows")
    report = {**facts, "report": report_on(bundle, plan, line.split)}
    bundle = with_report(bundle, report)
    checkpoint = _checkpoint(plan, chosen, line.tokenizer, bundle)
    return Trained(bundle=bundle, report=report, checkpoint=checkpoint)


def _checked(plan: TrainingPlan, made: Iterator[Attempt]) -> Iterable[Attempt]:
    """What is to be fitted, once every candidate that is to be kept has its place."""
    if plan.keep_candidates is None:
        return made
    held = list(made)
    CandidateFolder(path=plan.keep_candidates).check(held)
    return held


def _keep(line: Line) -> Keep | None:
    place = line.plan.keep_candidates
    return None if place is None else partial(CandidateFolder(path=place).keep, line)


def line_of(plan: TrainingPlan, *, on_stage: OnStage = untold) -> Line:
    """The plan's rows, split, and what reads them. Raises as the readers and splits do."""
    on_stage(f"loading {plan.config.encoder}")
    split = _split(plan)
    return Line(
        plan=plan,
        split=split,
        tokenizer=_tokenizer(plan.config),
        scale=QualityScale.of(split.fit, plan.edge, plan.cloud),
        on_stage=on_stage,
    )


def _checkpoint(
    plan: TrainingPlan, chosen: Candidate, tokenizer: RouterTokenizer, bundle: Bundle
) -> Path | None:
    model = chosen.model
    if not isinstance(model, RouterModel) or not is_deberta(model.encoder):
        return None
    router = PretrainedRouter(
        model=model,
        score_map=chosen.score_map,
        tokenizer=tokenizer,
        arms=(plan.edge, plan.cloud),
    )
    return router.save_pretrained(
        plan.work / "pretrained", card=checkpoint_card(bundle.manifest), encoder=plan.config.encoder
    )


def _split(plan: TrainingPlan) -> PairSplit:
    split = split_pair(
        plan.outcomes,
        plan.edge,
        plan.cloud,
        by=plan.split_by,
        seed=plan.split_seed,
        also_fit=plan.also_fit,
    )
    return with_selection_fitted(split) if plan.refit else split


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

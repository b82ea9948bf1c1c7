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
from hybridroute.training.device_export import WeightKind
from hybridroute.training.encoder_kinds import is_deberta
from hybridroute.training.encoders import load_encoder
from hybridroute.training.fit_config import FitConfig, FitKind, HeadsKind, LabelKind
from hybridroute.training.fit_seeds import OnStep
from hybridroute.training.model_card import checkpoint_card
from hybridroute.training.new_bundle import with_report
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import PairSplit, SplitBy, split_pair, with_selection_fitted
from hybridroute.training.pretrained import PretrainedRouter
from hybridroute.training.report import report_on
from hybridroute.training.router_model import RouterModel
from hybridroute.training.selection import Keep, select_best
from hybridroute.training.targets import QualityScale


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
    fits, labels, heads : sequence of str
        Kinds of fits, labels and heads, each with each; none stands for the one in ``config``.
    select : bool
        Judge the exported graph of every fit, label, heads and seed on the selection rows, and
        keep the best; it is needed where there is more than one fit, label or heads.
    refit : bool
        Fit on the selection rows, too, with the configuration as it stands, and keep the last
        weights: once the configuration has been chosen. Takes one fit and one seed.
    keep_candidates : Path or None
        With ``select``: where every candidate's bundle is kept, in a folder of its own.
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
    fits: tuple[FitKind, ...] = ()
    labels: tuple[LabelKind, ...] = ()
    heads: tuple[HeadsKind, ...] = ()
    select: bool = False
    refit: bool = False
    keep_candidates: Path | None = None
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
        for name in ("fits", "labels", "heads"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ConfigError(f"{name} are {list(values)}; give each once")
        if not self.select and len(self.kinds) * len(self.label_kinds) * len(self.head_kinds) > 1:
            raise ConfigError(
                f"fits {list(self.kinds)} with labels {list(self.label_kinds)} and heads "
                f"{list(self.head_kinds)} are several candidates; give --select to keep the best "
                "on the selection rows"
            )
        if self.keep_candidates is not None and not self.select:
            raise ConfigError(
                f"candidates are to be kept in {self.keep_candidates}, and there is one fit alone; "
                "give --select too, or leave --keep-candidates out"
            )
        if self.refit and (self.select or len(self.seeds) > 1):
            raise ConfigError("refit leaves no rows to select by; give one seed, and no --select")
        out, work = self.out.resolve(), self.work.resolve()
        if work == out or out in work.parents:
            raise ConfigError(f"the work folder {self.work} lies in {self.out}; give another one")
        kept = None if self.keep_candidates is None else self.keep_candidates.resolve()
        if kept is not None and (kept == out or out in kept.parents):
            raise ConfigError(f"the candidates' folder {kept} lies in {self.out}; give another one")

    @property
    def kinds(self) -> tuple[FitKind, ...]:
        """The fits of this run."""
        return self.fits or (self.config.fit,)

    @property
    def label_kinds(self) -> tuple[LabelKind, ...]:
        """The labels of this run."""
        return self.labels or (self.config.label,)

    @property
    def head_kinds(self) -> tuple[HeadsKind, ...]:
        """The heads of this run's fine-tuned networks."""
        return self.heads or (self.config.heads,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The bundle, the run's report (what ``train --json`` prints), and the fitted router's folder.

    ``checkpoint`` lies in the work folder; see :class:`PretrainedRouter`. It is None where there is
    none: for a head on a frozen encoder, and for an encoder that is no DeBERTa.
    """

    bundle: Bundle
    report: Mapping[str, Any]
    checkpoint: Path | None


def train(plan: TrainingPlan, *, on_step: OnStep | None = None) -> Trained:
    """Train a router and write its bundle.

    Raises
    ------
    DataError, TrainingError, ConfigError, BundleError
        As the stages do. What can be known to be wrong is raised before the fit.
    """
    check_place(plan.out)
    line = line_of(plan)
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


def line_of(plan: TrainingPlan) -> Line:
    """The plan's rows, split, and what reads them. Raises as the readers and splits do."""
    split = _split(plan)
    return Line(
        plan=plan,
        split=split,
        tokenizer=_tokenizer(plan.config),
        scale=QualityScale.of(split.fit, plan.edge, plan.cloud),
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

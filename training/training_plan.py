"""What to train a router of two arms on, how, and where to put it: one object, checked at birth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.fit_config import FitConfig, FitKind, HeadsKind, LabelKind, WeightKind
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import SplitBy


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

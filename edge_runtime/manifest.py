"""What a bundle says of itself: manifest.json as frozen dataclasses, checked when read.

Schema 3; schemas 1 (without ``promises``) and 2 (without ``pool``) are read too. A reader refuses a
newer schema; unknown keys are an error within a known one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.grid import check_grid, check_rising
from hybridroute.edge_runtime.pool import Pool
from hybridroute.edge_runtime.probability_map import ProbabilityMap
from hybridroute.edge_runtime.promises import Promises
from hybridroute.edge_runtime.protocols import EstimateKind, PairKind, ScoreKind
from hybridroute.edge_runtime.typed_json import parse_json, read_as

SCHEMA_VERSION = 3
_READ = range(1, SCHEMA_VERSION + 1)
ALL_CLOUD_THRESHOLD = 1.01
"""Above every score: with it, everything goes to the cloud."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_MOST_TOKENS = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file of the bundle."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DialTable:
    """What each dial setting d = i / GRID does, i = 0..GRID (each tuple has GRID + 1 entries).

    Parameters
    ----------
    thresholds : tuple of float
        Edge if score >= threshold. Non-decreasing.
    cloud_share : tuple of float
        Expected share of queries answered in the cloud, in [0, 1]; those that are out of scope
        among them, at dial 0 as well.
    quality : tuple of float
        Expected mean quality of the routed answers, in units of q.
    """

    thresholds: tuple[float, ...]
    cloud_share: tuple[float, ...]
    quality: tuple[float, ...]

    def __post_init__(self) -> None:
        for item in fields(self):
            check_grid(f"dial.{item.name}", getattr(self, item.name))
        check_rising("dial.thresholds", self.thresholds)
        if not all(0.0 <= share <= 1.0 for share in self.cloud_share):
            raise BundleError("dial.cloud_share holds a value outside 0 to 1; make it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The calibration curve of one pair of arms, measured on ``n`` labelled queries.

    ``edge_quality``, ``cloud_quality`` and ``best_quality`` are means of q over the calibration
    rows: all-edge, all-cloud, and the maximum of the curve made non-decreasing. Rows out of scope
    are the cloud's in all three.
    ``best_gain_se`` is the standard error of best_quality - edge_quality. ``flat`` says that the
    gain is under 2 standard errors, so that the dial has nothing to turn; ``flat_reason`` says why.
    """

    source: str
    n: int
    edge_quality: float
    cloud_quality: float
    cloud_quality_se: float
    best_quality: float
    best_gain_se: float
    flat: bool
    flat_reason: str | None = None
    dial: DialTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreQuantiles:
    """Quantiles of the scores at i / GRID, i = 0..GRID: from a cost advantage to a threshold."""

    source: str
    n: int
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        check_grid("score_quantiles.values", self.values)
        check_rising("score_quantiles.values", self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedArm:
    """An arm the bundle was calibrated for; ``model`` is what is compared."""

    name: str
    model: str
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenVector:
    """text -> token ids -> score, so that any runtime can check itself.

    A pool's router gives ``estimates``, one an arm; ``score`` is then the first of them.
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    estimates: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A bundle's manifest.

    Parameters
    ----------
    score_kind : PairKind or, of a pool, EstimateKind
        What the score, or each arm's estimate, is; thresholds are not comparable across kinds.
    text_rule : str
        The name of the rule that turns messages into the routed text.
    max_tokens : int
        Input length, special tokens included; longer texts are cut from the left.
    unknown_token_limit : float
        A query with a larger share of unknown tokens is out of scope.
    arms : tuple of CalibratedArm
        In the order edge, cloud; of a pool the cheapest first.
    calibration, score_quantiles
        Of two arms; None for a pool.
    pool : Pool or None
        Where the router estimates each of several arms.
    probability_map : ProbabilityMap or None
        What turns the graph's output into the score, of ``label`` scores alone; None leaves it.
    promises : Promises or None
        Limits on the quality drop that hold with stated confidence, for these arms.
    training_hashes : tuple of str
        Short prompt hashes of the rows the router was fitted or selected on.
    training : mapping
        Everything needed to repeat the run: data, split, seed, command, configuration, numbers.
    files : mapping of str to FileRecord
        Every file of the bundle but the manifest.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    created: str
    hybridroute_version: str
    score_kind: ScoreKind
    text_rule: str
    max_tokens: int
    unknown_token_limit: float
    arms: tuple[CalibratedArm, ...]
    calibration: Calibration | None
    score_quantiles: ScoreQuantiles | None = None
    pool: Pool | None = None
    probability_map: ProbabilityMap | None = None
    promises: Promises | None = None
    golden: tuple[GoldenVector, ...] = ()
    training_hashes: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema_version not in _READ:
            raise BundleError(
                f"the bundle has schema {self.schema_version}; this hybridroute reads "
                f"{_READ[0]} to {SCHEMA_VERSION}. Upgrade hybridroute, or make the bundle again"
            )
        self._check_kind()
        if not 8 <= self.max_tokens <= _MOST_TOKENS:
            limits = f"from 8 to {_MOST_TOKENS}"
            raise BundleError(f"max_tokens is {self.max_tokens}; it must be {limits}")
        if not 0.0 <= self.unknown_token_limit <= 1.0:
            limit = self.unknown_token_limit
            raise BundleError(f"unknown_token_limit is {limit}; it must be from 0 to 1")
        for name in self.files:
            check_file_name(name)

    def _check_kind(self) -> None:
        kinds = get_args(PairKind if self.pool is None else EstimateKind)
        if self.score_kind not in kinds:
            raise BundleError(f"score_kind is {self.score_kind!r}; it must be one of {kinds}")
        if self.probability_map is not None and self.score_kind != "label":
            raise BundleError(
                f"probability_map stands beside scores of kind {self.score_kind!r}, which claim no "
                "probability; make the bundle again"
            )
        if self.pool is not None and self.calibration is not None:
            raise BundleError("a pool has its own calibration; the pair's must be null")

    def to_json(self) -> str:
        """The manifest as JSON text."""
        return json.dumps(plain(self), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read and check a manifest.

        Raises
        ------
        BundleError
            If it is not JSON, of a newer schema, or a field is missing, unknown, not finite or of
            a wrong type.
        """
        try:
            held = parse_json(text)
        except (ValueError, RecursionError) as exc:
            raise BundleError(f"manifest.json is not JSON ({exc}); fetch the bundle again") from exc
        if isinstance(held, dict) and not isinstance(held.get("schema_version"), int):
            raise BundleError("manifest.json states no schema_version; fetch the bundle again")
        if isinstance(held, dict) and held["schema_version"] > SCHEMA_VERSION:
            # Before the fields are looked at: a newer schema has others.
            version = held["schema_version"]
            raise BundleError(
                f"the bundle has schema {version}; this hybridroute reads up to {SCHEMA_VERSION}. "
                "Upgrade hybridroute"
            )
        return read_as(cls, held, "manifest")


def check_file_name(name: str) -> None:
    """Refuse what is not a plain file name: a bundle's files all lie in its own folder.

    Raises
    ------
    BundleError
        Names it.
    """
    if not _PLAIN_NAME.fullmatch(name):
        raise BundleError(f"{name!r} is not a plain file name; the bundle was altered")

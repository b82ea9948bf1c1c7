"""Ratings of answers -> rows to fit promises on. Only the arm that answered was seen.

With exploration every arm had a known chance of answering, its propensity p. The loss of a query,
q_cloud - q_edge, is not seen, and yet

    m_c - m_e + 1[cloud] (Q - m_c) / p - 1[edge] (Q - m_e) / p

has its mean, whatever m_c and m_e are, as long as they were fixed before Q was seen: inverse
propensity weighting, augmented by a guess of each arm's quality (Robins, Rotnitzky and Zhao 1994;
"doubly robust", Dudik et al., arXiv 1103.4601). The guess here is the mean of that arm's earlier
ratings. It lies below 1 / (least p), so the betting test applies as it stands, also when the
setting was turned meanwhile: each row's chance was known when it was drawn.

Without exploration the other arm's answer to the same query was never seen, and scores that went to
the edge are not like those that went to the cloud. What is left is the worst that may be: where the
edge answered, the cloud was perfect (loss 1 - Q); where the cloud did, the edge was worthless
(loss Q).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hybridroute.decision import DRAWN_REASONS
from hybridroute.edge_runtime.errors import DataError
from hybridroute.ratings import Rating
from hybridroute.training.promise.lattice_sums import Floats
from hybridroute.training.promise.outcomes import QualityRange, places_of

EDGE, CLOUD = "edge", "cloud"
_FEWEST = 50
_NAMED = 4
_TOO_UNLIKE = 3.0
"""Standard errors by which the arms' shares of rated answers may differ."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedOutcomes:
    """Rows whose losses have the right mean, or one too large, and not the right values.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    loss : ndarray, shape (n,)
        In units of the quality range, 0 to 1.
    cloud_q : ndarray, shape (n,)
        Of the same kind: its mean is that of all-cloud.
    most : float
        No loss can be above it.
    test : str
        What the bundle calls the test: ``weighted betting`` or ``worst case``.
    relative : bool
        Whether ``cloud_q`` is known, so that a relative limit has a meaning.
    """

    scores: Floats
    loss: Floats
    cloud_q: Floats
    most: float
    test: str
    relative: bool
    two_valued: ClassVar[bool] = False
    sign: ClassVar[float] = 1.0

    @property
    def quality_range(self) -> QualityRange:
        """Ratings are from 0 to 1."""
        return QualityRange()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.scores)

    @property
    def outside(self) -> NDArray[np.bool_]:
        """None: what is rated here was decided by its score."""
        return np.zeros(self.n, dtype=np.bool_)

    @property
    def place(self) -> NDArray[np.int64]:
        """The last threshold of the lattice that keeps each row on the edge, shape (n,)."""
        return places_of(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rated:
    """Rows to fit on, and what was left out.

    Parameters
    ----------
    rows : WeightedOutcomes
    explored : int
        Among them: answered by an arm drawn at random that the score had not picked.
    other_router, other_models, not_by_score, unrated, without_exploration : int
        Left out: scored by another bundle; answered by another model; decided by something else
        than the score; nobody said how good; while others were explored, these could not be.
    """

    rows: WeightedOutcomes
    explored: int
    other_router: int
    other_models: int
    not_by_score: int
    unrated: int
    without_exploration: int

    @property
    def counts(self) -> dict[str, int]:
        """Rows used, and left out by cause."""
        return {
            "n": self.rows.n,
            "n_explored": self.explored,
            "n_unrated": self.unrated,
            "n_not_by_score": self.not_by_score,
            "n_without_exploration": self.without_exploration,
            "n_of_another_router": self.other_router,
            "n_of_other_models": self.other_models,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What was seen of each rated answer, in the order of time; arrays of shape (n,).

    ``chance`` is the propensity of the arm that answered; ``on_cloud`` says which that was.
    """

    scores: Floats
    quality: Floats
    chance: Floats
    on_cloud: NDArray[np.bool_]


def rated_rows(ratings: Sequence[Rating], *, bundle: str, edge: str, cloud: str) -> Rated:
    """The rows of ratings, in the order of time.

    Parameters
    ----------
    ratings : sequence of Rating
    bundle : str
        The router's name, as the log has it: scores of another mean something else.
    edge, cloud : str
        The models.

    Raises
    ------
    DataError
        If too few are left, or answers of one arm were rated more often than the other's.
    """
    same = [one for one in ratings if one.bundle == bundle]
    models = {EDGE: edge, CLOUD: cloud}
    ours = [one for one in same if models.get(one.arm) == one.model]
    drawn = [one for one in ours if one.reason in DRAWN_REASONS and one.score is not None]
    open_ = [one for one in drawn if one.propensity is not None and one.propensity < 1.0]
    eligible = open_ or drawn
    rated = [one for one in eligible if one.quality is not None]
    if len(rated) < _FEWEST:
        raise DataError(
            f"{len(rated)} rated answers can be used, of {len(ratings)} in the log "
            f"({len(ratings) - len(same)} of another router, {len(same) - len(ours)} of other "
            f"models, {len(ours) - len(drawn)} not decided by the score, "
            f"{len(eligible) - len(rated)} unrated); at least {_FEWEST} are needed, and thousands "
            f"to conclude much{_others(same, models)}"
        )
    if open_:
        _check_rates(eligible)
    return Rated(
        rows=weighted(_seen(rated)) if open_ else worst_case(_seen(rated)),
        explored=sum(one.reason == "explored" for one in rated),
        other_router=len(ratings) - len(same),
        other_models=len(same) - len(ours),
        not_by_score=len(ours) - len(drawn),
        unrated=len(eligible) - len(rated),
        without_exploration=len(drawn) - len(eligible),
    )


def _others(same: Sequence[Rating], models: Mapping[str, str]) -> str:
    """Which other models answered, and what to do of it."""
    found = sorted({(one.arm, one.model) for one in same if models.get(one.arm) != one.model})
    if not found:
        return ""
    there = ", ".join(f"{arm} = {model}" for arm, model in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return (
        f". The bundle is for edge = {models[EDGE]} and cloud = {models[CLOUD]}, and others "
        f"answered: {there}{more}. Give the log of those two, or first calibrate the bundle for "
        "the others with --outcomes FILE --edge NAME --cloud NAME"
    )


def _check_rates(eligible: Sequence[Rating]) -> None:
    """Refuse where being rated depends on the arm: then it may depend on the answer, too."""
    weight = np.array(
        [(1.0 if one.arm == CLOUD else -1.0) / (one.propensity or 1.0) for one in eligible]
    )
    said = np.array([one.quality is not None for one in eligible], dtype=np.float64)
    # With the mean taken off, so that the weights' own noise does not count.
    off = weight * (said - said.mean())
    error = float(off.std(ddof=1)) / len(off) ** 0.5
    if abs(float(off.mean())) > _TOO_UNLIKE * max(error, 1e-12):
        raise DataError(
            f"the share of answers that were rated differs between the arms by about "
            f"{off.mean():+.2f} (cloud minus edge, standard error {error:.2f}): who rates depends "
            "on the answer, so ratings say nothing of those that were not rated. Ask for ratings "
            "of answers drawn at random, before they are read"
        )


def weighted(seen: Seen) -> WeightedOutcomes:
    """Losses by propensity, for arms that were drawn; every chance is between 0 and 1."""
    quality, chance, on_cloud = seen.quality, seen.chance, seen.on_cloud
    guess_cloud = _mean_before(quality, on_cloud)
    guess_edge = _mean_before(quality, ~on_cloud)
    seen_cloud = np.where(on_cloud, (quality - guess_cloud) / chance, 0.0)
    seen_edge = np.where(on_cloud, 0.0, (quality - guess_edge) / chance)
    return WeightedOutcomes(
        scores=seen.scores,
        loss=guess_cloud + seen_cloud - guess_edge - seen_edge,
        cloud_q=guess_cloud + seen_cloud,
        most=1.0 / float(np.minimum(chance, 1.0 - chance).min()),
        test="weighted betting",
        relative=True,
    )


def worst_case(seen: Seen) -> WeightedOutcomes:
    """Losses as large as they may be, where no arm was drawn."""
    quality, on_cloud = seen.quality, seen.on_cloud
    return WeightedOutcomes(
        scores=seen.scores,
        loss=np.where(on_cloud, quality, 1.0 - quality),
        cloud_q=np.where(on_cloud, quality, 1.0),
        most=1.0,
        test="worst case",
        relative=False,
    )


def _seen(rated: Sequence[Rating]) -> Seen:
    return Seen(
        scores=np.array([one.score for one in rated], dtype=np.float64),
        quality=np.array([one.quality for one in rated], dtype=np.float64),
        chance=np.array([one.propensity or 1.0 for one in rated], dtype=np.float64),
        on_cloud=np.array([one.arm == CLOUD for one in rated]),
    )


def _mean_before(quality: Floats, which: NDArray[np.bool_]) -> Floats:
    """The mean of the earlier ratings at ``which``, with one of a half before them all."""
    held = np.where(which, quality, 0.0)
    total = np.cumsum(held) - held + 0.5
    count = np.cumsum(which) - which + 1.0
    means: Floats = total / count
    return means

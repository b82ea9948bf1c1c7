"""The estimators by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.cluster import ClusterBest
from hybridroute.training.pool.estimator import HeadEstimator
from hybridroute.training.pool.factorisation import Factorisation
from hybridroute.training.pool.length import Length
from hybridroute.training.pool.logistic import Logistic
from hybridroute.training.pool.neighbours import Neighbours
from hybridroute.training.pool.random_choice import RandomChoice
from hybridroute.training.pool.ridge import Ridge
from hybridroute.training.pool.similarity_ranking import SimilarityRanking

_MADE: tuple[HeadEstimator, ...] = (
    RandomChoice(),
    Length(),
    Neighbours(k=50),
    Neighbours(k=200),
    Ridge(),
    Ridge(with_length=True),
    Logistic(),
    ClusterBest(),
    SimilarityRanking(),
    Factorisation(),
)
ESTIMATORS: Mapping[str, HeadEstimator] = MappingProxyType({one.name: one for one in _MADE})
"""Those on frozen embeddings: fitted in seconds, none of them needs torch."""
FINE_TUNED = "deberta"
"""The encoder fine-tuned with a head per arm: minutes, and torch."""
_ALSO = {"knn": "knn-200"}


def check_names(names: Iterable[str]) -> None:
    """Refuse a name that no estimator has.

    Raises
    ------
    ConfigError
        Names it, and those there are.
    """
    for name in names:
        if name != FINE_TUNED:
            make(name)


def make(name: str) -> HeadEstimator:
    """The estimator called ``name``; ``knn`` is the one of 200 neighbours.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    found = ESTIMATORS.get(_ALSO.get(name, name))
    if found is None:
        raise ConfigError(
            f"there is no estimator {name!r}; choose from {sorted([*ESTIMATORS, FINE_TUNED])}"
        )
    return found

"""The estimators that are compared, each with as many settings to choose among as any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from hybridroute.training.judging.tuning import Contender
from hybridroute.training.pool.cluster import ClusterBest
from hybridroute.training.pool.estimator import Estimator
from hybridroute.training.pool.factorisation import Factorisation
from hybridroute.training.pool.length import Length
from hybridroute.training.pool.logistic import Logistic
from hybridroute.training.pool.neighbours import Neighbours
from hybridroute.training.pool.registry import make
from hybridroute.training.pool.ridge import Ridge

Settings = tuple[tuple[str, Estimator], ...]

_TUNED: Mapping[str, Callable[[], Settings]] = MappingProxyType(
    {
        "length": lambda: tuple((f"groups {k}", Length(groups=k)) for k in (5, 10, 20)),
        "knn": lambda: tuple((f"k {k}", Neighbours(k=k)) for k in (20, 50, 200)),
        "ridge": lambda: tuple((f"alpha {a:g}", Ridge(alphas=(a,))) for a in (10.0, 30.0, 100.0)),
        "ridge-length": lambda: tuple(
            (f"alpha {a:g}", Ridge(with_length=True, alphas=(a,))) for a in (10.0, 30.0, 100.0)
        ),
        "logistic": lambda: tuple((f"l2 {a:g}", Logistic(l2=(a,))) for a in (3.0, 10.0, 30.0)),
        "cluster-best": lambda: tuple(
            (f"{k} clusters", ClusterBest(clusters=k)) for k in (8, 16, 32)
        ),
        "mf": lambda: tuple(
            (f"{k} dimensions", Factorisation(dimensions=k)) for k in (32, 64, 128)
        ),
    }
)
"""SW has nothing to choose below 17 arms, and a random choice has nothing at all."""

NAMES = ("random", "length", "knn", "ridge", "ridge-length", "logistic", "cluster-best", "sw", "mf")
"""What ``compare`` compares unless told otherwise."""


def contenders_of(names: Sequence[str] = NAMES) -> tuple[Contender, ...]:
    """Contenders by name; one that is not tuned here, such as ``knn-50``, stands as it is made.

    Raises
    ------
    ConfigError
        If there is no estimator of a name.
    """
    return tuple(Contender(name=name, settings=_settings(name)) for name in names)


def _settings(name: str) -> Settings:
    if name in _TUNED:
        return _TUNED[name]()
    return (("as it is", make(name)),)

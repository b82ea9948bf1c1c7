"""The estimators that are compared, each with as many settings to choose among as any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from hybridroute.training.fit_config import FitConfig
from hybridroute.training.judging.setting_search import Contender
from hybridroute.training.pool.cluster import ClusterBest
from hybridroute.training.pool.estimator import Estimator
from hybridroute.training.pool.factorisation import Factorisation
from hybridroute.training.pool.length import Length
from hybridroute.training.pool.logistic import Logistic
from hybridroute.training.pool.neighbours import Neighbours
from hybridroute.training.pool.registry import FINE_TUNED, make
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
"""What ``compare`` compares unless told otherwise; ``deberta`` takes minutes a fit."""


STANDING = ("random", "length", "knn", "ridge", "ridge-length")
"""Those stand in every table, asked for or not."""


def standing_beside(names: Sequence[str]) -> tuple[Contender, ...]:
    """What always stands and is not among these names."""
    asked = {"knn" if name.startswith("knn") else name for name in names}
    return contenders_of([name for name in STANDING if name not in asked])


def contenders_of(
    names: Sequence[str] = NAMES, *, fine_tuning: FitConfig | None = None
) -> tuple[Contender, ...]:
    """Contenders by name; one that is not tuned here, such as ``knn-50``, stands as it is made.

    Parameters
    ----------
    fine_tuning : FitConfig or None
        How ``deberta`` is fitted; None for the defaults.

    Raises
    ------
    ConfigError
        If there is no estimator of a name.
    """
    config = fine_tuning or FitConfig()
    return tuple(Contender(name=name, settings=_settings(name, config)) for name in names)


def _settings(name: str, config: FitConfig) -> Settings:
    if name in _TUNED:
        return _TUNED[name]()
    if name == FINE_TUNED:
        # The only one that needs torch. Its checkpoints are its tries.
        from hybridroute.training.pool.fine_tuned_estimator import FineTunedEstimator

        return ((f"{config.epochs} epochs", FineTunedEstimator(config=config)),)
    return (("as it is", make(name)),)

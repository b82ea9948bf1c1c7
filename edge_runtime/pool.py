"""What a bundle says of a pool of arms: their expected costs, and what each setting does.

A pool's router estimates every arm; the policy then picks the largest
``estimate - cost_weight * expected cost``. A two-arm router is the case of one margin and one
threshold, see :class:`Calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.grid import check_grid, check_rising


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolArm:
    """An arm that the router estimates.

    Parameters
    ----------
    name : str
        What the application calls it.
    model : str
        What is compared with the configured arm's model.
    quality : float
        Mean q on the calibration rows; on earlier ones, where nobody has judged the choices and
        the rows hold no outcome of the arm.
    base_usd, usd_per_character : float
        The expected cost of a query, in US dollars: ``base_usd + usd_per_character *`` the
        characters of its routed text. Not negative.
    """

    name: str
    model: str
    quality: float
    base_usd: float
    usd_per_character: float

    def __post_init__(self) -> None:
        if self.base_usd < 0.0 or self.usd_per_character < 0.0:
            raise BundleError(f"the cost of {self.name!r} is negative; make the bundle again")

    def cost_usd(self, characters: int) -> float:
        """Expected US dollars of a query whose routed text has so many characters."""
        return self.base_usd + self.usd_per_character * characters


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightTable:
    """What each setting i / GRID does, i = 0..GRID; each tuple has GRID + 1 entries.

    Parameters
    ----------
    cost_weight : tuple of float
        Units of the estimate given up for a US dollar. Not negative, finite.
    cost_usd, quality : tuple of float
        Expected means of a query, on the calibration rows. ``quality`` is empty where nobody has
        judged the choices.
    """

    cost_weight: tuple[float, ...]
    cost_usd: tuple[float, ...]
    quality: tuple[float, ...]

    def __post_init__(self) -> None:
        for item in fields(self):
            held = getattr(self, item.name)
            if held or item.name != "quality":
                check_grid(item.name, held)
        if min(self.cost_weight) < 0.0 or min(self.cost_usd) < 0.0:
            raise BundleError("a pool's table holds a negative weight or cost; make it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The arms a pool's router estimates, the cheapest first, and its calibration.

    Parameters
    ----------
    estimator : str
        What made the estimates, such as ``ridge``.
    arms : tuple of PoolArm
        In the order of the graph's columns.
    source, n
        Where the calibration rows come from, and how many they are.
    best_single : str
        The arm with the largest mean q on the fitted rows.
    dearest_usd : float
        Mean expected cost of a query, were all sent to the dearest arm, the last one.
    dial : WeightTable
        Dial d: the least cost with q >= q_cheapest + d (q_best - q_cheapest), as for two arms; 0
        sends each query to the arm expected cheapest for it, which is another for some queries
        where the arms' lines of cost over length cross. Queries out of scope go to ``best_single``
        at every setting.
    advantage : WeightTable
        Cost advantage c: the smallest weight whose mean expected cost is at most (1 - c) times
        ``dearest_usd``, or the largest weight where none is; found without qualities. Costs do not
        rise, weights do not fall.
    flat : bool
        There is no dial to turn: no setting is measurably better than dial 0 would be, all arms
        cost the same, or nobody has judged the choices. ``flat_reason`` says which.
    """

    estimator: str
    arms: tuple[PoolArm, ...]
    source: str
    n: int
    best_single: str
    dearest_usd: float
    dial: WeightTable
    advantage: WeightTable
    flat: bool
    flat_reason: str | None = None

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(names) < 2 or len(set(names)) != len(names):
            raise BundleError(f"a pool of arms named {names}; it needs two or more different names")
        if self.best_single not in names:
            raise BundleError(f"best_single is {self.best_single!r}; the arms are {names}")
        if not self.flat and not (self.dial.quality and self.advantage.quality):
            raise BundleError("a pool with a dial states no qualities; make the bundle again")
        check_rising("advantage.cost_weight", self.advantage.cost_weight)
        check_rising("advantage.cost_usd", tuple(-cost for cost in self.advantage.cost_usd))

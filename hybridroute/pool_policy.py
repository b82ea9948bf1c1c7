"""A pool of arms: a setting -> the weight of a dollar, and what it is expected to cost and lose."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from hybridroute.charges import Charges
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.grid import GRID, grid_up
from hybridroute.edge_runtime.pool import Pool, WeightTable
from hybridroute.expectation import Expectation
from hybridroute.policy import ActiveSetting
from hybridroute.setting import Setting


class PoolPolicy:
    """Maps settings to a cost weight w: the arm with the largest estimate - w * cost answers.

    Dial d is the least expected cost whose quality reaches q_cheapest + d (q_best - q_cheapest) on
    the calibration rows; 0 sends each query to the arm expected cheapest for it. A cost advantage
    c, or a budget, is the smallest weight whose expected cost is low enough. With other models the
    same weights act, and nothing is expected of them.

    Parameters
    ----------
    pool : Pool
    kind : str
        What the estimates are; see :data:`EstimateKind`.
    models : mapping of str to str
        The configured arms' names and models.
    """

    def __init__(self, pool: Pool, kind: str, models: Mapping[str, str]) -> None:
        self._pool = pool
        self._kind = kind
        self._models = dict(models)

    @property
    def calibrated(self) -> bool:
        """Whether the configured arms are all those the bundle was calibrated for."""
        return self._models == {arm.name: arm.model for arm in self._pool.arms}

    @property
    def default(self) -> Setting:
        """The middle of the dial; without one, the largest estimate whatever it costs."""
        return Setting(cost_advantage=0.0) if self._pool.flat else Setting(dial=0.5)

    def activate(self, setting: Setting) -> ActiveSetting:
        """The setting with its charges.

        Raises
        ------
        ConfigError
            If the pool cannot say what the setting means: a threshold, a promise, a dial where
            there is nothing to turn, a cost weight on estimates that are no qualities.
        """
        weight = self._weight(setting)
        arms = self._pool.arms
        return ActiveSetting(
            setting=setting,
            charges=Charges(
                fixed=tuple(weight * arm.base_usd for arm in arms),
                per_character=tuple(weight * arm.usd_per_character for arm in arms),
            ),
            calibrated=self.calibrated,
            # The cheapest for each query: not one arm for all where lines of expected cost cross.
            order="cheapest" if setting.dial == 0.0 or setting.cost_advantage == 1.0 else None,
        )

    def expect(self, setting: Setting) -> Expectation:
        """What the setting is expected to do; null numbers for other arms than the calibrated.

        Raises
        ------
        ConfigError
            As :meth:`activate`.
        """
        weight = self._weight(setting)
        if not self.calibrated:
            return Expectation(setting=setting, calibrated=False, reason=self._why_null())
        table, at = self._entry(setting, weight)
        cost, dearest = table.cost_usd[at], self._pool.dearest_usd
        quality = table.quality[at] if table.quality else None
        why = "a pool's calibration holds no standard error for a relative drop"
        return Expectation(
            setting=setting,
            calibrated=True,
            cost_advantage=1.0 - cost / dearest if dearest > 0.0 else None,
            cost_usd=cost,
            quality=quality,
            quality_drop=None if quality is None else self._pool.arms[-1].quality - quality,
            n=self._pool.n,
            source=self._pool.source,
            reason=why if quality is not None else self._pool.flat_reason,
        )

    def _weight(self, setting: Setting) -> float:
        if setting.cost_weight is not None:
            if self._kind != "quality":
                raise ConfigError(
                    f"cost_weight weighs qualities against dollars, and this router's estimates "
                    f"are of the kind {self._kind}; set dial, cost_advantage or budget_usd"
                )
            return setting.cost_weight
        if setting.kind in ("threshold", "promise"):
            raise ConfigError(
                f"{setting.kind} is for a router that gives two arms one score; this bundle's "
                f"estimates each of its {len(self._pool.arms)} arms, so there is no score to "
                "compare. Set dial, cost_advantage, cost_weight or budget_usd",
                param=setting.kind,
            )
        table, at = self._entry(setting, 0.0)
        return table.cost_weight[at]

    def _entry(self, setting: Setting, weight: float) -> tuple[WeightTable, int]:
        """The table's entry that a setting stands for, or that its weight is nearest below."""
        pool = self._pool
        if setting.dial is not None:
            if pool.flat:
                raise ConfigError(
                    f"the dial has nothing to turn for these arms ({pool.flat_reason}). Set "
                    "cost_advantage, budget_usd or cost_weight instead"
                )
            return pool.dial, grid_up(setting.dial)
        if setting.cost_advantage is not None:
            return pool.advantage, grid_up(setting.cost_advantage)
        if setting.budget_usd is not None:
            return pool.advantage, self._within(setting.budget_usd)
        return pool.advantage, min(GRID, bisect_left(pool.advantage.cost_weight, weight))

    def _within(self, budget_usd: float) -> int:
        """The first entry of the advantage table that costs no more than this."""
        costs = self._pool.advantage.cost_usd
        at = bisect_left(costs, -budget_usd, key=lambda cost: -cost)
        if at > GRID:
            raise ConfigError(
                f"budget_usd is {budget_usd:g}, and the cheapest that these arms can do is "
                f"{costs[-1]:.3g} US dollars a query; give at least that",
                param="budget_usd",
            )
        return at

    def _why_null(self) -> str:
        made = ", ".join(f"{arm.name} = {arm.model}" for arm in self._pool.arms)
        there = ", ".join(f"{name} = {model}" for name, model in self._models.items()) or "none"
        return f"the bundle was calibrated for {made}; the configured arms are {there}"

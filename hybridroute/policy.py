"""A setting -> what decides by it: the seam between what a user turns and what the router does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from hybridroute.charges import Charges
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.expectation import Expectation
from hybridroute.promise import StandingPromise
from hybridroute.setting import Setting

Order = Literal["cheapest", "dearest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSetting:
    """A setting with the charges it stands for: swapped as one object, so never half-changed.

    Parameters
    ----------
    setting : Setting
    charges : Charges
    calibrated : bool
        Whether the configured arms are the ones the bundle was calibrated for.
    threshold : float or None
        Of two arms: the edge answers if score >= threshold. None for a pool.
    promise : StandingPromise or None
        What stands behind the setting where it asked for a promise.
    order : {"cheapest", "dearest"} or None
        Where the setting is an order, whatever the estimates are: all to one arm, or, of a pool,
        each query to the arm expected cheapest for it.
    """

    setting: Setting
    charges: Charges
    calibrated: bool
    threshold: float | None = None
    promise: StandingPromise | None = None
    order: Order | None = None


class Policy(Protocol):
    """Maps settings to charges for one bundle and one set of arms.

    A setting is looked up in the bundle's tables, in O(log n) of their n entries, which do not
    change with the traffic; a promise is sought one by one among those that the bundle holds.
    """

    @property
    def calibrated(self) -> bool:
        """Whether the configured arms are the ones the bundle was calibrated for."""
        ...

    @property
    def default(self) -> Setting:
        """The setting of a client that was given none: the middle of what there is to turn."""
        ...

    def activate(self, setting: Setting) -> ActiveSetting:
        """What the setting stands for. Raises ConfigError if the bundle cannot say."""
        ...

    def expect(self, setting: Setting) -> Expectation:
        """What the setting is expected to do on average. Raises ConfigError as ``activate``."""
        ...


def policy_of(manifest: Manifest, models: Mapping[str, str], *, out_of_scope_arm: str) -> Policy:
    """The policy of a bundle: of two arms by a threshold, of a pool by utility.

    Parameters
    ----------
    manifest : Manifest
    models : mapping of str to str
        The configured arms' names and models, the cheapest first.
    out_of_scope_arm : str
        Who answers what the router cannot judge.
    """
    if manifest.pool is None:
        from hybridroute.threshold_policy import ThresholdPolicy

        return ThresholdPolicy(manifest, tuple(models.values()), out_of_scope_arm=out_of_scope_arm)
    from hybridroute.pool_policy import PoolPolicy

    return PoolPolicy(manifest.pool, manifest.score_kind, models)

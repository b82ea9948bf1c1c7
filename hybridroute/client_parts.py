"""What a client is made of: bundle, arms, policy and router, from what the application said."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybridroute.arms import make_arms
from hybridroute.costs import Costs
from hybridroute.decision import Mode
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.exploration import Exploration, exploration_of
from hybridroute.modes import checked_mode
from hybridroute.policy import Policy, policy_of
from hybridroute.router import Router
from hybridroute.router_source import open_bundle, scorer_of

if TYPE_CHECKING:
    from hybridroute.cloud import CloudSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientParts:
    """The parts; nothing is loaded or called yet."""

    mode: Mode
    bundle: Bundle
    policy: Policy
    router: Router
    costs: Costs


def client_parts(
    bundle: str | os.PathLike[str] | Bundle | None,
    *,
    edge: str | Arm | None,
    cloud: CloudSettings | Arm | None,
    arms: Sequence[Arm] | None,
    mode: Mode,
    out_of_scope_arm: str | None,
    router_threads: int,
    router_spins: bool,
    exploration: float | Exploration,
) -> ClientParts:
    """Make the parts; the parameters are :class:`HybridClient`'s.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    BundleError
        If the bundle is missing, altered or not for this version.
    """
    mode = checked_mode(mode)
    opened = open_bundle(bundle)
    manifest = opened.manifest
    made = make_arms(
        mode,
        pool=manifest.pool,
        edge=edge,
        cloud=cloud,
        arms=arms,
        out_of_scope_arm=out_of_scope_arm,
    )
    router = Router(
        scorer=scorer_of(opened, threads=router_threads, spins=router_spins),
        manifest=manifest,
        arms=made.present,
        absent=made.absent,
        out_of_scope_arm=made.out_of_scope,
        exploration=exploration_of(exploration),
    )
    return ClientParts(
        mode=mode,
        bundle=opened,
        policy=policy_of(manifest, made.models, out_of_scope_arm=made.out_of_scope),
        router=router,
        costs=Costs(made.present),
    )

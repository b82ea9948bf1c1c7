"""Settings -> arms and a client."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridroute.cli.unconfigured_arm import UnconfiguredArm
from hybridroute.cli.usage import check_promise_words, check_router_flags
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings import AMOUNTS, load_settings, variable_of
from hybridroute.settings_sections import RouterSettings, Settings

if TYPE_CHECKING:
    from hybridroute.client import HybridClient
    from hybridroute.cloud import CloudSettings
    from hybridroute.controller import ControllerSettings
    from hybridroute.decision import Mode
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.edge_runtime.chat import Message
    from hybridroute.edge_runtime.llama_arm import LlamaArm
    from hybridroute.edge_runtime.protocols import Arm
    from hybridroute.setting import Setting

DEFAULT_BASE_URL = "https://api.openai.com/v1"


def settings_of(flags: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The settings of a command that begins: as :func:`read_settings`, with its usage checked.

    Raises
    ------
    typer.BadParameter
        If the flags are wrong whatever the file and the environment say.
    """
    router = flags.get("router", {})
    check_router_flags(router)
    settings = read_settings(flags)
    check_promise_words(router, settings.router.max_drop)
    return settings


def read_settings(flags: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The settings, from flags, this process's environment and the current folder's file."""
    return load_settings(flags, environ=os.environ, folder=Path.cwd())


def edge_of(settings: Settings) -> LlamaArm:
    """The edge arm; nothing is loaded."""
    from hybridroute.arms import DEFAULT_EDGE_MODEL
    from hybridroute.edge_runtime.engines import default_threads
    from hybridroute.edge_runtime.llama_arm import LlamaArm
    from hybridroute.edge_runtime.protocols import EngineOptions

    edge = settings.edge
    options = EngineOptions(threads=default_threads() if edge.threads is None else edge.threads)
    if edge.context_tokens is not None:
        options = replace(options, context_tokens=edge.context_tokens)
    return LlamaArm(edge.model or DEFAULT_EDGE_MODEL, engine=edge.engine, options=options)


def cloud_of(settings: Settings) -> CloudSettings | None:
    """The cloud's settings, or None where no cloud model is configured.

    Raises
    ------
    ConfigError
        If there is an endpoint and no model, or a value is out of range.
    """
    from hybridroute.cloud import CloudSettings

    cloud = settings.cloud
    if cloud.model is None:
        if cloud.base_url is not None:
            raise ConfigError(
                "the cloud has a base_url and no model; give --cloud-model, "
                f"{variable_of('cloud', 'model')} or cloud.model"
            )
        return None
    names = {item.name for item in fields(cloud)} - {"base_url", "model"}
    said = {name: value for name in names if (value := getattr(cloud, name)) is not None}
    return CloudSettings(base_url=cloud.base_url or DEFAULT_BASE_URL, model=cloud.model, **said)


def controller_of(settings: Settings) -> ControllerSettings | None:
    """What moves the dial, or None where nothing is to hold.

    Raises
    ------
    ConfigError
        If no target or several are given, a value is out of range, or a budget lacks prices.
    """
    from hybridroute.controller import ControllerSettings
    from hybridroute.controller_targets import Budget, Latency, Quota, Share, Target

    held = {key: value for key, value in asdict(settings.controller).items() if value is not None}
    window_s = held.pop("cloud_requests_window_s", 60.0)
    makers: dict[str, Callable[[float], Target]] = {
        "usd_per_hour": lambda most: Budget(usd_per_hour=most),
        "cloud_requests": lambda most: Quota(cloud_requests=most, window_s=window_s),
        "cloud_share": lambda most: Share(cloud_share=most),
        "p95_ms": lambda most: Latency(p95_ms=most),
    }
    given = [name for name in makers if name in held]
    if not given and not held:
        return None
    if len(given) != 1:
        raise ConfigError(
            f"the controller holds one target, and {' and '.join(given) or 'none'} is given; "
            f"give one of {', '.join(makers)}"
        )
    cloud = settings.cloud
    prices = (cloud.price_in_usd_per_million, cloud.price_out_usd_per_million)
    if given == ["usd_per_hour"] and cloud.model is not None and None in prices:
        raise ConfigError(
            "usd_per_hour needs the cloud's prices; give cloud.price_in_usd_per_million and "
            "cloud.price_out_usd_per_million"
        )
    return ControllerSettings(hold=makers[given[0]](held.pop(given[0])), **held)


def client_of(
    settings: Settings,
    *,
    only_decides: bool = False,
    router_spins: bool = True,
    bundle: Bundle | None = None,
) -> HybridClient:
    """The client that the settings describe.

    Parameters
    ----------
    only_decides : bool
        For decisions alone: a cloud that is not configured is stood in for, so that there are two
        arms to choose from.
    router_spins : bool
        See :class:`HybridClient`.
    bundle : Bundle or None
        The settings' bundle, where it is open already.
    """
    from hybridroute.client import HybridClient
    from hybridroute.modes import checked_mode
    from hybridroute.router_source import open_bundle

    router = settings.router
    mode = checked_mode(router.mode)
    bundle = open_bundle(router.bundle) if bundle is None else bundle
    arms = _pool_arms(settings, bundle, mode, only_decides=only_decides)
    edge, cloud = None, None
    if arms is None:
        edge, cloud = _pair(settings, mode, only_decides=only_decides)
    return HybridClient(
        bundle,
        edge=edge,
        cloud=cloud,
        arms=arms,
        mode=mode,
        setting=setting_said(router),
        out_of_scope_arm=router.out_of_scope_arm,
        router_threads=router.threads,
        exploration=router.exploration,
        router_spins=router_spins,
    )


def _pair(
    settings: Settings, mode: Mode, *, only_decides: bool
) -> tuple[LlamaArm | None, CloudSettings | Arm | None]:
    edge = None if mode == "only_in_cloud" else edge_of(settings)
    if mode == "only_on_device":
        return edge, None
    cloud = cloud_of(settings)
    return edge, UnconfiguredArm() if cloud is None and only_decides else cloud


def _pool_arms(
    settings: Settings, bundle: Bundle, mode: Mode, *, only_decides: bool
) -> list[Arm] | None:
    """The arms that ``router.arms`` names; None where two arms are configured in their sections."""
    from hybridroute.arms_from_spec import arms_of, memory_of, specs_of

    if settings.router.arms is not None:
        specs = specs_of(settings.router.arms)
        return arms_of(
            specs,
            only_on_device=mode == "only_on_device",
            memory=memory_of(settings.router.model_memory_mb),
        )
    pool = bundle.manifest.pool
    if pool is None:
        return None
    if not only_decides:
        raise ConfigError(
            f"this bundle routes among {', '.join(arm.name for arm in pool.arms)}; say what they "
            "are with --arm NAME=MODEL, once for each, or as router.arms in hybridroute.toml"
        )
    return [UnconfiguredArm(name=arm.name, model=arm.model) for arm in pool.arms]


def setting_said(router: RouterSettings) -> Setting | None:
    """How much goes to the cloud, as the settings say it; None if they say nothing.

    Raises
    ------
    ConfigError
        If it is said in several ways, or a value is out of range.
    """
    from hybridroute.promise import promise_from
    from hybridroute.setting import Setting

    promise = promise_from(router.max_drop, router.confidence, router.drop_kind)
    if promise is None and all(getattr(router, name) is None for name in AMOUNTS):
        return None
    return Setting(
        dial=router.dial,
        threshold=router.threshold,
        cost_advantage=router.cost_advantage,
        cost_weight=router.cost_weight,
        budget_usd=router.budget_usd,
        promise=promise,
    )


def messages_of(query: str, system: str | None = None) -> list[Message]:
    """The messages of one query; ``-`` reads it from standard input.

    Raises
    ------
    ConfigError
        If standard input is not text.
    """
    if query == "-":
        try:
            query = sys.stdin.read()
        except UnicodeDecodeError as exc:
            raise ConfigError("standard input is not UTF-8 text; give the query as text") from exc
    return list(_messages(query, system))


def _messages(query: str, system: str | None) -> Iterator[Message]:
    if system is not None:
        yield {"role": "system", "content": system}
    yield {"role": "user", "content": query}

"""Arms to ask, made from what the command line or the settings say of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hybridroute.arm_spec import ArmSpec, parse_arm
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.protocols import Arm

if TYPE_CHECKING:
    from hybridroute.edge_runtime.model_memory import ModelMemory


def specs_of(text: str) -> list[ArmSpec]:
    """The arms of ``router.arms``: written as ``--arm`` takes them, separated as in a shell.

    Raises
    ------
    ConfigError
        If one is not written so, or two have one name.
    """
    try:
        specs = [parse_arm(part) for part in shlex.split(text)]
    except ValueError as exc:
        raise ConfigError(f"router.arms is {text!r}: {exc}; close what is opened") from exc
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"arm {name} is given twice; give each name once")
    return specs


def memory_of(model_memory_mb: int | None) -> ModelMemory | None:
    """The memory that local arms share; None leaves it unlimited.

    Raises
    ------
    ConfigError
        If it is not above 0.
    """
    from hybridroute.edge_runtime.model_memory import MB, ModelMemory

    if model_memory_mb is None:
        return None
    if model_memory_mb < 1:
        raise ConfigError(
            f"router.model_memory_mb is {model_memory_mb}; give a whole number above 0"
        )
    return ModelMemory(model_memory_mb * MB)


def arms_of(
    specs: list[ArmSpec], *, only_on_device: bool, memory: ModelMemory | None = None
) -> list[Arm]:
    """The arms; nothing is loaded or called. Endpoints are left out, unmade, on the device alone.

    ``memory`` is what the local ones share.

    Raises
    ------
    ConfigError
        If an option is for sampling alone, or a value is out of range.
    """
    return list(_made(specs, only_on_device=only_on_device, memory=memory))


def _made(
    specs: list[ArmSpec], *, only_on_device: bool, memory: ModelMemory | None
) -> Iterator[Arm]:
    for spec in specs:
        if spec.rate is not None:
            raise ConfigError(f"arm {spec.name}: rate is for `hybridroute sample`; leave it out")
        if spec.is_local:
            yield _local(spec, memory)
        elif not only_on_device:
            yield _endpoint(spec)


def _local(spec: ArmSpec, memory: ModelMemory | None) -> Arm:
    from hybridroute.edge_runtime.engines import default_threads
    from hybridroute.edge_runtime.llama_arm import LlamaArm
    from hybridroute.edge_runtime.protocols import EngineOptions

    options = EngineOptions(
        context_tokens=spec.context or EngineOptions().context_tokens,
        threads=spec.threads or default_threads(),
        parallel=spec.slots or 1,
        chat_template=spec.template_text(),
    )
    return LlamaArm(
        spec.model,
        name=spec.name,
        engine=spec.engine,
        options=options,
        stop=spec.stops,
        memory=memory,
    )


def _endpoint(spec: ArmSpec) -> Arm:
    from hybridroute.cloud import CloudArm, CloudSettings

    if spec.url is None or spec.stop is not None:
        raise ConfigError(f"arm {spec.name}: stop is for a model in this process; leave it out")
    return CloudArm(
        CloudSettings(
            base_url=spec.url,
            model=spec.model,
            api_key_env=spec.key_env,
            price_in_usd_per_million=spec.price_in,
            price_out_usd_per_million=spec.price_out,
        ),
        spec.name,
    )

"""Runs an arm from this process: a model in it with parallel slots, or calls to an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.protocols import Arm, EngineOptions
from hybridroute.training.arm_pool import draw_all
from hybridroute.training.arm_sampler import RETRY_WAITS_S, ArmSampler
from hybridroute.training.pacing import Budget, Rate
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import DrawSettings, PromptJob, spread

PARALLEL_ENGINE = "xllamacpp"
LOCAL_SLOTS = 8
"""Of a model in this process, where the engine can: more were slower on two cores."""
CLOUD_SLOTS = 4

MakeArm = Callable[[ArmSpec], Arm]


class LocalRunner:
    """Draws in this process, with threads.

    Parameters
    ----------
    make_arm : callable
        Makes an arm of its spec; another one may be given.
    rate : float or None
        Most requests a minute to an endpoint that has no rate of its own.
    waits_s : tuple of float
        Between the tries of a call to an endpoint that is away.
    """

    def __init__(
        self,
        *,
        make_arm: MakeArm | None = None,
        rate: float | None = None,
        waits_s: tuple[float, ...] = RETRY_WAITS_S,
    ) -> None:
        self._make_arm = make_arm or arm_of
        self._rate = rate
        self._waits_s = waits_s

    def run(
        self,
        spec: ArmSpec,
        draw: DrawSettings,
        jobs: Sequence[PromptJob],
        *,
        budget: Budget,
        take: Callable[[Response], None],
    ) -> None:
        """Draw all jobs; see :class:`Runner`."""
        arm = self._make_arm(spec)
        workers = slots_of(spec)
        rate = None if spec.is_local else spec.rate or self._rate
        sampler = ArmSampler(
            spec=spec,
            arm=arm,
            settings=draw,
            rate=Rate(rate),
            budget=budget,
            waits_s=self._waits_s,
        )
        try:
            arm.warm_up()
            draw_all(
                spread(jobs, workers), sampler.draw, workers=workers, take=take, abandon=arm.close
            )
        finally:
            arm.close()

    def close(self) -> None:
        """Nothing is held between arms."""


def engine_of(spec: ArmSpec) -> str | None:
    """The engine: the one asked for, else the one with parallel slots where it is installed."""
    if spec.engine is not None or PARALLEL_ENGINE not in installed_engines():
        return spec.engine
    return PARALLEL_ENGINE


def slots_of(spec: ArmSpec) -> int:
    """How many answers the arm gives at the same time."""
    if not spec.is_local:
        return spec.slots or CLOUD_SLOTS
    return (spec.slots or LOCAL_SLOTS) if engine_of(spec) == PARALLEL_ENGINE else 1


def arm_of(spec: ArmSpec) -> Arm:
    """The arm; nothing is loaded or called.

    With one slot a seed gives the same answer again, bit for bit; with several, a prompt's state is
    reused for its further samples, and the last bits depend on the company.

    Raises
    ------
    ConfigError
        If a value is out of range, or the template cannot be read.
    """
    if spec.url is None:
        slots = slots_of(spec)
        options = EngineOptions(
            context_tokens=spec.context or EngineOptions().context_tokens,
            threads=spec.threads,
            parallel=slots,
            chat_template=spec.template_text(),
            reuse_prompt=slots > 1,
        )
        return LlamaArm(spec.model, name=spec.name, engine=engine_of(spec), options=options)
    from hybridroute.cloud import CloudArm, CloudSettings

    settings = CloudSettings(
        base_url=spec.url,
        model=spec.model,
        api_key_env=spec.key_env,
        # Tries are made here, so that each of them keeps to the rate and the budget.
        max_retries=0,
        total_timeout_s=600.0,
    )
    return CloudArm(settings, spec.name)

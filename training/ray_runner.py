"""Runs an arm on Ray Data: actors that hold the model, on this machine or a cluster.

``RAY_ADDRESS`` names a cluster; without it a cluster of this machine alone is started, on the
loopback address, without dashboard and usage statistics, and with a token drawn at random.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError
from hybridroute.prompt_file import PromptRow
from hybridroute.training.arm_pool import draw_all
from hybridroute.training.arm_sampler import ArmSampler
from hybridroute.training.local_runner import arm_of, slots_of
from hybridroute.training.pacing import Budget, Rate
from hybridroute.training.sampled_response import Response, parse_response
from hybridroute.training.sampling_plan import DrawSettings, PromptJob

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class RayRunner:
    """Draws on a Ray cluster.

    Parameters
    ----------
    actors : int
        Each holds a model of its own and takes one CPU of the cluster.
    rate : float or None
        Most requests a minute to an endpoint, all actors together.

    Raises
    ------
    ConfigError
        If there are no actors.
    """

    def __init__(self, *, actors: int, rate: float | None = None) -> None:
        if actors < 1:
            raise ConfigError(f"workers is {actors}; give at least 1")
        self._actors = actors
        self._rate = rate
        self._ray: Any = None

    def run(
        self,
        spec: ArmSpec,
        draw: DrawSettings,
        jobs: Sequence[PromptJob],
        *,
        budget: Budget,
        take: Callable[[Response], None],
    ) -> None:
        """Draw all jobs; see :class:`Runner`.

        A task is as many prompts as the arm has slots, and its responses come when all are drawn.

        Raises
        ------
        ConfigError
            If Ray is not installed or cannot be reached, or a budget limits an arm that costs
            something: actors cannot share one.
        """
        if budget.limit_usd is not None and spec.cost_usd(1, 1):
            raise ConfigError(
                f"arm {spec.name}: --budget-usd is not kept across Ray's actors; sample this arm "
                "with --engine local"
            )
        if spec.url is not None and (rate := spec.rate or self._rate) is not None:
            spec = replace(spec, rate=rate / self._actors)
        self._ray = self._ray or _started(self._actors)
        data = self._ray.data
        tasks = -(-len(jobs) // slots_of(spec))
        drawn = data.from_items(
            [{"job": job_to_json(job)} for job in jobs], override_num_blocks=tasks
        ).map_batches(
            ActorDraws,
            fn_constructor_args=(spec, draw),
            batch_size=None,
            compute=data.ActorPoolStrategy(size=self._actors),
            num_cpus=1,
        )
        for line in self._lines(drawn):
            take(parse_response(json.loads(line)))

    def _lines(self, drawn: Any) -> Iterator[str]:
        try:
            for row in drawn.iter_rows():
                yield str(row["line"])
        except self._ray.exceptions.RayError as exc:
            raise _ours(exc) from exc

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray, self._ray = self._ray, None
        if ray is not None:
            ray.shutdown()


class ActorDraws:
    """What an actor runs: it loads the model once and draws every job it is handed."""

    def __init__(self, spec: ArmSpec, draw: DrawSettings) -> None:
        self._slots = slots_of(spec)
        self._arm = arm_of(spec)
        self._arm.warm_up()
        self._sampler = ArmSampler(
            spec=spec, arm=self._arm, settings=draw, rate=Rate(spec.rate), budget=Budget(None)
        )

    def __call__(self, batch: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Responses as JSON lines, for jobs as JSON objects."""
        lines: list[str] = []
        draw_all(
            [job_from_json(text) for text in batch["job"]],
            self._sampler.draw,
            workers=self._slots,
            take=lambda response: lines.append(json.dumps(response.to_dict())),
            abandon=self._arm.close,
        )
        return {"line": lines}


def job_to_json(job: PromptJob) -> str:
    """One job as JSON, in ASCII: Arrow refuses what has no UTF-8 form."""
    row = job.row
    held = {
        "id": job.id,
        "samples": job.samples,
        "where": row.where,
        "prompt": plain(row.prompt),
        "domain": row.domain,
        "reference": row.reference,
        "extra": plain(row.extra),
    }
    return json.dumps(held)


def job_from_json(text: str) -> PromptJob:
    """The job of ``job_to_json``."""
    held = json.loads(text)
    prompt = held["prompt"]
    row = PromptRow(
        where=held["where"],
        prompt=prompt if isinstance(prompt, str) else tuple(prompt),
        domain=held["domain"],
        reference=held["reference"],
        extra=held["extra"],
    )
    return PromptJob(id=held["id"], row=row, samples=tuple(held["samples"]))


def _started(actors: int) -> Any:
    os.environ.update(_QUIET)
    is_ours = not os.environ.get("RAY_ADDRESS")
    if is_ours and "RAY_AUTH_MODE" not in os.environ:
        # Ray's servers listen on every interface, whatever address it is given.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise ConfigError(
            f"--engine ray needs Ray ({exc}): pip install 'hybridroute[train,ray]'"
        ) from exc
    if not ray.is_initialized():
        _start(ray, actors, is_ours=is_ours)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _start(ray: Any, actors: int, *, is_ours: bool) -> None:
    try:
        if not is_ours:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
            return
        ray.init(
            num_cpus=max(actors, os.cpu_count() or 1),
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError) as exc:
        raise ConfigError(f"Ray cannot be started or reached ({exc}); check RAY_ADDRESS") from exc


def _ours(exc: BaseException) -> HybridRouteError:
    """The error that an actor raised, else one that says what Ray said."""
    held: BaseException | None = exc
    seen = 0
    while held is not None and seen < 10:
        if isinstance(held, HybridRouteError):
            return held
        held = getattr(held, "cause", None) or held.__cause__
        seen += 1
    first = str(exc).strip().splitlines()
    return ConfigError(
        f"Ray failed ({type(exc).__name__}: {first[-1] if first else 'no reason given'}); check "
        "the cluster, and run the same command again"
    )

"""The sections of the command line's settings, and the keys each has."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """How queries are routed; see :class:`HybridClient` for each.

    Parameters
    ----------
    bundle : str or None
        The bundle's folder, or a packaged one's name (default, demo); None is the default.
    dial, threshold, cost_advantage, cost_weight, budget_usd, max_drop : float or None
        At most one, see :class:`Setting`; ``max_drop`` asks for a promise, see :class:`Promise`.
    confidence : float or None
        The promise's.
    drop_kind : {"absolute", "relative", "gap"} or None
        What ``max_drop`` is measured in.
    arms : str or None
        In place of [edge] and [cloud], for a bundle that routes among several: written as ``--arm``
        takes them, separated by spaces.
    model_memory_mb : int or None
        The most that the loaded local models of ``arms`` may take; the longest unused goes.
    mode : {"auto", "only_on_device", "only_in_cloud", "prefer_on_device", "prefer_in_cloud"}
    threads : int
        Threads of one routing decision.
    out_of_scope_arm : str or None
        By default the cloud, or the best single arm of a pool.
    exploration : float
        The share of queries for an arm drawn at random.
    """

    bundle: str | None = None
    dial: float | None = None
    threshold: float | None = None
    cost_advantage: float | None = None
    cost_weight: float | None = None
    budget_usd: float | None = None
    max_drop: float | None = None
    confidence: float | None = None
    drop_kind: str | None = None
    arms: str | None = None
    model_memory_mb: int | None = None
    mode: str = "auto"
    threads: int = 2
    out_of_scope_arm: str | None = None
    exploration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """The small model: a registered name or a GGUF path, its engine, threads and context.

    None leaves the choice to :class:`LlamaArm`.
    """

    model: str | None = None
    engine: str | None = None
    threads: int | None = None
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEndpoint:
    """The large model: an endpoint, the model's name and the name of the key's variable.

    Each key is :class:`CloudSettings`'; None leaves the choice to it. There is a cloud once
    ``model`` is set.
    """

    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    connect_timeout_s: float | None = None
    chunk_timeout_s: float | None = None
    total_timeout_s: float | None = None
    max_retries: int | None = None
    max_retry_wait_s: float | None = None
    context_tokens: int | None = None
    tools: bool | None = None
    json_mode: bool | None = None
    images: bool | None = None
    price_in_usd_per_million: float | None = None
    price_out_usd_per_million: float | None = None
    stream_usage: bool | None = None
    max_tokens_field: str | None = None
    allow_insecure_http: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where ``serve`` listens and how much it takes; None leaves it to :class:`ServerOptions`.

    ``key_env`` is the name of the variable that holds the callers' key; ``cors_origin`` holds web
    origins, separated by spaces; ``log`` is the decision log's file.
    """

    host: str | None = None
    port: int | None = None
    key_env: str | None = None
    cors_origin: str | None = None
    max_body_bytes: int | None = None
    max_answer_tokens: int | None = None
    max_requests: int | None = None
    drain_s: float | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSection:
    """What moves the dial, if anything does: off until one of the targets is given.

    The targets are ``usd_per_hour`` (:class:`Budget`), ``cloud_requests`` in every
    ``cloud_requests_window_s`` seconds (:class:`Quota`), ``cloud_share`` (:class:`Share`) and
    ``p95_ms`` (:class:`Latency`), one at most. For the rest see :class:`ControllerSettings`.
    """

    usd_per_hour: float | None = None
    cloud_requests: float | None = None
    cloud_requests_window_s: float | None = None
    cloud_share: float | None = None
    p95_ms: float | None = None
    lowest: float | None = None
    highest: float | None = None
    max_step: float | None = None
    min_step: float | None = None
    every_s: float | None = None
    min_answers: int | None = None
    window_s: float | None = None
    band: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything, with the file it was read from, if there was one."""

    router: RouterSettings = field(default_factory=RouterSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    cloud: CloudEndpoint = field(default_factory=CloudEndpoint)
    server: ServerSettings = field(default_factory=ServerSettings)
    controller: ControllerSection = field(default_factory=ControllerSection)
    file: Path | None = None


SECTIONS: dict[str, type] = {
    "router": RouterSettings,
    "edge": EdgeSettings,
    "cloud": CloudEndpoint,
    "server": ServerSettings,
    "controller": ControllerSection,
}

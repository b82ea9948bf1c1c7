"""The command line's settings: flag > HYBRIDROUTE_* variable > hybridroute.toml > default.

A value has one name, written ``--cloud-model``, ``HYBRIDROUTE_CLOUD_MODEL`` and, in the file,
``model`` under ``[cloud]``. Keys of a cloud service come from environment variables alone; settings
hold the variable's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings_file import Layer, WrongValue, checked_value, read_file, type_of

FILE_NAME = "hybridroute.toml"
FILE_VARIABLE = "HYBRIDROUTE_CONFIG"
_PREFIX = "HYBRIDROUTE_"
_OTHER_VARIABLES = ("HYBRIDROUTE_CACHE", "HYBRIDROUTE_DATA")
AMOUNTS = ("dial", "threshold", "cost_advantage", "max_drop")
"""Four ways to say how much goes to the cloud."""
PROMISE_WORDS = ("confidence", "drop_kind")
"""What belongs to ``max_drop``, and goes with it."""
_ONE_THING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "router": (AMOUNTS, PROMISE_WORDS),
    "controller": (("usd_per_hour", "cloud_requests", "cloud_share", "p95_ms"), ()),
}
"""Several ways to say one thing: a nearer layer that gives one replaces all, and their words."""

Section = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """How queries are routed; see :class:`HybridClient` for each.

    Parameters
    ----------
    bundle : str or None
        The bundle's folder, or a packaged one's name (default, demo); None is the default.
    dial, threshold, cost_advantage, max_drop : float or None
        At most one; ``max_drop`` asks for a promise, see :class:`Promise`.
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

    None leaves the choice to :class:`CloudSettings`. There is a cloud once ``model`` is set.
    """

    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    connect_timeout_s: float | None = None
    chunk_timeout_s: float | None = None
    total_timeout_s: float | None = None
    price_in_usd_per_million: float | None = None
    price_out_usd_per_million: float | None = None


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


def load_settings(
    flags: Mapping[str, Section] | None = None,
    *,
    environ: Mapping[str, str],
    folder: Path,
) -> Settings:
    """Read the settings.

    Parameters
    ----------
    flags : mapping of section to mapping of key to value, optional
        What the command line said; None as a value means that it said nothing.
    environ : mapping
        The environment.
    folder : Path
        Where ``hybridroute.toml`` is looked for, unless HYBRIDROUTE_CONFIG names a file.

    Raises
    ------
    ConfigError
        If a key is unknown, a value of a wrong type, a secret stands in the file, or the file
        cannot be read. The message names the file or variable, and the key.
    """
    file = find_file(environ, folder)
    layers = [] if file is None else [_from_file(file)]
    return combined([*layers, from_environ(environ), _from_flags(flags or {})], file)


def combined(layers: Iterable[Layer], file: Path | None = None) -> Settings:
    """The settings of several layers, the nearest last."""
    held: Layer = {name: {} for name in SECTIONS}
    for layer in layers:
        _lay_over(held, layer)
    return Settings(
        router=RouterSettings(**held["router"]),
        edge=EdgeSettings(**held["edge"]),
        cloud=CloudEndpoint(**held["cloud"]),
        server=ServerSettings(**held["server"]),
        controller=ControllerSection(**held["controller"]),
        file=file,
    )


def _lay_over(held: Layer, nearer: Layer) -> None:
    for section, values in nearer.items():
        ways, words = _ONE_THING.get(section, ((), ()))
        if any(values.get(name) is not None for name in ways):
            for name in (*ways, *words):
                held[section].pop(name, None)
        held[section].update(values)


def variable_of(section: str, key: str) -> str:
    """The environment variable's name for one setting."""
    return f"{_PREFIX}{section}_{key}".upper()


def unknown_variables(environ: Mapping[str, str], settings: Settings) -> list[str]:
    """HYBRIDROUTE_* variables that set nothing: misspelt, most likely."""
    known = {
        variable_of(name, item.name) for name, kind in SECTIONS.items() for item in fields(kind)
    }
    known |= {FILE_VARIABLE, *_OTHER_VARIABLES}
    known |= {settings.cloud.api_key_env or "", settings.server.key_env or ""}
    return sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)


def find_file(environ: Mapping[str, str], folder: Path) -> Path | None:
    """The file in force: the one HYBRIDROUTE_CONFIG names, else the folder's, else None.

    Raises
    ------
    ConfigError
        If the variable names no file.
    """
    named = environ.get(FILE_VARIABLE)
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            raise ConfigError(
                f"{FILE_VARIABLE} names {file}, which is not a file; correct or unset it"
            )
        return file
    file = folder / FILE_NAME
    return file if file.is_file() else None


def _from_file(file: Path) -> Layer:
    layer, wrong = read_file(file, SECTIONS)
    if wrong:
        raise ConfigError(wrong[0].said_of(str(file)))
    return layer


def from_environ(environ: Mapping[str, str]) -> Layer:
    """The values of the HYBRIDROUTE_* variables.

    Raises
    ------
    ConfigError
        If one is of a wrong type.
    """
    layer: Layer = {name: {} for name in SECTIONS}
    for section, kind in SECTIONS.items():
        for key in (item.name for item in fields(kind)):
            variable = variable_of(section, key)
            if text := environ.get(variable, "").strip():
                value = _parsed(variable, type_of(kind, key), text)
                try:
                    layer[section][key] = checked_value(kind, key, value)
                except WrongValue as exc:
                    raise ConfigError(f"{variable} {exc}") from None
    return layer


def _from_flags(flags: Mapping[str, Section]) -> Layer:
    layer: Layer = {name: {} for name in SECTIONS}
    for section, values in flags.items():
        layer[section] = {key: value for key, value in values.items() if value is not None}
    return layer


def _parsed(variable: str, wanted: type, text: str) -> Any:
    if wanted is str:
        return text
    try:
        return wanted(text)
    except ValueError as exc:
        kind = "a whole number" if wanted is int else "a number"
        raise ConfigError(f"{variable} is {text!r}; give {kind}") from exc

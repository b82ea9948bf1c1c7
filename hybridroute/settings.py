"""The command line's settings: flag > HYBRIDROUTE_* variable > hybridroute.toml > default.

A value has one name, written ``--cloud-model``, ``HYBRIDROUTE_CLOUD_MODEL`` and, in the file,
``model`` under ``[cloud]``. Keys of a cloud service come from environment variables alone; settings
hold the variable's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hybridroute.edge_runtime.errors import ConfigError

FILE_NAME = "hybridroute.toml"
FILE_VARIABLE = "HYBRIDROUTE_CONFIG"
_PREFIX = "HYBRIDROUTE_"
_OTHER_VARIABLES = ("HYBRIDROUTE_CACHE", "HYBRIDROUTE_DATA")
_AMOUNTS = ("dial", "threshold", "cost_advantage")
_SECRETS = ("key", "api_key", "token", "secret", "password")

Section = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """How queries are routed; see :class:`HybridClient` for each.

    Parameters
    ----------
    bundle : str or None
        The bundle's folder; None is the one that comes with the package.
    dial, threshold, cost_advantage : float or None
        At most one.
    arms : str or None
        In place of [edge] and [cloud], for a bundle that routes among several: written as ``--arm``
        takes them, separated by spaces.
    mode : {"auto", "only_on_device", "only_in_cloud", "prefer_on_device", "prefer_in_cloud"}
    threads : int
        Threads of one routing decision.
    out_of_scope_arm : str or None
        By default the cloud, or the best single arm of a pool.
    """

    bundle: str | None = None
    dial: float | None = None
    threshold: float | None = None
    cost_advantage: float | None = None
    arms: str | None = None
    mode: str = "auto"
    threads: int = 2
    out_of_scope_arm: str | None = None


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
class Settings:
    """Everything, with the file it was read from, if there was one."""

    router: RouterSettings = field(default_factory=RouterSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    cloud: CloudEndpoint = field(default_factory=CloudEndpoint)
    server: ServerSettings = field(default_factory=ServerSettings)
    file: Path | None = None


_SECTIONS: dict[str, type] = {
    "router": RouterSettings,
    "edge": EdgeSettings,
    "cloud": CloudEndpoint,
    "server": ServerSettings,
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
    file = _find_file(environ, folder)
    layers = [_from_file(file)] if file is not None else []
    layers += [_from_environ(environ), _from_flags(flags or {})]
    held: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for layer in layers:
        if any(layer["router"].get(name) is not None for name in _AMOUNTS):
            # They are three ways to say one thing: a nearer layer replaces all of them.
            for name in _AMOUNTS:
                held["router"].pop(name, None)
        for section, values in layer.items():
            held[section].update(values)
    return Settings(
        router=RouterSettings(**held["router"]),
        edge=EdgeSettings(**held["edge"]),
        cloud=CloudEndpoint(**held["cloud"]),
        server=ServerSettings(**held["server"]),
        file=file,
    )


def variable_of(section: str, key: str) -> str:
    """The environment variable's name for one setting."""
    return f"{_PREFIX}{section}_{key}".upper()


def unknown_variables(environ: Mapping[str, str], settings: Settings) -> list[str]:
    """HYBRIDROUTE_* variables that set nothing: misspelt, most likely."""
    known = {
        variable_of(name, item.name) for name, kind in _SECTIONS.items() for item in fields(kind)
    }
    known |= {FILE_VARIABLE, *_OTHER_VARIABLES}
    known |= {settings.cloud.api_key_env or "", settings.server.key_env or ""}
    return sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)


def _find_file(environ: Mapping[str, str], folder: Path) -> Path | None:
    named = environ.get(FILE_VARIABLE)
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            raise ConfigError(
                f"{FILE_VARIABLE} names {file}, which is no file; correct or unset it"
            )
        return file
    file = folder / FILE_NAME
    return file if file.is_file() else None


def _from_file(file: Path) -> dict[str, dict[str, Any]]:
    import tomllib

    try:
        held = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{file} cannot be read: {exc}") from exc
    layer: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for section, values in held.items():
        if section not in _SECTIONS or not isinstance(values, dict):
            raise ConfigError(
                f"{file}: {section!r} is not a section; use [{'], ['.join(_SECTIONS)}]"
            )
        for key, value in values.items():
            where = f"{file}: {section}.{key}"
            _refuse_secret(where, key)
            layer[section][key] = _checked(where, section, key, value)
    return layer


def _from_environ(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    layer: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for section, kind in _SECTIONS.items():
        known = {variable_of(section, item.name): item.name for item in fields(kind)}
        for variable, key in known.items():
            if text := environ.get(variable, "").strip():
                value = _parsed(variable, _type_of(section, key), text)
                layer[section][key] = _checked(variable, section, key, value)
    return layer


def _from_flags(flags: Mapping[str, Section]) -> dict[str, dict[str, Any]]:
    layer: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for section, values in flags.items():
        layer[section] = {key: value for key, value in values.items() if value is not None}
    return layer


def _refuse_secret(where: str, key: str) -> None:
    if key in _SECRETS:
        raise ConfigError(
            f"{where} looks like a secret; secrets come from environment variables alone. Take it "
            "out of the file, put it in a variable, and name that variable as cloud.api_key_env"
        )


def _type_of(section: str, key: str) -> type:
    """The plain type of a field: ``float`` for ``float | None``."""
    kind = get_type_hints(_SECTIONS[section])[key]
    plain: type = get_args(kind)[0] if get_origin(kind) is UnionType else kind
    return plain


def _checked(where: str, section: str, key: str, value: Any) -> Any:
    known = [item.name for item in fields(_SECTIONS[section])]
    if key not in known:
        raise ConfigError(f"{where} is not a setting; [{section}] has {', '.join(known)}")
    wanted = _type_of(section, key)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        kind = {str: "text", int: "a whole number", float: "a number"}[wanted]
        raise ConfigError(f"{where} is {type(value).__name__} {value!r}; give {kind}")
    return value


def _parsed(variable: str, wanted: type, text: str) -> Any:
    if wanted is str:
        return text
    try:
        return wanted(text)
    except ValueError as exc:
        kind = "a whole number" if wanted is int else "a number"
        raise ConfigError(f"{variable} is {text!r}; give {kind}") from exc

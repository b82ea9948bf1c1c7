"""The command line's settings: flag > HYBRIDROUTE_* variable > hybridroute.toml > default.

A value has one name, written ``--cloud-model``, ``HYBRIDROUTE_CLOUD_MODEL`` and, in the file,
``model`` under ``[cloud]``. Keys of a cloud service come from environment variables alone; settings
hold the variable's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings_file import Layer, WrongValue, checked_value, read_file, type_of
from hybridroute.settings_sections import (
    SECTIONS,
    CloudEndpoint,
    ControllerSection,
    EdgeSettings,
    RouterSettings,
    ServerSettings,
    Settings,
)

FILE_NAME = "hybridroute.toml"
FILE_VARIABLE = "HYBRIDROUTE_CONFIG"
_PREFIX = "HYBRIDROUTE_"
_OTHER_VARIABLES = ("HYBRIDROUTE_CACHE", "HYBRIDROUTE_DATA")
AMOUNTS = ("dial", "threshold", "cost_advantage", "cost_weight", "budget_usd", "max_drop")
"""Six ways to say how much goes to the cloud."""
PROMISE_WORDS = ("confidence", "drop_kind")
"""What belongs to ``max_drop``, and goes with it."""
_ONE_THING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "router": (AMOUNTS, PROMISE_WORDS),
    "controller": (("usd_per_hour", "cloud_requests", "cloud_share", "p95_ms"), ()),
}
"""Several ways to say one thing: a nearer layer that gives one replaces all, and their words."""

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}

Section = Mapping[str, Any]


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
        If the variable names no file, or something else has the file's name.
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
    if file.is_file():
        return file
    if file.exists() or file.is_symlink():  # a folder, or a link that leads nowhere
        raise ConfigError(
            f"{file} is not a file; take it away, or name the file in {FILE_VARIABLE}"
        )
    return None


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
    if wanted is bool:
        if (said := text.lower()) not in _TRUTHS:
            raise ConfigError(f"{variable} is {text!r}; give true or false")
        return _TRUTHS[said]
    try:
        return wanted(text)
    except ValueError as exc:
        kind = "a whole number" if wanted is int else "a number"
        raise ConfigError(f"{variable} is {text!r}; give {kind}") from exc

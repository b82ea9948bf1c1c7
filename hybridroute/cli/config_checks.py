"""Every problem of a configuration, with its place and the way out; nothing is loaded or called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hybridroute.arms_from_spec import memory_of
from hybridroute.cli import assemble
from hybridroute.cli.serve import server_options
from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError
from hybridroute.modes import checked_mode
from hybridroute.settings import (
    AMOUNTS,
    PROMISE_WORDS,
    combined,
    from_environ,
    unknown_variables,
    variable_of,
)
from hybridroute.settings_file import Layer, line_of, read_file
from hybridroute.settings_sections import SECTIONS, CloudEndpoint, EdgeSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    where : str
        The file, with its line where that is known, or the variable.
    message : str
    key : str or None
        ``section.key``, or a section.
    line : int or None
    """

    where: str
    message: str
    key: str | None = None
    line: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {"key": self.key, "line": self.line, "where": self.where, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReport:
    """What was found out about one file and the environment's variables."""

    file: Path | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the commands would take it."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "ok": self.ok,
            "file": None if self.file is None else str(self.file),
            "problems": [one.to_dict() for one in self.problems],
            "warnings": list(self.warnings),
        }


def examine_config(file: Path | None, environ: Mapping[str, str]) -> ConfigReport:
    """Check a file together with the variables that are laid over it.

    What a section is for is made of it on trial, so that the ranges are those of the real thing.
    """
    layer: Layer = {}
    problems = []
    if file is not None:
        layer, wrong = read_file(file, SECTIONS)
        problems = [
            Problem(where=_at(file, one.line), message=one.message, key=one.key, line=one.line)
            for one in wrong
        ]
    try:
        settings = combined([layer, from_environ(environ)], file)
    except ConfigError as exc:
        wrong_variable = Problem(where="the environment", message=str(exc))
        return ConfigReport(file=file, problems=(*problems, wrong_variable), warnings=())
    place = _Place(file, environ)
    problems += [place.problem(section, error) for section, error in _refusals(settings)]
    if not problems:
        problems += [place.problem(None, error) for _, error in _refused(_whole(settings))]
    unknown = unknown_variables(environ, settings)
    warnings = tuple(f"the variable {name} sets nothing" for name in unknown)
    return ConfigReport(file=file, problems=tuple(problems), warnings=warnings)


Trial = tuple[str, Callable[[], object]]


def _trials(settings: Settings) -> Iterator[Trial]:
    router = settings.router
    nothing: dict[str, Any] = dict.fromkeys((*AMOUNTS, *PROMISE_WORDS))
    plain = replace(router, **nothing, mode="auto")
    alone = replace(settings, router=plain, edge=EdgeSettings(), cloud=CloudEndpoint())
    yield "router", lambda: assemble.setting_said(router)
    yield "router", lambda: checked_mode(router.mode)
    yield "router", lambda: memory_of(router.model_memory_mb)
    yield "router", lambda: assemble.client_of(alone).close()
    yield "edge", lambda: assemble.edge_of(settings)
    yield "cloud", lambda: assemble.cloud_of(settings)
    yield "server", lambda: server_options(settings.server)
    yield "controller", lambda: assemble.controller_of(settings)


def _whole(settings: Settings) -> Iterator[Trial]:
    yield "", lambda: assemble.client_of(settings).close()


def _refusals(settings: Settings) -> Iterator[tuple[str, HybridRouteError]]:
    return _refused(_trials(settings))


def _refused(trials: Iterator[Trial]) -> Iterator[tuple[str, HybridRouteError]]:
    for section, make in trials:
        try:
            make()
        except HybridRouteError as exc:
            yield section, exc


class _Place:
    """Finds where a value stands that was refused."""

    def __init__(self, file: Path | None, environ: Mapping[str, str]) -> None:
        self._file, self._environ = file, environ
        self._text = "" if file is None else _text_of(file)

    def problem(self, section: str | None, error: HybridRouteError) -> Problem:
        """The error, with the place of the first setting that it names."""
        said = str(error)
        sections = SECTIONS if section is None else {section: SECTIONS[section]}
        found = [
            (at.start(), at.end(), f"{name}.{item.name}")
            for name, kind in sections.items()
            for item in fields(kind)
            if (at := re.search(rf"(?<![\w.])({name}_)?{item.name}\b", said))
        ]
        if not found:
            return Problem(where=self._where(section or ""), message=said, key=section)
        start, end, full = min(found)
        return Problem(
            where=self._where(full),
            message=said if start else f"{full}{said[end:]}",
            key=full,
            line=None if self._set_by_variable(full) else line_of(self._text, full),
        )

    def _where(self, key: str) -> str:
        if self._set_by_variable(key):
            return variable_of(*key.split(".", 1))
        return "the settings" if self._file is None else _at(self._file, line_of(self._text, key))

    def _set_by_variable(self, key: str) -> bool:
        return "." in key and bool(self._environ.get(variable_of(*key.split(".", 1)), "").strip())


def _at(file: Path, line: int | None) -> str:
    return str(file) if line is None else f"{file}:{line}"


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

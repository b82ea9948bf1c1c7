"""The checks behind ``doctor``: each finds one thing out and says what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from hybridroute._version import __version__
from hybridroute.cli.health import Finding, Health
from hybridroute.edge_runtime.errors import HybridRouteError

if TYPE_CHECKING:
    from hybridroute.arm_spec import ArmSpec
    from hybridroute.client import HybridClient
    from hybridroute.cloud import CloudArm
    from hybridroute.edge_runtime.bundle import Bundle
    from hybridroute.edge_runtime.protocols import Arm
    from hybridroute.settings_sections import Settings

_EXTRAS = {
    "llama": ("llama_cpp",),
    "prebuilt": ("xllamacpp",),
    "cli": ("typer", "rich"),
    "train": ("torch", "transformers", "safetensors", "bert_score", "onnx", "onnxscript"),
}
_GOLDEN_TOLERANCE = 0.02
"""int8 kernels differ between processors; a wrong model is off by far more."""


def examine(flags: Mapping[str, Mapping[str, Any]]) -> Health:
    """Run every check. A failing one is a finding, never an error."""
    from hybridroute.cli.assemble import read_settings

    try:
        settings = read_settings(flags)
    except HybridRouteError as exc:
        wrong = Finding(name="settings", status="error", found=str(exc))
        return Health(findings=(_versions(), wrong), routes=False, arms=())
    settings_found = _settings(settings)
    router = tuple(_router(settings))
    found, arms = _pair(settings) if settings.router.arms is None else _named(settings.router.arms)
    findings = (_versions(), *_extras(), *_plugins(), settings_found, *router, *found)
    if not _all_ok(router):
        return Health(findings=findings, routes=False, arms=arms)
    return _as_commands_see_it(settings, Health(findings=findings, routes=True, arms=arms))


def _as_commands_see_it(settings: Settings, health: Health) -> Health:
    """With what `ask` and `route` refuse though each part is there: settings that do not fit."""
    from hybridroute.cli.assemble import client_of

    refused = _checked("client", lambda: _made(client_of(settings)))
    if refused.status == "ok":
        return health
    routes = _checked("client", lambda: _made(client_of(settings, only_decides=True)))
    told = any(one.found == refused.found for one in health.findings)
    findings = health.findings if told else (*health.findings, refused)
    return Health(findings=findings, routes=routes.status == "ok", arms=())


def _made(client: HybridClient) -> Finding:
    client.close()
    return Finding(name="client", status="ok", found="can be made")


Arms = tuple[tuple[Finding, ...], tuple[str, ...]]
"""What was found of the arms, and the names of those that can answer."""


def _pair(settings: Settings) -> Arms:
    edge = tuple(_edge(settings))
    cloud = _checked("cloud", lambda: _cloud(settings))
    arms = ["edge"] if _all_ok(edge) else []
    arms += ["cloud"] if cloud.status == "ok" else []
    return (*edge, cloud), tuple(arms)


def _named(text: str) -> Arms:
    from hybridroute.arms_from_spec import arms_of, specs_of

    try:
        specs = specs_of(text)
        held = [(spec, arms_of([spec], only_on_device=False)[0]) for spec in specs]
    except HybridRouteError as exc:
        return (Finding(name="arms", status="error", found=str(exc)),), ()
    engine = [_checked("engine", lambda: _engine(None))] if any(s.is_local for s in specs) else []
    found = [_checked(f"arm {spec.name}", partial(_arm, spec, arm)) for spec, arm in held]
    fine = [
        spec.name
        for spec, one in zip(specs, found, strict=True)
        if one.status == "ok" and (not spec.is_local or _all_ok(tuple(engine)))
    ]
    return (*engine, *found), tuple(fine)


def _arm(spec: ArmSpec, arm: Arm) -> Finding:
    from hybridroute.cloud import CloudArm

    if isinstance(arm, CloudArm):
        return _reached(f"arm {spec.name}", arm)
    return _model(spec.model, f"arm {spec.name}")


def _settings(settings: Settings) -> Finding:
    from hybridroute.settings import unknown_variables

    where = "none; defaults, variables and flags" if settings.file is None else str(settings.file)
    unknown = unknown_variables(os.environ, settings)
    if not unknown:
        return Finding(name="settings", status="ok", found=f"file: {where}")
    found = f"file: {where}; {', '.join(unknown)} set nothing"
    advice = "a variable is HYBRIDROUTE_SECTION_KEY, for example HYBRIDROUTE_ROUTER_DIAL"
    return Finding(name="settings", status="warning", found=found, advice=advice)


def _all_ok(findings: tuple[Finding, ...]) -> bool:
    return all(one.status != "error" for one in findings)


def _checked(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except HybridRouteError as exc:
        return Finding(name=name, status="error", found=str(exc))


def _versions() -> Finding:
    found = f"hybridroute {__version__}, Python {platform.python_version()}, {platform.system()}"
    return Finding(name="versions", status="ok", found=f"{found} {platform.machine()}")


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if not _is_installed(name)]
        if not missing:
            yield Finding(name=f"extra {extra}", status="ok", found="installed")
        elif extra == "train":
            found = f"not installed ({', '.join(missing)}); routing does not need it"
            advice = "to train routers: pip install 'hybridroute[train]'"
            yield Finding(name="extra train", status="ok", found=found, advice=advice)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _plugins() -> Iterator[Finding]:
    import typer

    from hybridroute.cli.app import register_plugins

    for problem in register_plugins(typer.Typer()):
        yield Finding(name="commands", status="warning", found=problem)


def _router(settings: Settings) -> Iterator[Finding]:
    from hybridroute.router_source import open_bundle

    try:
        bundle = open_bundle(settings.router.bundle)
    except HybridRouteError as exc:
        advice = "" if settings.router.bundle is None else "leave the bundle out to use the default"
        yield Finding(name="bundle", status="error", found=str(exc), advice=advice)
        return
    *firsts, last = bundle.model_names or ("no pair of models",)
    names = f"{', '.join(firsts)} and {last}" if firsts else last
    found = f"{bundle.manifest.name} at {bundle.path}: files verified; calibrated for {names}"
    yield Finding(name="bundle", status="ok", found=found)
    yield _checked("router", lambda: _golden(bundle, settings.router.threads))


def _golden(bundle: Bundle, threads: int) -> Finding:
    vectors = bundle.manifest.golden
    scorer = bundle.scorer(threads=threads)
    if not vectors:
        scorer.assess("Hello")
        found = "scores, but the bundle has no golden vectors to compare with"
        return Finding(name="router", status="warning", found=found)
    if any(scorer.encode(vector.text).ids != vector.token_ids for vector in vectors):
        found = "the tokenizer gives other token ids than the bundle's golden vectors"
        advice = (
            "install the versions of tokenizers that setup.cfg admits, or fetch the bundle anew"
        )
        return Finding(name="router", status="error", found=found, advice=advice)
    texts = [vector.text for vector in vectors]
    if bundle.manifest.pool is None:
        pairs = list(zip(scorer.score(texts).tolist(), (one.score for one in vectors), strict=True))
    else:
        rows = zip(scorer.estimate(texts)[0].tolist(), vectors, strict=True)
        pairs = [pair for row, one in rows for pair in zip(row, one.estimates, strict=True)]
    off = max(abs(found - golden) for found, golden in pairs)
    found = f"{len(vectors)} golden vectors scored again, off by at most {off:.1e}"
    if off <= _GOLDEN_TOLERANCE:
        return Finding(name="router", status="ok", found=found)
    advice = f"more than {_GOLDEN_TOLERANCE}: fetch the bundle anew, or another onnxruntime"
    return Finding(name="router", status="error", found=found, advice=advice)


def _edge(settings: Settings) -> Iterator[Finding]:
    from hybridroute.arms import DEFAULT_EDGE_MODEL

    yield _checked("engine", lambda: _engine(settings.edge.engine))
    model = settings.edge.model or DEFAULT_EDGE_MODEL
    yield _checked("edge model", lambda: _model(model))


def _engine(asked: str | None) -> Finding:
    from hybridroute.edge_runtime.engines import choose_engine, installed_engines

    chosen = choose_engine(asked)
    others = [name for name in installed_engines() if name != chosen]
    also = f" (also installed: {', '.join(others)})" if others else ""
    return Finding(name="engine", status="ok", found=f"{chosen}{also}")


def _model(name: str, shown: str = "edge model") -> Finding:
    from hybridroute.edge_runtime.model_registry import resolve

    found = resolve(name)
    checked = "sha256 right" if found.sha256 else "a file of your own, not checked"
    said = f"{found.name}, {found.bytes / 1e6:.0f} MB, {checked}"
    return Finding(name=shown, status="ok", found=said)


def _cloud(settings: Settings) -> Finding:
    from hybridroute.cli.assemble import cloud_of
    from hybridroute.cloud import CloudArm

    cloud = cloud_of(settings)
    if cloud is None:
        found = "none configured; the edge answers everything"
        advice = "set cloud.model (and cloud.base_url), and the key's variable"
        return Finding(name="cloud", status="warning", found=found, advice=advice)
    return _reached("cloud", CloudArm(cloud))


def _reached(name: str, arm: CloudArm) -> Finding:
    try:
        seen = arm.reachable()
    finally:
        arm.close()
    found = f"{arm.model} at {arm.settings.host}: {seen.advice}"
    return Finding(name=name, status="ok" if seen.ok else "error", found=found)

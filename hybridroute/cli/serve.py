"""``hybridroute serve``: an OpenAI-compatible server that routes, and a page to see it on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli import options
from hybridroute.cli.output import print_json, say
from hybridroute.cli.ranges import within
from hybridroute.cli.usage import check_one, flag_of
from hybridroute.edge_runtime.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hybridroute.edge_runtime.protocols import Arm
    from hybridroute.server.live import Serving
    from hybridroute.server.options import ServerOptions
    from hybridroute.settings_sections import ServerSettings, Settings

_POSITIVE = within(0, low_in=False, high_in=False)
_HOLD = "Let a controller turn the dial to hold (give one)"


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address; any but loopback needs a key.")] = None,
    port: options.Port = None,
    key_env: options.KeyEnv = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="A web origin whose scripts may ask; may be repeated."),
    ] = None,
    max_requests: Annotated[
        int | None,
        typer.Option(help="Chat requests at a time; more are told 429.", callback=within(1)),
    ] = None,
    drain_s: Annotated[
        float | None,
        typer.Option(help="On SIGTERM, seconds that answers may still take.", callback=within(0)),
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="An SQLite file for the decisions, for `replay`; no prompts.")
    ] = None,
    log_json: Annotated[bool, typer.Option(help="Log as JSON lines.")] = False,
    usd_per_hour: Annotated[
        float | None,
        typer.Option(help="Budget in the cloud.", rich_help_panel=_HOLD, callback=_POSITIVE),
    ] = None,
    cloud_requests: Annotated[
        float | None,
        typer.Option(help="Cloud requests a minute.", rich_help_panel=_HOLD, callback=_POSITIVE),
    ] = None,
    cloud_share: Annotated[
        float | None,
        typer.Option(
            help="Share of requests to the cloud.",
            rich_help_panel=_HOLD,
            callback=within(0, 1, low_in=False),
        ),
    ] = None,
    p95_ms: Annotated[
        float | None,
        typer.Option(
            help="Wait for a stream's first token or a whole answer: 95th percentile, in ms.",
            rich_help_panel=_HOLD,
            callback=_POSITIVE,
        ),
    ] = None,
    json: options.Json = False,
    mode: options.Mode = None,
    dial: options.Dial = None,
    threshold: options.Threshold = None,
    cost_advantage: options.CostAdvantage = None,
    cost_weight: options.CostWeight = None,
    budget_usd: options.BudgetUsd = None,
    max_drop: options.MaxDrop = None,
    confidence: options.Confidence = None,
    drop_kind: options.DropKind = None,
    bundle: options.Bundle = None,
    arms: options.Arms = None,
    model_memory: options.ModelMemory = None,
    edge: options.Edge = None,
    engine: options.Engine = None,
    cloud_url: options.CloudUrl = None,
    cloud_model: options.CloudModel = None,
    cloud_key_env: options.CloudKeyEnv = None,
) -> None:
    """Serve OpenAI's chat API, routed, with a page at / and the dial at /v1/hybridroute/dial.

    Ends on Ctrl-C or SIGTERM once the answers under way are given; reads its settings again on
    SIGHUP.
    """
    models = options.as_flags(
        mode=mode,
        dial=dial,
        threshold=threshold,
        cost_advantage=cost_advantage,
        cost_weight=cost_weight,
        budget_usd=budget_usd,
        max_drop=max_drop,
        confidence=confidence,
        drop_kind=drop_kind,
        bundle=bundle,
        arms=arms,
        model_memory=model_memory,
        edge=edge,
        engine=engine,
        cloud_url=cloud_url,
        cloud_model=cloud_model,
        cloud_key_env=cloud_key_env,
    )
    server = {
        "host": host,
        "port": port,
        "key_env": key_env,
        "cors_origin": None if cors_origin is None else " ".join(cors_origin),
        "max_requests": max_requests,
        "drain_s": drain_s,
        "log": log,
    }
    controller = {
        "usd_per_hour": usd_per_hour,
        "cloud_requests": cloud_requests,
        "cloud_share": cloud_share,
        "p95_ms": p95_ms,
    }
    check_one({flag_of(name): value for name, value in controller.items()})
    require_server()
    flags = {**models, "server": server, "controller": controller}
    _serve(flags, json=json, log_json=log_json)


def require_server() -> None:
    """Raise ConfigError where the extra is not installed."""
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as exc:
        raise ConfigError(f"serve needs {exc.name}: pip install 'hybridroute[server]'") from exc


def _serve(flags: Mapping[str, Mapping[str, Any]], *, json: bool, log_json: bool) -> None:
    from hybridroute.cli.assemble import settings_of
    from hybridroute.server.app import make_app
    from hybridroute.server.logs import log_to_stderr
    from hybridroute.server.run import listen, serve, url_of

    settings = settings_of(flags)
    options = server_options(settings.server)
    log_to_stderr(as_json=log_json)
    listener = listen(options)
    try:
        first = serving_of(settings)
    except BaseException:
        listener.close()
        raise
    url = url_of(listener)

    def tell() -> None:
        if json:
            print_json({"url": url, "pid": os.getpid(), "missing": first.missing}, one_line=True)
        for line in _greeting(first, url):
            say(line)

    app = make_app(first, options, remake=_Again(flags, settings.file).serving)
    serve(app, listener, options, on_start=tell)


class _Again:
    """Reads the settings again and makes a Serving of them; the file in force must still be there.

    Without it the rest would do, as at a start in an empty folder: quietly without a cloud.
    """

    def __init__(self, flags: Mapping[str, Mapping[str, Any]], file: Path | None) -> None:
        self._flags, self._file = flags, file

    def serving(self) -> Serving:
        from hybridroute.cli.assemble import read_settings

        settings = read_settings(self._flags)
        if self._file is not None and settings.file is None:
            raise ConfigError(
                f"{self._file} is gone; put it back, or restart the server to do without it"
            )
        _check_sections(settings)
        made = serving_of(settings)
        self._file = settings.file
        return made


def _check_sections(settings: Settings) -> None:
    """Refuse what `config check` refuses: also what no client is made of, or this mode leaves out.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """
    from hybridroute.cli.assemble import cloud_of, edge_of
    from hybridroute.settings_sections import CloudEndpoint

    server_options(settings.server)
    edge_of(settings)
    if settings.cloud != CloudEndpoint():  # on the device alone, no network code is imported for it
        cloud_of(settings)


def server_options(settings: ServerSettings) -> ServerOptions:
    """The options that the settings and the named variable give.

    Raises
    ------
    ConfigError
        If a value is out of range, or the named variable is not set.
    """
    from dataclasses import fields

    from hybridroute.server.options import ServerOptions

    given: dict[str, Any] = {
        item.name: getattr(settings, item.name)
        for item in fields(settings)
        if item.name not in ("key_env", "cors_origin", "log")
        and getattr(settings, item.name) is not None
    }
    origins = tuple((settings.cors_origin or "").split())
    return ServerOptions(**given, cors_origins=origins, key=server_key(settings.key_env))


def server_key(variable: str | None) -> str | None:
    """The callers' key, from the variable of that name; None where none is named."""
    if not variable:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"the environment variable {variable} is not set; put the server's key in it"
        )
    return key


def serving_of(settings: Settings) -> Serving:
    """A client and what is to be said of it; nothing is loaded."""
    from hybridroute.async_client import AsyncHybridClient
    from hybridroute.cli.assemble import client_of, controller_of
    from hybridroute.server.live import Serving

    controller = controller_of(settings)
    # Its requests share the cores with each other, and with the model on this device.
    client = AsyncHybridClient.over(client_of(settings, router_spins=False))
    client.control(controller)
    if settings.server.log is not None:
        client.log_to(settings.server.log)
    unable = {name: why for arm in client.arms for name, why in _keyless(arm)}
    return Serving(
        client=client,
        settings=settings,
        models=tuple((arm.name, arm.model) for arm in client.arms),
        missing=(*_no_cloud(settings), *unable.values()),
        unable=unable,
    )


def _no_cloud(settings: Settings) -> list[str]:
    from hybridroute.settings import variable_of

    router = settings.router
    if router.mode == "only_on_device" or router.arms is not None or settings.cloud.model:
        return []
    return [
        "No cloud is configured, so the edge answers everything: give --cloud-model or "
        f"{variable_of('cloud', 'model')} (and --cloud-url), and put its key in a variable"
    ]


def _keyless(arm: Arm) -> Iterator[tuple[str, str]]:
    """An endpoint that cannot be asked for want of its key, and the sentence that says so."""
    if arm.place == "device":
        return
    from hybridroute.cloud import CloudArm
    from hybridroute.cloud.settings import usable_key

    variable = arm.settings.key_variable if isinstance(arm, CloudArm) else ""
    key = os.environ.get(variable, "").strip()
    if variable and not usable_key(key):
        what = "has spaces or is not ASCII" if key else "is not set"
        yield (
            arm.name,
            f"The {arm.name} has no key: the environment variable {variable} {what}. Until that "
            "is put right, another arm stands in where there is one",
        )


def _greeting(first: Serving, url: str) -> list[str]:
    arms = ", ".join(f"{name} {model}" for name, model in first.models)
    lines = [f"hybridroute serves {arms}; {first.client.setting}."]
    lines += [f"note: {sentence}." for sentence in first.missing]
    return [*lines, f"API {url}/v1   page {url}/   Ctrl-C ends it."]

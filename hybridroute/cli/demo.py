"""``hybridroute demo``: real queries, two real models, and the dial at work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from hybridroute.cli import options
from hybridroute.cli.output import console, print_json, progress
from hybridroute.cli.ranges import within
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing

if TYPE_CHECKING:
    from rich.console import Console

    from hybridroute.client import HybridClient
    from hybridroute.demo.queries import Query
    from hybridroute.demo.session import Split
    from hybridroute.edge_runtime.llama_arm import LlamaArm
    from hybridroute.settings_sections import Settings

_TERMS = (
    "Gemma's package is a third party's repackaging; the model is under Gemma's terms, "
    "ai.google.dev/gemma/terms."
)
_UNCALIBRATED = (
    "calibrated: false. The router was not calibrated for these two models, so what a setting "
    "costs in quality is unknown here; the dial is the share of queries for the cloud."
)
_FLAT = (
    "flat: on the calibration prompts no split of these two models was measurably better than the "
    "edge alone, so the dial is taken for the share of queries for the cloud."
)
_SMALL = "Both models are tiny and often wrong: look at where the queries go."


def demo(
    *,
    dial: Annotated[
        list[float] | None,
        typer.Option(help="A dial setting, 0 to 1; may be repeated.", callback=within(0, 1)),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(help='Your own: one a line, or JSON lines with "prompt" or "messages".'),
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 24,
    json: options.Json = False,
    bundle: options.Bundle = None,
    edge: options.Edge = None,
    engine: options.Engine = None,
) -> None:
    """Watch the router split real queries between two real models, at two dial settings.

    The edge model runs in this process; the "cloud" is a second small model behind real HTTP, in a
    process of its own on this machine. Nothing leaves the machine.
    """
    from hybridroute.cli.assemble import settings_of
    from hybridroute.demo.queries import QUERIES, read_queries

    settings = settings_of(options.as_flags(bundle=bundle, edge=edge, engine=engine))
    dials = _checked(dial or [0.3, 0.8])
    chosen = QUERIES if queries is None else read_queries(queries)
    with _ending_on_sigterm():
        _play(settings, chosen, dials, max_tokens=max_tokens, json=json)


def _checked(dials: list[float]) -> list[float]:
    from hybridroute.setting import Setting

    return [Setting(dial=dial).value for dial in dials]


def _play(
    settings: Settings,
    queries: tuple[Query, ...],
    dials: list[float],
    *,
    max_tokens: int,
    json: bool,
) -> None:
    from hybridroute.cli.assemble import edge_of
    from hybridroute.client import HybridClient
    from hybridroute.demo.launch import StandInCloud
    from hybridroute.demo.session import demo_bundle
    from hybridroute.demo.stand_in import MODEL
    from hybridroute.edge_runtime.bundle import packaged_bundle_path
    from hybridroute.router_source import open_pair_bundle

    arm = edge_of(settings)
    held = open_pair_bundle(settings.router.bundle or packaged_bundle_path("demo"))
    _require(settings.edge.model or arm.model, MODEL)
    bundle, basis = demo_bundle(held, (arm.model, MODEL), threads=settings.router.threads)
    progress(f"starting the stand-in cloud: {MODEL}, in a process of its own on 127.0.0.1")
    with (
        StandInCloud() as cloud,
        HybridClient(bundle, edge=arm, cloud=cloud.arm()) as client,
    ):
        progress(f"loading {arm.model} in this process")
        client.warm_up()
        if json:
            _print_lines(client, queries, dials, max_tokens=max_tokens)
            return
        out = console()
        _introduce(out, client, arm, cloud.settings.base_url, basis)
        _print_tables(out, client, queries, dials, max_tokens=max_tokens)


def _require(*models: str) -> None:
    """Name every missing model at once."""
    from hybridroute.edge_runtime.model_registry import resolve

    missing = []
    for model in models:
        try:
            resolve(model)
        except ModelMissing as exc:
            missing.append(str(exc))
    if missing:
        raise ModelMissing("; ".join(missing))


def _introduce(out: Console, client: HybridClient, arm: LlamaArm, address: str, basis: str) -> None:
    from hybridroute.demo.stand_in import MODEL

    out.print("hybridroute demo", style="bold")
    rows = {
        "edge": f"{arm.model}, in this process ({arm.engine_name})",
        "cloud": f"{MODEL}, a stand-in for a large one, at {address}",
        "router": f"{client.bundle.manifest.name}; {basis}",
    }
    for name, what in rows.items():
        out.print(f"  {name:<8}{what}", markup=False)
    for caveat in _caveats(client):
        out.print(caveat, style="yellow", markup=False)
    out.print(f"{_SMALL} {_TERMS}", style="dim", markup=False)
    out.print()


def _caveats(client: HybridClient) -> list[str]:
    """What there is to know of the shares in the tables."""
    from hybridroute.demo.session import takes_dial

    if not client.calibrated:
        return [_UNCALIBRATED]
    return [] if takes_dial(client) else [_FLAT]


def _print_tables(
    out: Console,
    client: HybridClient,
    queries: tuple[Query, ...],
    dials: list[float],
    *,
    max_tokens: int,
) -> None:
    from hybridroute.demo.session import answers, requested_share, split_of
    from hybridroute.demo.show import show_answers, show_splits

    splits = []
    for dial in dials:
        asked = answers(client, queries, dial=dial, max_tokens=max_tokens)
        requested = requested_share(client, dial)
        given = show_answers(out, asked, rows=len(queries), dial=dial, requested=requested)
        splits.append(split_of(given, dial=dial, requested=requested))
    show_splits(out, splits)
    out.print(
        f"With {len(queries)} queries one more or less moves a share by {1 / len(queries):.0%}.",
        style="dim",
    )
    out.print("Turn it yourself: hybridroute demo --dial 0.5 --queries FILE", markup=False)


def _print_lines(
    client: HybridClient, queries: tuple[Query, ...], dials: list[float], *, max_tokens: int
) -> None:
    from hybridroute.demo.session import answers, requested_share, split_of

    splits: list[Split] = []
    for dial in dials:
        given = []
        for answer in answers(client, queries, dial=dial, max_tokens=max_tokens):
            given.append(answer)
            print_json(answer.to_dict(), one_line=True)
        splits.append(split_of(given, dial=dial, requested=requested_share(client, dial)))
    summary = {
        "type": "summary",
        "calibrated": client.calibrated,
        "splits": [split.to_dict() for split in splits],
        "notes": [*_caveats(client), _SMALL, _TERMS],
    }
    print_json(summary, one_line=True)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that everything started is ended."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (a handler's arguments)
        sys.exit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError as exc:
        raise ConfigError("the demo runs in the main thread only; start it from there") from exc
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

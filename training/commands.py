"""``hybridroute train`` and ``hybridroute evaluate``."""

from __future__ import annotations

import logging
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.output import console, print_json
from hybridroute.training.label_command import label
from hybridroute.training.sample_command import sample

if TYPE_CHECKING:
    from hybridroute.training.outcomes import OutcomeTable
    from hybridroute.training.pipeline import TrainingPlan

Outcomes = Annotated[
    list[Path],
    typer.Option(
        help="Outcome files or folders: RouteLLM CSV, RouterDC JSON, RouterBench CSV, "
        "canonical JSON lines. More may follow without the option."
    ),
]
More = Annotated[list[Path] | None, typer.Argument(help="More outcome files.", show_default=False)]
Edge = Annotated[str, typer.Option(help="The small model's name in the outcomes.")]
Cloud = Annotated[str, typer.Option(help="The large model's name in the outcomes.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


class LabelName(StrEnum):
    """The labels of Hybrid LLM."""

    DET = "det"
    PROB = "prob"
    TRANS = "trans"


class HeadsName(StrEnum):
    """The kinds of heads."""

    LABEL = "label"
    ARMS = "arms"


class PoolingName(StrEnum):
    """The kinds of pooling."""

    MEAN = "mean"
    FIRST = "first"


class PrecisionName(StrEnum):
    """Of the matrix products; auto takes bf16 where the CPU has it."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


class SplitName(StrEnum):
    """What is kept whole when rows are split."""

    PROMPT = "prompt"
    DOMAIN = "domain"


class WeightName(StrEnum):
    """Of the exported graph."""

    INT8 = "int8"
    FP32 = "fp32"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    app.command("sample")(sample)
    app.command("label")(label)


def train(
    *,
    outcomes: Outcomes,
    more: More = None,
    edge: Edge,
    cloud: Cloud,
    out: Annotated[Path, typer.Option(help="Folder of the new bundle.")],
    label: Annotated[LabelName, typer.Option(help="What the router learns.")] = LabelName.PROB,
    heads: Annotated[
        HeadsName, typer.Option(help="One head for the label, or one per arm's quality as well.")
    ] = HeadsName.ARMS,
    encoder: Annotated[
        str, typer.Option(help="minilm, a folder, or a name such as microsoft/deberta-v3-xsmall.")
    ] = "minilm",
    pooling: Annotated[PoolingName, typer.Option()] = PoolingName.MEAN,
    max_tokens: Annotated[int, typer.Option(help="Input length; the beginning is cut.")] = 96,
    epochs: Annotated[int, typer.Option()] = 2,
    batch_size: Annotated[int, typer.Option()] = 16,
    learning_rate: Annotated[float, typer.Option()] = 5e-5,
    precision: Annotated[PrecisionName, typer.Option()] = PrecisionName.AUTO,
    seeds: Annotated[
        str, typer.Option(help="One fit each; the best on selection rows stays.")
    ] = "1",
    split_by: Annotated[
        SplitName, typer.Option(help="Keep whole domains together, or prompts.")
    ] = SplitName.PROMPT,
    split_seed: Annotated[int, typer.Option()] = 0,
    also_fit: Annotated[
        list[Path] | None, typer.Option(help="Outcomes used for fitting only.")
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="NAME=OTHER: an arm called NAME there is OTHER here.")
    ] = None,
    weights: Annotated[WeightName, typer.Option(help="Of the exported router.")] = WeightName.INT8,
    baselines: Annotated[bool, typer.Option(help="Judge random, length and kNN beside it.")] = True,
    source: Annotated[
        list[str] | None, typer.Option(help="A source and its licence, for the model card.")
    ] = None,
    name: Annotated[str, typer.Option(help="For the model card.")] = "",
    work: Annotated[
        Path | None, typer.Option(help="Checkpoints; by default beside --out. Kept.")
    ] = None,
    threads: Annotated[int, typer.Option(help="0: torch's own choice.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Train a router for your own pair, from outcomes to a bundle with its report.

    Killed at any step, the same command goes on from the last checkpoint.
    """
    _needs_torch()
    from hybridroute.training.fit_config import FitConfig
    from hybridroute.training.pipeline import TrainingPlan
    from hybridroute.training.torch_setup import chosen_precision, use_threads

    use_threads(threads)
    wanted = _seeds(seeds)
    config = FitConfig(
        encoder=encoder,
        heads=heads.value,
        label=label.value,
        pooling=pooling.value,
        max_tokens=max_tokens,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        precision=chosen_precision(precision.value),
    )
    plan = TrainingPlan(
        outcomes=_table([*outcomes, *(more or [])], alias or []),
        also_fit=_table(also_fit, alias or []) if also_fit else None,
        edge=edge,
        cloud=cloud,
        config=config,
        out=out,
        work=work or _beside(out),
        name=name or f"Router: {edge} or {cloud}",
        split_by=split_by.value,
        split_seed=split_seed,
        seeds=wanted,
        weights=weights.value,
        baselines=baselines,
        sources=tuple(source or ()),
        command=shlex.join(["hybridroute", *sys.argv[1:]]),
    )
    _run(plan, json=json)


def evaluate(
    *,
    outcomes: Outcomes,
    more: More = None,
    edge: Edge,
    cloud: Cloud,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle's folder; the default bundle if left out.")
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="NAME=OTHER: an arm called NAME there is OTHER here.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    json: Json = False,
) -> None:
    """Judge a bundle's exported router on outcomes: APGR, CPT50, CPT80, drops, the dial."""
    from hybridroute.router_source import open_bundle
    from hybridroute.training.judge import evaluate_bundle

    opened = open_bundle(bundle)
    table = _table([*outcomes, *(more or [])], alias or [])
    found = evaluate_bundle(opened, table, edge, cloud, threads=threads)
    if json:
        print_json({"bundle": str(opened.path), "edge": edge, "cloud": cloud, **found})
    else:
        _show_evaluation(found)


def _run(plan: TrainingPlan, *, json: bool) -> None:
    from hybridroute.training.fit_progress import FitProgress
    from hybridroute.training.pipeline import train as run

    with FitProgress() as progress:
        trained = run(plan, on_step=progress.step)
    if json:
        print_json({"bundle": str(trained.bundle.path), **trained.report})
    else:
        _show_card(trained.bundle.path / "README.md")


def _beside(out: Path) -> Path:
    whole = out.resolve()
    return whole.with_name(f"{whole.name}-work")


def _table(paths: list[Path], aliases: list[str]) -> OutcomeTable:
    from hybridroute.training.outcomes import renamed
    from hybridroute.training.readers import read_outcomes

    return renamed(read_outcomes(paths), dict(_alias(text) for text in aliases))


def _alias(text: str) -> tuple[str, str]:
    name, _, other = text.partition("=")
    if not name or not other:
        raise typer.BadParameter(f"{text!r} is not NAME=OTHER", param_hint="--alias")
    return name, other


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter(
            f"{text!r} is not whole numbers with commas", param_hint="--seeds"
        ) from exc


def _needs_torch() -> None:
    import importlib.util

    from hybridroute.edge_runtime.errors import ConfigError

    missing = [
        name
        for name in ("torch", "transformers", "safetensors", "onnx", "onnxscript")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ConfigError(f"training needs {', '.join(missing)}: pip install 'hybridroute[train]'")
    logging.getLogger("transformers").setLevel(logging.ERROR)


def _show_card(path: Path) -> None:
    from rich.markdown import Markdown

    shown = console()
    shown.print(Markdown(path.read_text(encoding="utf-8")))
    shown.print(f"\nThe bundle is in {path.parent}.", markup=False)


def _show_evaluation(found: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = console()
    table = Table("", "value", box=SIMPLE_HEAD, show_header=False)
    for name in ("n", "edge_quality", "cloud_quality", "apgr", "cpt50", "cpt80"):
        value = found[name]
        text = "-" if value is None else f"{value:.4g}"
        if name == "apgr" and found["apgr_interval"]:
            text += " [{:.3f}, {:.3f}]".format(*found["apgr_interval"])
        table.add_row(name, text)
    table.add_row("n_seen_in_training", str(found["n_seen_in_training"]))
    shown.print(table)
    if found["pgr_undefined"]:
        shown.print(f"No PGR: {found['pgr_undefined']}", markup=False)
    if found["n_seen_in_training"]:
        apart = found["unseen"]
        shown.print(
            f"{found['n_seen_in_training']} of these rows were seen in training"
            + (
                f"; without them APGR is {apart['apgr']:.3f} on {apart['n']} rows."
                if apart and apart["apgr"] is not None
                else "."
            ),
            style="yellow",
            markup=False,
        )
    dials = Table("dial asked", "realised", "cloud share expected", "cloud share", box=SIMPLE_HEAD)
    for row in found["dials"]:
        realised = "-" if row["realised"] is None else f"{row['realised']:.2f}"
        dials.add_row(
            f"{row['dial']:g}",
            realised,
            f"{row['expected_cloud_share']:.1%}",
            f"{row['cloud_share']:.1%}",
        )
    if found["dials"]:
        shown.print(dials)

"""The options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from hybridroute.cli.ranges import within


class ModeName(StrEnum):
    """The modes, as the command line knows them."""

    AUTO = "auto"
    ONLY_ON_DEVICE = "only_on_device"
    ONLY_IN_CLOUD = "only_in_cloud"
    PREFER_ON_DEVICE = "prefer_on_device"
    PREFER_IN_CLOUD = "prefer_in_cloud"


class EngineName(StrEnum):
    """The llama.cpp engines, as the command line knows them."""

    LLAMA_CPP_PYTHON = "llama-cpp-python"
    XLLAMACPP = "xllamacpp"


class DropName(StrEnum):
    """What a promise's limit is measured in, as the command line knows it."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    GAP = "gap"


_AMOUNT = "How much to send to the cloud (give one)"
_MODELS = "Models"

Query = Annotated[str, typer.Argument(help="The query; - reads it from standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
Dial = Annotated[
    float | None,
    typer.Option(
        help="Quality dial, 0 (all edge) to 1 (best).",
        rich_help_panel=_AMOUNT,
        callback=within(0, 1),
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="The edge answers if score >= threshold; above 1 all goes to the cloud.",
        rich_help_panel=_AMOUNT,
        callback=within(0, 1.01),
    ),
]
CostAdvantage = Annotated[
    float | None,
    typer.Option(
        help="Share of queries for the edge; of a pool, of money saved.",
        rich_help_panel=_AMOUNT,
        callback=within(0, 1),
    ),
]
CostWeight = Annotated[
    float | None,
    typer.Option(
        help="Of a pool: units of quality given up for a US dollar.",
        rich_help_panel=_AMOUNT,
        callback=within(0),
    ),
]
BudgetUsd = Annotated[
    float | None,
    typer.Option(
        help="Of a pool: the mean US dollars a query may cost.",
        rich_help_panel=_AMOUNT,
        callback=within(0),
    ),
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        help="A promise: most quality to lose on average, of a bundle calibrated with outcomes.",
        rich_help_panel=_AMOUNT,
        callback=within(0, 1, low_in=False, high_in=False),
    ),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        help="The promise's confidence, 0 to 1; 0.9 if not said.",
        rich_help_panel=_AMOUNT,
        callback=within(0, 1, low_in=False, high_in=False),
    ),
]
DropKind = Annotated[
    DropName | None,
    typer.Option(
        help="What --max-drop is a share of: nothing, the cloud's quality, or the gap.",
        rich_help_panel=_AMOUNT,
    ),
]
Mode = Annotated[
    ModeName | None,
    typer.Option(help="Which places may answer; prefer_*: the other only if the first cannot."),
]
Bundle = Annotated[
    str | None,
    typer.Option(
        help="Folder of the trained router, or a packaged one's name: default, demo.",
        rich_help_panel=_MODELS,
    ),
]
Edge = Annotated[
    str | None,
    typer.Option(
        help="Small model: a name of `models list`, or a GGUF file.", rich_help_panel=_MODELS
    ),
]
Arms = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        help="For a bundle of several arms: NAME=MODEL, NAME=FILE.gguf or NAME=MODEL@URL, with "
        ",option=value after it. Repeat it.",
        rich_help_panel=_MODELS,
    ),
]
ModelMemory = Annotated[
    int | None,
    typer.Option(
        "--model-memory-mb",
        help="With --arm: most memory of the loaded local models; the longest unused goes.",
        rich_help_panel=_MODELS,
        callback=within(1),
    ),
]
Engine = Annotated[
    EngineName | None, typer.Option(help="llama.cpp engine.", rich_help_panel=_MODELS)
]
CloudUrl = Annotated[
    str | None,
    typer.Option(help="An OpenAI-compatible endpoint's base URL.", rich_help_panel=_MODELS),
]
CloudModel = Annotated[
    str | None, typer.Option(help="Large model's name there.", rich_help_panel=_MODELS)
]
CloudKeyEnv = Annotated[
    str | None,
    typer.Option(
        help="Name of the variable that holds the key; '' for none.", rich_help_panel=_MODELS
    ),
]
Port = Annotated[
    int | None,
    typer.Option(help="The server's port; 0 takes a free one.", callback=within(0, 65535)),
]
KeyEnv = Annotated[
    str | None,
    typer.Option(help="Name of the variable that holds the server's own key."),
]
System = Annotated[str | None, typer.Option(help="A system message before the query.")]
MaxTokens = Annotated[
    int | None, typer.Option(help="Longest answer, in tokens.", callback=within(1))
]
Temperature = Annotated[
    float | None, typer.Option(help="Sampling temperature, 0 to 2.", callback=within(0, 2))
]
Seed = Annotated[int | None, typer.Option(help="Seed of the sampling.")]


def as_flags(
    *,
    mode: ModeName | None = None,
    dial: float | None = None,
    threshold: float | None = None,
    cost_advantage: float | None = None,
    cost_weight: float | None = None,
    budget_usd: float | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    drop_kind: DropName | None = None,
    bundle: str | None = None,
    arms: list[str] | None = None,
    model_memory: int | None = None,
    edge: str | None = None,
    engine: EngineName | None = None,
    cloud_url: str | None = None,
    cloud_model: str | None = None,
    cloud_key_env: str | None = None,
) -> Mapping[str, Mapping[str, Any]]:
    """The options as :func:`load_settings` takes them."""
    return {
        "router": {
            "mode": None if mode is None else mode.value,
            "dial": dial,
            "threshold": threshold,
            "cost_advantage": cost_advantage,
            "cost_weight": cost_weight,
            "budget_usd": budget_usd,
            "max_drop": max_drop,
            "confidence": confidence,
            "drop_kind": None if drop_kind is None else drop_kind.value,
            "bundle": bundle,
            "arms": None if arms is None else shlex.join(arms),
            "model_memory_mb": model_memory,
        },
        "edge": {"model": edge, "engine": None if engine is None else engine.value},
        "cloud": {"base_url": cloud_url, "model": cloud_model, "api_key_env": cloud_key_env},
    }

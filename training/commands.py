"""``hybridroute train`` and ``hybridroute evaluate``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.output import console, print_json
from hybridroute.cli.ranges import within
from hybridroute.training.calibrate_command import calibrate
from hybridroute.training.evaluate_command import evaluate
from hybridroute.training.fit_config import TOKENS, FitConfig
from hybridroute.training.judging.compare_command import compare
from hybridroute.training.label_command import label
from hybridroute.training.outcome_options import (
    Aliases,
    Cloud,
    Edge,
    Json,
    More,
    Outcomes,
    read_table,
)
from hybridroute.training.pool.add_arm_command import add_arm
from hybridroute.training.pool.train_command import (
    CardWords,
    PoolArms,
    PoolCosts,
    PoolEstimator,
    PoolModels,
    PoolOptions,
    run_pool,
)
from hybridroute.training.sample_command import sample
from hybridroute.training.show_card import show_card
from hybridroute.training.train_choices import (
    FitName,
    HeadsName,
    LabelName,
    PoolingName,
    PrecisionName,
    SplitName,
    WeightName,
)
from hybridroute.training.train_usage import check_usage, seeds_of
from hybridroute.training.wrong_usage import wrong_usage

if TYPE_CHECKING:
    from hybridroute.training.fit_config import Precision
    from hybridroute.training.training_plan import TrainingPlan


_DEFAULT = FitConfig()
_OF_PAIRS = (
    *("--edge", "--cloud", "--fit", "--label", "--heads", "--select", "--refit", "--also-fit"),
    *("--keep-candidates", "--seeds", "--weights", "--no-baselines"),
)
_OF_POOLS = ("--arms", "--cost", "--model")
_SEEDS = "1"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(train)
    app.command("add-arm")(add_arm)
    app.command("evaluate")(evaluate)
    app.command("calibrate")(calibrate)
    app.command("compare")(compare)
    app.command("sample")(sample)
    app.command("label")(label)


def train(
    *,
    outcomes: Outcomes,
    more: More = None,
    edge: Edge = "",
    cloud: Cloud = "",
    estimator: PoolEstimator = None,
    arms: PoolArms = None,
    cost: PoolCosts = None,
    model: PoolModels = None,
    out: Annotated[Path, typer.Option(help="Folder of the new bundle.")],
    fit: Annotated[
        list[FitName] | None,
        typer.Option(help="deberta fine-tunes it all; the others fit a head in seconds. Repeat."),
    ] = None,
    label: Annotated[
        list[LabelName] | None,
        typer.Option(help="What the router learns; by default prob. Repeat it with --select."),
    ] = None,
    select: Annotated[
        bool,
        typer.Option("--select", help="Keep the best of all fits on selection rows, with a table."),
    ] = False,
    keep_candidates: Annotated[
        Path | None,
        typer.Option(
            help="With --select: keep every candidate's bundle in this folder, about 25 MB each."
        ),
    ] = None,
    heads: Annotated[
        list[HeadsName] | None,
        typer.Option(
            help="One head for the label, or one per arm's quality as well; by default arms. "
            "Repeat it with --select."
        ),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit", help="Fit on the selection rows as well, and keep the last weights."
        ),
    ] = False,
    encoder: Annotated[
        str, typer.Option(help="minilm, a folder, or a name such as microsoft/deberta-v3-xsmall.")
    ] = _DEFAULT.encoder,
    pooling: Annotated[PoolingName, typer.Option()] = PoolingName.MEAN,
    max_tokens: Annotated[
        int, typer.Option(help="Input length; the beginning is cut.", callback=within(*TOKENS))
    ] = _DEFAULT.max_tokens,
    epochs: Annotated[int, typer.Option(callback=within(1))] = _DEFAULT.epochs,
    batch_size: Annotated[int, typer.Option(callback=within(1))] = _DEFAULT.batch_size,
    accumulate: Annotated[
        int, typer.Option(help="Batches for each optimizer step.", callback=within(1))
    ] = _DEFAULT.accumulate,
    patience: Annotated[
        int,
        typer.Option(
            help="Stop after so many evaluations without a better one; 0: never.",
            callback=within(0),
        ),
    ] = _DEFAULT.patience,
    learning_rate: Annotated[
        float, typer.Option(callback=within(0, 1, low_in=False))
    ] = _DEFAULT.learning_rate,
    precision: Annotated[PrecisionName, typer.Option()] = PrecisionName.AUTO,
    seeds: Annotated[
        str, typer.Option(help="One fit each; the best on selection rows stays.")
    ] = _SEEDS,
    split_by: Annotated[
        SplitName, typer.Option(help="Keep whole domains together, or prompts.")
    ] = SplitName.PROMPT,
    split_seed: Annotated[int, typer.Option(callback=within(0))] = 0,
    also_fit: Annotated[
        list[Path] | None, typer.Option(help="Outcomes used for fitting only.")
    ] = None,
    alias: Aliases = None,
    weights: Annotated[WeightName, typer.Option(help="Of the exported router.")] = WeightName.INT8,
    baselines: Annotated[bool, typer.Option(help="Judge random, length and kNN beside it.")] = True,
    source: Annotated[
        list[str] | None, typer.Option(help="A source and its licence, for the model card.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="The router's own, such as apache-2.0, for the model card.")
    ] = None,
    name: Annotated[str, typer.Option(help="For the model card.")] = "",
    work: Annotated[
        Path | None, typer.Option(help="Checkpoints; by default beside --out. Kept.")
    ] = None,
    threads: Annotated[int, typer.Option(help="0: torch's own choice.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Train a router for your own pair, from outcomes to a bundle with its report.

    With --estimator it chooses among any number of arms, and takes no --edge and --cloud.

    Killed at any step, the same command goes on from the last checkpoint. The work folder keeps the
    fitted router in `pretrained`, to be trained on from or shared.
    """
    of_pairs = (edge, cloud, fit, label, heads, select, refit, also_fit, keep_candidates)
    _check(estimator, (*of_pairs, *_changed(seeds, weights, baselines)), (arms, cost, model))
    config = FitConfig(
        encoder=encoder,
        pooling=pooling.value,
        max_tokens=max_tokens,
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        patience=patience,
        learning_rate=learning_rate,
        precision=_prepare(threads, precision),
    )
    table = read_table([*outcomes, *(more or [])], alias or [])
    if estimator is not None:
        asked = PoolOptions(estimator, arms, cost, model, (split_by.value, split_seed))
        words = CardWords(name, source, licence)
        run_pool(asked, words, table, config, out, work=work or _beside(out), json=json)
        return
    from hybridroute.training.training_plan import TrainingPlan

    with wrong_usage():
        plan = TrainingPlan(
            outcomes=table,
            also_fit=read_table(also_fit, alias or []) if also_fit else None,
            edge=edge,
            cloud=cloud,
            config=config,
            out=out,
            work=work or _beside(out),
            name=name or f"Router: {edge} or {cloud}",
            split_by=split_by.value,
            split_seed=split_seed,
            seeds=seeds_of(seeds),
            **_kinds(fit, label, heads),
            select=select,
            keep_candidates=keep_candidates,
            refit=refit,
            weights=weights.value,
            baselines=baselines,
            sources=tuple(source or ()),
            licence=licence,
            command=shlex.join(["hybridroute", *sys.argv[1:]]),
        )
    _run(plan, json=json)


def _check(
    estimator: str | None, of_pairs: tuple[object, ...], of_pools: tuple[object, ...]
) -> None:
    pairs = dict(zip(_OF_PAIRS, of_pairs, strict=True))
    check_usage(estimator, pairs, dict(zip(_OF_POOLS, of_pools, strict=True)))


def _changed(seeds: str, weights: WeightName, baselines: bool) -> tuple[bool, bool, bool]:
    """Whether options that always have a value have another one than by default."""
    return seeds != _SEEDS, weights is not WeightName.INT8, not baselines


def _kinds(
    fit: list[FitName] | None, label: list[LabelName] | None, heads: list[HeadsName] | None
) -> dict[str, Any]:
    """What is fitted, as the plan takes it: each kind with each."""
    return {
        "fits": tuple(held.value for held in fit or [FitName.DEBERTA]),
        "labels": tuple(held.value for held in label or [LabelName.PROB]),
        "heads": tuple(held.value for held in heads or [HeadsName.ARMS]),
    }


def _run(plan: TrainingPlan, *, json: bool) -> None:
    from hybridroute.training.fit_progress import FitProgress
    from hybridroute.training.pipeline import train as run

    with FitProgress() as progress:
        trained = run(plan, on_step=progress.step, on_stage=progress.stage)
    if json:
        place = None if trained.checkpoint is None else str(trained.checkpoint)
        folders = {"bundle": str(trained.bundle.path), "checkpoint": place}
        print_json({**folders, **trained.report})
    else:
        show_card(trained.bundle.path / "README.md")
        if trained.checkpoint is not None:
            console().print(f"Its checkpoint is in {trained.checkpoint}.", markup=False)


def _beside(out: Path) -> Path:
    whole = out.resolve()
    return whole.with_name(f"{whole.name}-work")


def _prepare(threads: int, precision: PrecisionName) -> Precision:
    """Refuse without torch and its like, quiet them, set torch's threads; the precision to use."""
    import importlib.util

    from hybridroute.edge_runtime.errors import ConfigError

    missing = [
        name
        for name in ("torch", "transformers", "safetensors", "onnx", "onnxscript")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ConfigError(f"training needs {', '.join(missing)}: pip install 'hybridroute[train]'")
    from hybridroute.training.torch_setup import chosen_precision, quiet_transformers, use_threads

    quiet_transformers()
    use_threads(threads)
    return chosen_precision(precision.value)

"""``hybridroute label``: responses -> outcome table."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.output import console, print_json, say
from hybridroute.cli.ranges import within
from hybridroute.training.label_tables import show_labelled
from hybridroute.training.wrong_usage import wrong_usage

if TYPE_CHECKING:
    from hybridroute.training.outcomes import Outcome
    from hybridroute.training.quality import QualityOptions

_MODELS = "Models of the quality functions"

Responses = Annotated[
    list[Path],
    typer.Option(
        help="Sampled responses, an outcome table with responses, or MixInstruct. More may follow "
        "without the option."
    ),
]
Qualities = Annotated[
    list[str],
    typer.Option(
        help="Quality function, given again for more; the first is the one routers learn from. "
        "exact-match, numeric-match, token-f1, contains-reference, bertscore[-precision|-recall], "
        "bartscore-faithfulness|precision|recall|f, loglik-response|reference, given:NAME (a score "
        "in the file), module:attribute (your own)."
    ),
]


def label(
    *,
    responses: Responses,
    more: Annotated[
        list[Path] | None, typer.Argument(help="More responses files.", show_default=False)
    ] = None,
    quality: Qualities,
    out: Annotated[Path, typer.Option(help="The outcome table to write.")],
    edge: Annotated[
        str | None, typer.Option(help="Small model's name, for the sanity figures.")
    ] = None,
    cloud: Annotated[
        str | None, typer.Option(help="Large model's name, for the sanity figures.")
    ] = None,
    strict: Annotated[
        bool, typer.Option(help="Missing arms and unequal numbers of samples are errors.")
    ] = False,
    numeric_tolerance: Annotated[
        float,
        typer.Option(help="Of numeric-match, relative.", callback=within(0, high_in=False)),
    ] = 1e-9,
    bert_model: Annotated[
        str, typer.Option(help="minilm, a folder or a hub name.", rich_help_panel=_MODELS)
    ] = "minilm",
    bert_layer: Annotated[
        int | None, typer.Option(help="Layer compared.", rich_help_panel=_MODELS, min=0)
    ] = None,
    bart_model: Annotated[
        str, typer.Option(help="A folder or a hub name.", rich_help_panel=_MODELS)
    ] = "facebook/bart-large-cnn",
    gguf: Annotated[
        str,
        typer.Option(help="For loglik: a registered name or a file.", rich_help_panel=_MODELS),
    ] = "smollm2-135m",
    context_tokens: Annotated[
        int, typer.Option(help="For loglik.", rich_help_panel=_MODELS, min=64)
    ] = 2048,
    threads: Annotated[int, typer.Option(help="0: each library's own choice.", min=0)] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output.")
    ] = False,
) -> None:
    """Judge responses by quality functions and write the outcome table that training reads.

    Killed at any moment, the same command goes on where it stopped.
    """
    if (edge is None) != (cloud is None):
        raise typer.BadParameter("give both --edge and --cloud, or neither")
    from hybridroute.training.quality import QualityOptions, check_quality_names

    with wrong_usage("--quality"):
        check_quality_names(quality)
    _prepare(quality, threads)
    options = QualityOptions(
        bart_model=bart_model,
        bert_model=bert_model,
        bert_layer=bert_layer,
        gguf=gguf,
        numeric_tolerance=numeric_tolerance,
        context_tokens=context_tokens,
        threads=threads,
    )
    pair = None if edge is None or cloud is None else (edge, cloud)
    found = _run([*responses, *(more or [])], quality, options, out, pair=pair, strict=strict)
    if found["taken_up"]:
        say(
            f"hybridroute: {found['taken_up']} prompts had been labelled before; went on from there"
        )
    for warning in found["warnings"]:
        say(f"hybridroute: warning: {warning}")
    if json:
        print_json(found)
    else:
        show_labelled(found)


def _run(
    paths: list[Path],
    names: list[str],
    options: QualityOptions,
    out: Path,
    *,
    pair: tuple[str, str] | None,
    strict: bool,
) -> dict[str, Any]:
    """Label, and what is to be said about it."""
    from hybridroute.training.answers import answered_prompts
    from hybridroute.training.label_sanity import PairFigures, label_warnings
    from hybridroute.training.labelling import LabelPlan, label_file
    from hybridroute.training.quality import build_qualities

    figures = PairFigures(*pair) if pair else None
    with ExitStack() as stack, _Progress() as progress:

        def on_row(row: Outcome) -> None:
            if figures:
                figures.add(row)

        functions = build_qualities(names, options)
        for function in functions:
            stack.callback(function.close)
        plan = LabelPlan(functions=functions, strict=strict, settings=options.settings())
        rows = answered_prompts(paths)
        audit = label_file(rows, plan, out, on_judged=progress.step, on_row=on_row)
        notes = list(dict.fromkeys(note for function in functions for note in function.notes()))
    summary = figures.summary() if figures else None
    return {
        "out": str(out),
        "qualities": [{"name": one.name, "source": one.source} for one in functions],
        **audit.summary(),
        "warnings": [*audit.problems(), *notes, *(label_warnings(summary) if summary else [])],
        "pair": summary,
    }


def _prepare(names: list[str], threads: int) -> None:
    """Quiet the libraries, and set torch's threads where a function will use it."""
    if not any(name.startswith(("bert", "bart")) for name in names):
        return
    import importlib.util

    if importlib.util.find_spec("transformers") is None:
        return  # the registry says what to install
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils.logging import disable_progress_bar

    from hybridroute.training.torch_setup import use_threads

    disable_progress_bar()
    use_threads(threads)


class _Progress:
    """Rows done, on stderr where a person reads it."""

    def __enter__(self) -> _Progress:
        import sys

        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed} prompts labelled"),
            TimeElapsedColumn(),
            console=console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._bar.start()
        self._task = self._bar.add_task("label", total=None)
        return self

    def step(self) -> None:
        self._bar.advance(self._task)

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

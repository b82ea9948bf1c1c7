"""The demo's tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hybridroute.cli.output import printable
from hybridroute.demo.session import Answer, Split

_FENCE = re.compile(r"```\w*")
_FRAME_LINES = 8
"""Title, heading, notes and the lines between them."""

_STYLE = {"edge": "green", "cloud": "cyan"}


def show_answers(
    out: Console, given: Iterator[Answer], *, rows: int, dial: float, requested: float
) -> list[Answer]:
    """Print the table of one dial setting; returns the answers.

    On a terminal that holds all its rows it grows row by row.
    """
    table = _table(f"Dial {dial:g}: about {1 - requested:.0%} of queries for the cloud")
    held: list[Answer] = []
    grows = out.is_terminal and rows + _FRAME_LINES <= out.height
    live = Live(table, console=out, auto_refresh=False)
    waiting = out.status("asking") if out.is_terminal else nullcontext()
    with live if grows else waiting:
        for answer in given:
            held.append(answer)
            table.add_row(*_row(answer))
            if grows:
                live.refresh()
        table.caption = _caption(held)
    if not grows:
        out.print(table)
    out.print()
    return held


def show_splits(out: Console, splits: Sequence[Split]) -> None:
    """Print the cost advantage of every dial setting, requested beside measured."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.title = "Cost advantage: the share answered on the edge"
    table.title_justify, table.title_style = "left", "bold"
    for name in ("dial", "requested", "measured", "edge", "cloud"):
        table.add_column(name, justify="right")
    for split in splits:
        cells = (f"{split.requested:.0%}", f"{split.measured:.0%}")
        table.add_row(f"{split.dial:g}", *cells, str(split.edge), str(split.n - split.edge))
    out.print(table)


def _table(title: str) -> Table:
    table = Table(box=SIMPLE_HEAD, expand=True, show_edge=False, pad_edge=False, padding=0)
    table.title = f"{title} (times in seconds)"
    table.title_justify, table.title_style, table.caption_justify = "left", "bold", "left"
    table.add_column("query", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("threshold", justify="right", no_wrap=True)
    table.add_column("arm", no_wrap=True, min_width=len("cloud*"))
    table.add_column("first words", ratio=2, no_wrap=True, overflow="ellipsis")
    table.add_column("first\ntoken", justify="right", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    return table


def _row(answer: Answer) -> Iterable[Text]:
    made = answer.decision
    scored = made.score is not None and made.reason != "out_of_scope"
    mark = {"out_of_scope": "*", "fallback": "!"}.get(made.reason, "")
    unfenced = _FENCE.sub(" ", printable(answer.content))
    words = " ".join(unfenced.split()) or "(nothing)"
    return (
        Text(printable(answer.query)),
        Text(f"{made.score:.3f}" if scored else "-"),
        Text(f"{made.threshold:.3f}"),
        Text(made.arm + mark, style=_STYLE.get(made.arm, "")),
        Text(words),
        Text(_seconds(answer.first_token_ms)),
        Text(_seconds(answer.total_ms)),
    )


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000.0:.2f}"


_NOTES: Sequence[tuple[str, Callable[[Answer], bool]]] = (
    (
        "* out of scope: too many tokens the router does not know, so it does not guess",
        lambda answer: answer.decision.reason == "out_of_scope",
    ),
    ("! the other arm failed", lambda answer: answer.decision.reason == "fallback"),
)


def _caption(held: Sequence[Answer]) -> str | None:
    notes = [note for note, applies in _NOTES if any(applies(answer) for answer in held)]
    return "\n".join(notes) or None

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

_SHARES_OF_WIDTH = {"query": 3, "first words": 2}
_ROOM_FOR_ALL, _ROOM_FOR_SCORES = 72, 56
_STYLE = {"edge": "green", "cloud": "cyan"}


def show_answers(
    out: Console, given: Iterator[Answer], *, rows: int, dial: float, requested: float
) -> list[Answer]:
    """Print the table of one dial setting; returns the answers.

    On a terminal that holds all its rows it grows row by row; a narrow one gets fewer columns.
    """
    columns = _columns(out.width)
    table = _table(f"Dial {dial:g}: about {1 - requested:.0%} of queries for the cloud", columns)
    held: list[Answer] = []
    grows = out.is_terminal and rows + _FRAME_LINES <= out.height
    live = Live(table, console=out, auto_refresh=False)
    waiting = out.status("asking") if out.is_terminal else nullcontext()
    with live if grows else waiting:
        for answer in given:
            held.append(answer)
            table.add_row(*_row(answer, columns))
            if grows:
                live.refresh()
        table.caption = _caption(held)
    if not grows:
        out.print(table)
    out.print()
    return held


def show_splits(out: Console, splits: Sequence[Split]) -> None:
    """Print the cost advantage of every dial setting, requested beside measured."""
    gap = 0 if out.width < _ROOM_FOR_SCORES else 1
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap))
    table.title = "Cost advantage: the share answered on the edge"
    table.title_justify, table.title_style = "left", "bold"
    for name in ("dial", "requested", "measured", "edge", "cloud"):
        table.add_column(name, justify="right", overflow="fold")
    for split in splits:
        cells = (f"{split.requested:.0%}", f"{split.measured:.0%}")
        table.add_row(f"{split.dial:g}", *cells, str(split.edge), str(split.n - split.edge))
    out.print(table)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, expand=True, show_edge=False, pad_edge=False, padding=0)
    table.title = f"{title} (times in seconds)" if "total" in columns else title
    table.title_justify, table.title_style, table.caption_justify = "left", "bold", "left"
    for name in columns:
        if name in _SHARES_OF_WIDTH:
            ratio = _SHARES_OF_WIDTH[name]
            table.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
        elif name == "arm":
            table.add_column(name, no_wrap=True, min_width=len("cloud*"))
        else:
            table.add_column(name, justify="right", no_wrap=True)
    return table


def _columns(width: int) -> tuple[str, ...]:
    """Those that leave room for the query and the answer."""
    if width >= _ROOM_FOR_ALL:
        return ("query", "score", "threshold", "arm", "first words", "first\ntoken", "total")
    if width >= _ROOM_FOR_SCORES:
        return ("query", "score", "threshold", "arm", "first words")
    return ("query", "arm", "first words")


def _row(answer: Answer, columns: Sequence[str]) -> Iterable[Text]:
    made = answer.decision
    scored = made.score is not None and made.reason != "out_of_scope"
    mark = {"out_of_scope": "*", "fallback": "!"}.get(made.reason, "")
    unfenced = _FENCE.sub(" ", printable(answer.content))
    words = " ".join(unfenced.split()) or "(nothing)"
    cells = {
        "query": Text(printable(answer.query)),
        "score": Text(f"{made.score:.3f}" if scored else "-"),
        "threshold": Text(f"{made.threshold:.3f}"),
        "arm": Text(made.arm + mark, style=_STYLE.get(made.arm, "")),
        "first words": Text(words),
        "first\ntoken": Text(_seconds(answer.first_token_ms)),
        "total": Text(_seconds(answer.total_ms)),
    }
    return [cells[name] for name in columns]


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

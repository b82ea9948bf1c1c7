"""The demo's queries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hybridroute.edge_runtime.chat import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One conversation to answer, and how the table names it."""

    messages: tuple[Message, ...]

    @property
    def label(self) -> str:
        """The newest user turn, on one line; "..." says that others came before."""
        turns = [str(one["content"]) for one in self.messages if one["role"] == "user"]
        before = "... " if len(turns) > 1 else ""
        return before + " ".join(turns[-1].split())


def asked(text: str) -> Query:
    """A query of one turn."""
    return Query(messages=({"role": "user", "content": text},))


QUERIES: tuple[Query, ...] = (
    asked("Who painted the Mona Lisa?"),
    asked("In which year did the Berlin Wall fall?"),
    asked("What is the chemical symbol for gold?"),
    asked("What is 17 plus 25?"),
    asked("A train travels 60 miles in 1.5 hours. What is its average speed?"),
    asked("Rewrite this politely: Send me the report now."),
    asked("Correct the grammar: She go to school every days."),
    asked("Write a Python function that reverses a string."),
    asked("Explain in one sentence why the sky is blue."),
    asked("If all bloops are razzies and all razzies are lazzies, are all bloops lazzies?"),
    asked("Which enzyme unwinds the DNA double helix during replication?"),
    Query(
        messages=(
            {"role": "user", "content": "Name a large city in Italy."},
            {"role": "assistant", "content": "Rome is a large city in Italy."},
            {"role": "user", "content": "And which river flows through it?"},
        )
    ),
    asked("法国的首都是哪里?"),
)
"""Recall, arithmetic, rewriting, code, reasoning, two turns, and one the router cannot read."""


def read_queries(path: Path) -> tuple[Query, ...]:
    """Read a file of queries: one a line, or JSON lines with ``"prompt"`` or ``"messages"``.

    Raises
    ------
    DataError
        If it cannot be read or a line is malformed.
    """
    from hybridroute.own_prompts import read_conversations

    return tuple(Query(messages=held) for held in read_conversations(path))

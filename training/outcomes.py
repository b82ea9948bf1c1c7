"""The outcome table: per query its prompt and, per arm, the qualities measured.

Rows are checked at birth; a reader adds file and line to what they say. Needs numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import DataError, RequestError
from hybridroute.routed_text import prompt_hash, prompt_text
from hybridroute.training.magnitude import fault_of

Prompt = str | tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOutcome:
    """What one arm did with one query, one entry a response.

    Parameters
    ----------
    quality : tuple of float
        Higher is better; at least one, each at most :data:`LARGEST` in size.
    responses : tuple of str or None
        The answers, as many as qualities.
    cost_usd, latency_ms : tuple of float or None
        US dollars and milliseconds of each response; not negative, at most :data:`LARGEST`.
    extra : mapping
        Unknown keys, kept as read.

    Raises
    ------
    DataError
        Names the field.
    """

    quality: tuple[float, ...]
    responses: tuple[str, ...] | None = None
    cost_usd: tuple[float, ...] | None = None
    latency_ms: tuple[float, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.quality:
            raise DataError("quality is empty; give at least one number")
        _check_numbers("quality", self.quality, low=-math.inf)
        for name in ("responses", "cost_usd", "latency_ms"):
            held = getattr(self, name)
            if held is not None and len(held) != len(self.quality):
                raise DataError(
                    f"{name} has {len(held)} entries and quality has {len(self.quality)}; "
                    "give one of each for every response"
                )
        for name in ("cost_usd", "latency_ms"):
            _check_numbers(name, getattr(self, name) or (), low=0.0)

    @property
    def mean_quality(self) -> float:
        """Mean of q over the responses."""
        return math.fsum(self.quality) / len(self.quality)


def _check_numbers(name: str, values: Sequence[float], *, low: float) -> None:
    for position, value in enumerate(values):
        if fault := fault_of(value, low=low):
            raise DataError(f"{name}[{position}] {fault}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One query and what each arm did with it.

    Raises
    ------
    DataError
        Names the field.
    """

    id: str
    prompt: Prompt
    domain: str | None = None
    reference: str | None = None
    arms: Mapping[str, ArmOutcome]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.prompt, str):
            if not self.prompt.strip():
                raise DataError("prompt is empty; give the user's text")
        else:
            try:
                ChatRequest(messages=self.prompt)
            except RequestError as exc:
                raise DataError(f"prompt: {exc}") from exc
        if not self.arms:
            raise DataError("arms is empty; give at least one arm's outcome")

    @property
    def text(self) -> str:
        """The text that is routed."""
        return prompt_text(self.prompt)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """The rows that have both arms, and how many had not."""

    table: OutcomeTable
    edge: str
    cloud: str
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicated:
    """One row a prompt, the first one read.

    ``duplicates`` counts the rows left out; ``conflicts`` those among them whose qualities, for an
    arm that both rows have, differ from the kept row's.
    """

    table: OutcomeTable
    duplicates: int
    conflicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """Outcomes in the order read; ``source`` says where they come from."""

    rows: tuple[Outcome, ...]
    source: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Every arm that some row has, in the order first met."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.arms))

    def mean_quality(self, arm: str) -> NDArray[np.float64]:
        """Mean q of each row's responses from ``arm``, shape (n,).

        Raises
        ------
        DataError
            If a row lacks the arm.
        """
        return np.array([held.mean_quality for held in self.outcomes_of(arm)], dtype=np.float64)

    def mean_cost_usd(self, arm: str) -> NDArray[np.float64] | None:
        """Mean US dollars of each row's responses, shape (n,); None unless every row states it."""
        costs = [row.cost_usd for row in self.outcomes_of(arm)]
        means = [math.fsum(cost) / len(cost) for cost in costs if cost is not None]
        return np.array(means, dtype=np.float64) if len(means) == len(costs) else None

    def outcomes_of(self, arm: str) -> list[ArmOutcome]:
        """Each row's outcome of ``arm``.

        Raises
        ------
        DataError
            If a row lacks the arm.
        """
        for row in self.rows:
            if arm not in row.arms:
                raise DataError(
                    f"row {row.id!r} has no arm {arm!r} (it has {sorted(row.arms)}); "
                    "select the pair first with with_pair"
                )
        return [row.arms[arm] for row in self.rows]

    def texts(self) -> list[str]:
        """The routed text of each row."""
        return [row.text for row in self.rows]

    def prompt_hashes(self) -> list[str]:
        """The short hash of each row's routed text: 16 hex digits."""
        return [prompt_hash(row.text) for row in self.rows]

    def domains(self) -> list[str | None]:
        """Each row's domain, None where it states none."""
        return [row.domain for row in self.rows]

    def select(self, which: NDArray[Any] | Sequence[int] | Sequence[bool]) -> OutcomeTable:
        """The rows at ``which``: a boolean mask of shape (n,), or indices in the wanted order."""
        array = np.asarray(which)
        if array.dtype == np.bool_:
            if array.shape != (len(self.rows),):
                raise DataError(
                    f"the mask has shape {array.shape}; the table has {len(self.rows)} rows"
                )
            array = np.flatnonzero(array)
        picked = (self.rows[int(index)] for index in array)
        return OutcomeTable(rows=tuple(picked), source=self.source)

    def with_pair(self, edge: str, cloud: str) -> PairTable:
        """Keep the rows that have both arms.

        Raises
        ------
        DataError
            If the two names are the same, or no row has both.
        """
        if edge == cloud:
            raise DataError(f"edge and cloud are both {edge!r}; name two different arms")
        kept = tuple(row for row in self.rows if edge in row.arms and cloud in row.arms)
        if not kept:
            raise DataError(
                f"no row of {self.source} has both {edge!r} and {cloud!r}; "
                f"its arms are {sorted(self.arm_names)}"
            )
        return PairTable(
            table=OutcomeTable(rows=kept, source=self.source),
            edge=edge,
            cloud=cloud,
            dropped=len(self.rows) - len(kept),
        )

    def deduplicated(self) -> Deduplicated:
        """Keep the first row of each prompt, compared by the hash of its routed text.

        It gains the arms that it lacks and a later row of the prompt has, as where every arm's
        outcomes stand in a file of their own.
        """
        first: dict[str, Outcome] = {}
        conflicts = 0
        for key, row in zip(self.prompt_hashes(), self.rows, strict=True):
            kept = first.setdefault(key, row)
            if kept is row:
                continue
            conflicts += _conflict(kept, row)
            if row.arms.keys() - kept.arms.keys():
                first[key] = replace(kept, arms={**row.arms, **kept.arms})
        return Deduplicated(
            table=OutcomeTable(rows=tuple(first.values()), source=self.source),
            duplicates=len(self.rows) - len(first),
            conflicts=conflicts,
        )


def _conflict(one: Outcome, other: Outcome) -> bool:
    shared = one.arms.keys() & other.arms.keys()
    return any(sorted(one.arms[arm].quality) != sorted(other.arms[arm].quality) for arm in shared)


def joined(tables: Iterable[OutcomeTable]) -> OutcomeTable:
    """One table of all rows, in order; the sources are joined by commas, each named once."""
    held = tuple(tables)
    sources = dict.fromkeys(name for table in held for name in table.source.split(", "))
    return OutcomeTable(
        rows=tuple(row for table in held for row in table.rows), source=", ".join(sources)
    )


def renamed(table: OutcomeTable, names: Mapping[str, str]) -> OutcomeTable:
    """The table with arms called by other names: ``names`` maps the old to the new.

    Raises
    ------
    DataError
        If a row would have two arms of one name.
    """
    if not names:
        return table
    rows = []
    for row in table.rows:
        arms = {names.get(name, name): held for name, held in row.arms.items()}
        if len(arms) != len(row.arms):
            raise DataError(f"row {row.id!r} would have two arms of one name; change --alias")
        rows.append(replace(row, arms=arms))
    return OutcomeTable(rows=tuple(rows), source=table.source)

"""The demo itself: the same queries at each dial setting, through the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from time import perf_counter
from typing import Any

from hybridroute.client import HybridClient
from hybridroute.decision import Decision
from hybridroute.demo.queries import Query
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.own_prompts import with_own_quantiles

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer and its Decision. Times are in milliseconds, routing included."""

    dial: float
    query: str
    content: str
    model: str
    first_token_ms: float
    total_ms: float
    decision: Decision

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        made = self.decision
        return {
            "type": "answer",
            "dial": self.dial,
            "query": self.query,
            "arm": made.arm,
            "score": made.score,
            "score_kind": made.score_kind,
            "threshold": made.threshold,
            "calibrated": made.calibrated,
            "reason": made.reason,
            "fallback_error": made.fallback_error,
            "model": self.model,
            "content": self.content,
            "route_ms": made.latency_ms,
            "first_token_ms": self.first_token_ms,
            "total_ms": self.total_ms,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where the queries of one dial setting went.

    Parameters
    ----------
    requested : float
        The cost advantage the setting asks for, see :func:`requested_share`.
    """

    dial: float
    requested: float
    edge: int
    n: int

    @property
    def measured(self) -> float:
        """The cost advantage that came out: the share answered on the edge."""
        return self.edge / self.n

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "dial": self.dial,
            "cost_advantage_requested": self.requested,
            "cost_advantage_measured": self.measured,
            "edge": self.edge,
            "cloud": self.n - self.edge,
            "n": self.n,
        }


def demo_bundle(bundle: Bundle, models: tuple[str, str], *, threads: int) -> tuple[Bundle, str]:
    """The bundle to route with, and in words what its numbers come from.

    A bundle that was calibrated for these models, edge and cloud, is taken as it is; any other gets
    quantiles from the packaged prompts, in memory, for its own are of other traffic.
    """
    calibration = bundle.manifest.calibration
    if bundle.model_names == models and calibration is not None:
        return bundle, f"calibrated: true, for these two models on {calibration.n} prompts"
    held = (files("hybridroute.demo") / "prompts.txt").read_text(encoding="utf-8")
    prompts = [line for line in held.splitlines() if line.strip()]
    source = "hybridroute demo, its packaged prompts"
    own = with_own_quantiles(bundle, bundle.scorer(threads=threads), prompts, source=source)
    return own.bundle, f"shares measured on {own.n} packaged prompts"


def takes_dial(client: HybridClient) -> bool:
    """Whether the dial has something to turn; on a flat calibration a share stands for it.

    The client is one that was given no setting.
    """
    return client.cost_advantage is None


def answers(
    client: HybridClient, queries: Iterable[Query], *, dial: float, max_tokens: int
) -> Iterator[Answer]:
    """Ask every query at one dial setting, one after another.

    Raises
    ------
    HybridRouteError
        If a query cannot be answered.
    """
    turns = takes_dial(client)
    for query in queries:
        start = perf_counter()
        parts: list[str] = []
        model = ""
        with client.chat.completions.create(
            messages=query.messages,
            max_tokens=max_tokens,
            temperature=0.0,
            seed=SEED,
            stream=True,
            dial=dial if turns else None,
            cost_advantage=None if turns else 1.0 - dial,
        ) as stream:
            for chunk in stream:
                model = chunk.model
                parts += [choice.delta.content or "" for choice in chunk.choices]
            first_token_ms = stream.first_token_ms
        total_ms = round((perf_counter() - start) * 1000.0, 3)
        yield Answer(
            dial=dial,
            query=query.label,
            content="".join(parts).strip(),
            model=model,
            first_token_ms=total_ms if first_token_ms is None else first_token_ms,
            total_ms=total_ms,
            decision=stream.decision,
        )


def requested_share(client: HybridClient, dial: float) -> float:
    """The cost advantage that a dial setting asks for.

    It is read off the calibration where there is one for the client's arms; without one a dial is
    by definition the share of queries for the cloud, and with a flat one it is taken for that.
    """
    if not takes_dial(client):
        return 1.0 - dial
    expected = client.expect(dial=dial).cost_advantage
    return 1.0 - dial if expected is None else expected


def split_of(given: Iterable[Answer], *, dial: float, requested: float) -> Split:
    """Count where the answers of one dial setting came from."""
    arms = [answer.decision.arm for answer in given]
    return Split(dial=dial, requested=requested, edge=arms.count("edge"), n=len(arms))

"""What one answer cost, and what was saved by not asking the dearest arm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.prices import prices_of
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.edge_runtime.token_estimate import estimated_tokens, tokens_of


class Costs:
    """The prices of a client's arms.

    Parameters
    ----------
    arms : iterable of Arm
    """

    def __init__(self, arms: Iterable[Arm]) -> None:
        self.prices = {arm.name: prices_of(arm) for arm in arms}

    def at_each_arm(self, usage: Usage) -> dict[str, float | None]:
        """US dollars that these tokens cost at each arm; None where its prices are not known."""
        return {
            arm: None if prices is None else prices.cost_usd(usage)
            for arm, prices in self.prices.items()
        }

    def settled(self, decision: Decision, usage: Usage, *, estimated: bool) -> Decision:
        """The decision with what its answer cost and saved.

        The saving compares with the dearest arm, for the same tokens: an estimate, as another model
        would have said more or less.
        """
        costs = self.at_each_arm(usage)
        cost = costs.get(decision.arm)
        known = [one for one in costs.values() if one is not None]
        saved = None if cost is None or len(known) < len(costs) else max(known) - cost
        return replace(decision, cost_usd=cost, saved_usd=saved, usage_estimated=estimated)


def estimated_usage(request: ChatRequest, answer_bytes: int) -> Usage:
    """About how many tokens an answer took, for servers that do not say and streams cut short."""
    prompt, answer = estimated_tokens(request.messages), tokens_of(answer_bytes)
    return Usage(prompt_tokens=prompt, completion_tokens=answer, total_tokens=prompt + answer)

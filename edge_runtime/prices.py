"""What an arm's tokens cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hybridroute.edge_runtime.chat import Usage
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.protocols import Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens, prompt and answer.

    Raises
    ------
    ConfigError
        If one is negative or not finite.
    """

    in_usd_per_million: float = 0.0
    out_usd_per_million: float = 0.0

    def __post_init__(self) -> None:
        for name in ("in_usd_per_million", "out_usd_per_million"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ConfigError(f"{name} is {value!r}; give a number of at least 0")

    def cost_usd(self, usage: Usage) -> float:
        """US dollars of one answer."""
        prompt = usage.prompt_tokens * self.in_usd_per_million
        answer = usage.completion_tokens * self.out_usd_per_million
        return (prompt + answer) / 1e6


@runtime_checkable
class PricedArm(Protocol):
    """An arm that knows its prices. An arm need not be one."""

    @property
    def prices(self) -> Prices | None:
        """None where they are not known."""
        ...


def prices_of(arm: Arm) -> Prices | None:
    """The arm's prices: its own; nothing on this device where it names none; else unknown."""
    if isinstance(arm, PricedArm):
        return arm.prices
    return Prices() if arm.place == "device" else None

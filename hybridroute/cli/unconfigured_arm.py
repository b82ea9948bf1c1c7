"""A stand-in for an arm that is not configured, for commands that decide and ask nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import ArmRefused
from hybridroute.edge_runtime.protocols import Capabilities, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfiguredArm:
    """An arm that can be chosen and not asked; as nothing is known of it, it can do everything."""

    name: str = "cloud"
    model: str = "none configured"
    place: Place = "cloud"

    @property
    def capabilities(self) -> Capabilities:
        """All of them."""
        return Capabilities(
            tools=True, json_mode=True, images=True, logit_bias=True, web_search=True
        )

    def count_tokens(self, messages: Sequence[Message]) -> int:  # noqa: ARG002 (an arm's parameter)
        """Nothing is limited, so nothing is counted."""
        return 0

    def complete(self, request: ChatRequest) -> NoReturn:
        """Refuse."""
        raise ArmRefused(
            f"no {self.name} is configured for {len(request.messages)} messages", arm=self.name
        )

    def stream(self, request: ChatRequest) -> NoReturn:
        """Refuse."""
        self.complete(request)

    def warm_up(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to free."""

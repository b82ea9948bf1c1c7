"""What the xllamacpp engine asks its server for; tests/real runs it."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.engine_xllamacpp import _body


@pytest.mark.parametrize(
    ("seed", "reuse_prompt", "cached"),
    [(1, False, False), (1, True, True), (None, False, True)],
)
def test_a_seeded_prompt_is_computed_anew_unless_reuse_is_allowed(
    seed: int | None, reuse_prompt: bool, cached: bool
) -> None:
    request = ChatRequest(messages=({"role": "user", "content": "hi"},), seed=seed)
    assert _body(request, 256, reuse_prompt=reuse_prompt)["cache_prompt"] is cached

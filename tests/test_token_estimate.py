"""A prompt's tokens, estimated from its bytes."""

from hybridroute.edge_runtime.token_estimate import estimated_tokens

CALL = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def test_token_estimate() -> None:
    assert estimated_tokens([{"role": "user", "content": "abcde"}]) == 3 + 4 + 2
    assert estimated_tokens([{"role": "user", "content": "漢字"}]) == 3 + 4 + 2
    with_call = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert estimated_tokens([with_call]) > 20
    assert estimated_tokens([{"role": "user", "content": "\ud800"}]) == 3 + 4 + 1

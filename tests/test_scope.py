"""edge_runtime/scope.py: at the limit a text is in scope, above it not."""

from __future__ import annotations

from hybridroute.edge_runtime.scope import is_out_of_scope


def test_only_a_share_above_the_limit_is_out_of_scope() -> None:
    assert [is_out_of_scope(share, 0.3) for share in (0.0, 0.3, 0.31, 1.0)] == [
        False,
        False,
        True,
        True,
    ]
    assert not is_out_of_scope(1.0, 1.0)

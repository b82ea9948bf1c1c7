"""Score quantiles: a cost advantage is met by the threshold read from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.score_quantiles import score_quantiles


@pytest.mark.parametrize("n", [10, 40, 500])
def test_with_distinct_scores_the_share_is_exact(n):
    scores = np.random.default_rng(n).permutation(n) / n
    values = score_quantiles(scores, "prompts").values
    for kept in range(1, n):
        if (n - kept) * GRID % n == 0:
            threshold = values[(n - kept) * GRID // n]
            assert np.mean(scores >= threshold) == pytest.approx(kept / n)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40))
def test_quantiles_never_fall_and_span_the_scores(scores):
    held = score_quantiles(np.array(scores, dtype=np.float32), "prompts")
    assert list(held.values) == sorted(held.values)
    assert held.values[0] == min(scores)
    assert held.values[-1] == pytest.approx(max(scores))
    assert (held.n, held.source, len(held.values)) == (len(scores), "prompts", GRID + 1)


@pytest.mark.parametrize("scores", [[], [[0.5]], [0.5, 1.5], [-0.1], [float("nan")]])
def test_what_is_no_score_is_refused(scores):
    with pytest.raises(ConfigError, match="scores"):
        score_quantiles(scores, "prompts")

"""Labels, against their definitions."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.labels import labels_of, make_labels
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable

qualities = st.lists(
    st.tuples(
        st.lists(st.floats(-3, 3), min_size=1, max_size=4),
        st.lists(st.floats(-3, 3), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=8,
)


def share(edge, cloud, t):
    return np.mean([e - c >= -t for e in edge for c in cloud])


@given(qualities)
def test_prob_is_the_share_of_pairs_where_the_edge_is_as_good(held):
    edge, cloud = zip(*held, strict=True)
    labels = make_labels(edge, cloud, "prob")
    wanted = [share(e, c, 0.0) for e, c in held]
    assert labels.values == pytest.approx(np.array(wanted, dtype=np.float32))
    assert labels.values.dtype == np.float32
    assert labels.t_star is None


@given(qualities)
def test_trans_relaxes_prob_by_t_star_and_never_spreads_less(held):
    edge, cloud = zip(*held, strict=True)
    labels = make_labels(edge, cloud, "trans")
    wanted = [share(e, c, labels.t_star) for e, c in held]
    assert labels.values == pytest.approx(np.array(wanted, dtype=np.float32))
    assert labels.gini_after >= labels.gini_before - 1e-12
    assert labels.kind == ("trans" if labels.t_star > 0 else "prob")
    assert (labels.note is None) == (labels.t_star > 0)


def test_trans_balances_labels_that_are_nearly_all_zero():
    draw = np.random.default_rng(0)
    level = draw.normal(-3.0, 1.0, size=(200, 1))
    edge, cloud = level + draw.normal(0, 0.3, (200, 10)), draw.normal(0, 0.3, (200, 10))
    labels = make_labels(edge.tolist(), cloud.tolist(), "trans")
    assert labels.kind == "trans"
    assert 2.0 < labels.t_star < 4.0
    assert labels.gini_before < 0.1
    assert labels.gini_after > 0.4
    assert max(spread for _, spread in labels.curve) == pytest.approx(labels.gini_after)


def test_binary_q_makes_trans_prob_and_says_so():
    edge, cloud = [[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]
    labels = make_labels(edge, cloud, "trans")
    assert (labels.requested, labels.kind, labels.t_star) == ("trans", "prob", 0.0)
    assert "two values" in labels.note
    assert labels.values.tolist() == make_labels(edge, cloud, "prob").values.tolist() == [0.5, 0.5]


def test_t_star_of_zero_names_its_cause():
    never_worse = make_labels([[1.0], [2.0]], [[0.5], [0.25]], "trans")
    assert "every label is 1 already" in never_worse.note
    spread_already = make_labels([[1.0], [0.0]], [[0.5], [0.75]], "trans")
    assert "no t > 0 spreads" in spread_already.note


def test_det_draws_one_response_of_each_arm_by_seed():
    # A pass rate of one half: sorted responses, so "the first" would always win.
    edge, cloud = [[1.0] * 5 + [0.0] * 5] * 400, [[1.0]] * 400
    labels = make_labels(edge, cloud, "det", seed=1)
    assert set(labels.values.tolist()) == {0.0, 1.0}
    assert labels.share_one == pytest.approx(0.5, abs=0.1)
    assert labels.values.tolist() == make_labels(edge, cloud, "det", seed=1).values.tolist()
    assert labels.values.tolist() != make_labels(edge, cloud, "det", seed=2).values.tolist()


def test_with_one_response_each_the_three_agree_on_binary_q():
    draw = np.random.default_rng(8)
    edge, cloud = (draw.integers(0, 2, (50, 1)).astype(float).tolist() for _ in range(2))
    found = [make_labels(edge, cloud, kind).values.tolist() for kind in ("det", "prob", "trans")]
    assert found[0] == found[1] == found[2]


def test_labels_that_are_all_one_value_are_noted():
    assert "nothing to learn" in make_labels([[1.0]], [[0.0]], "prob").note


def test_labels_of_a_table_and_their_summary():
    arms = {"e": ArmOutcome(quality=(0.0, 1.0)), "c": ArmOutcome(quality=(0.5,))}
    table = OutcomeTable(rows=(Outcome(id="1", prompt="q", arms=arms),), source="t")
    labels = labels_of(table, "e", "c", "prob")
    assert labels.values.tolist() == [0.5]
    assert json.loads(json.dumps(labels.summary()))["share_zero"] == 0.0


@pytest.mark.parametrize(
    ("edge", "cloud", "kind", "error"),
    [
        ([[1.0]], [[1.0]], "soft", ConfigError),
        ([], [], "prob", DataError),
        ([[1.0]], [], "prob", DataError),
        ([[1.0], []], [[1.0], [1.0]], "det", DataError),
        ([[1.0], [np.nan]], [[1.0], [1.0]], "trans", DataError),
    ],
)
def test_bad_input_is_refused(edge, cloud, kind, error):
    with pytest.raises(error):
        make_labels(edge, cloud, kind)

"""The exact curve, against sorting by hand and averaging over random orders of ties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.curve import curve_of

rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12
)


def split(held):
    score, edge, cloud = (np.array(column, dtype=float) for column in zip(*held, strict=True))
    return score / 4.0, edge, cloud


def by_hand(order, edge, cloud):
    routed = edge.copy()
    means = [routed.mean()]
    for row in order:
        routed[row] = cloud[row]
        means.append(routed.mean())
    return np.array(means)


@given(rows)
def test_without_ties_it_is_the_mean_of_the_routed_answers(held):
    _, edge, cloud = split(held)
    score = np.random.default_rng(0).permutation(len(edge)) / len(edge)
    curve = curve_of(score, edge, cloud)
    assert curve.quality == pytest.approx(by_hand(np.argsort(score), edge, cloud), abs=1e-9)
    assert curve.boundary.all()


def test_ties_are_the_average_over_random_orders():
    draw = np.random.default_rng(5)
    score = draw.integers(0, 4, 30) / 3.0
    edge, cloud = draw.normal(size=(2, 30))
    orders = [np.lexsort((draw.random(30), score)) for _ in range(8000)]
    averaged = np.mean([by_hand(order, edge, cloud) for order in orders], axis=0)
    assert curve_of(score, edge, cloud).quality == pytest.approx(averaged, abs=0.01)


@given(rows)
def test_boundaries_are_the_cuts_a_threshold_can_make(held):
    score, edge, cloud = split(held)
    curve = curve_of(score, edge, cloud)
    cuts = {int((score < threshold).sum()) for threshold in [*score, 2.0]}
    assert set(np.flatnonzero(curve.boundary)) == cuts | {0}
    for k in cuts:
        routed = np.where(np.isin(np.arange(len(score)), np.argsort(score)[:k]), cloud, edge)
        assert curve.quality[k] == pytest.approx(routed.mean(), abs=1e-9)


@given(rows)
def test_the_order_of_the_rows_does_not_matter(held):
    score, edge, cloud = split(held)
    turned = curve_of(score[::-1], edge[::-1], cloud[::-1])
    assert curve_of(score, edge, cloud).gain == pytest.approx(turned.gain, abs=1e-9)


def test_ends_and_standard_errors():
    curve = curve_of([0.1, 0.2, 0.3], [0.0, 1.0, 2.0], [3.0, 3.0, 9.0])
    assert (curve.edge_quality, curve.cloud_quality, curve.gap) == (1.0, 5.0, 4.0)
    assert curve.quality[0] == 1.0
    assert curve.quality[-1] == 5.0
    assert curve.gap_se == pytest.approx(np.std([3, 2, 7], ddof=1) / math.sqrt(3))
    assert curve.cloud_share.tolist() == [0.0, 1 / 3, 2 / 3, 1.0]
    assert curve.quality_at(0.5) == pytest.approx((curve.quality[1] + curve.quality[2]) / 2)
    assert curve_of([0.5], [0.0], [1.0]).gap_se == math.inf


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (([], [], []), "empty"),
        (([0.1], [1.0, 2.0], [1.0]), "one length"),
        (([[0.1]], [[1.0]], [[1.0]]), "one length"),
        (([0.1, np.nan], [1.0, 1.0], [1.0, 1.0]), r"scores\[1\] is nan"),
        (([0.1, 0.2], [1.0, 1.0], [-np.inf, 1.0]), r"cloud_q\[0\] is -inf"),
    ],
)
def test_bad_columns_are_named(arrays, says):
    with pytest.raises(DataError, match=says):
        curve_of(*arrays)

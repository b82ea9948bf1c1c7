"""Labelled with one metric, judged by another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from report_cases import fractional_table, rows_of, table_of

from hybridroute.training.report_page.metric_matrix import metric_matrix, metric_means, quality_is
from hybridroute.training.report_page.routers import Router, oracle_router


def _extra(**metrics: Any) -> dict[str, Any]:
    return {"qualities": metrics}


def test_each_router_is_best_by_the_metric_it_knows() -> None:
    rows = rows_of(fractional_table(150))
    means, left_out = metric_means(rows)
    assert list(means) == ["bartscore", "exact_match"]
    assert left_out == ()
    routers = [
        Router(name=name, kind="bundle", scores=edge - cloud, labelled_with=name)
        for name, (edge, cloud) in means.items()
    ]
    matrix = metric_matrix(routers, rows)
    assert matrix is not None
    assert matrix.quality_is == "bartscore"
    for row in matrix.rows:
        for cell in row.cells:
            assert cell.own == (cell.metric == row.name)
            assert cell.share is not None
            assert cell.low is not None
            assert cell.high is not None
            assert cell.low <= cell.share + 1e-9
            if cell.own:
                assert cell.share == pytest.approx(1.0)
            else:
                assert cell.share < 0.95
    others = [cell.share for row in matrix.rows for cell in row.cells if not cell.own]
    assert matrix.by_own == pytest.approx(1.0)
    assert matrix.by_others == pytest.approx(np.mean(others))


def test_means_need_two_routers_that_state_a_metric() -> None:
    rows = rows_of(fractional_table(30))
    scores = np.arange(30.0)
    for names in (("bartscore",), ("bartscore", None), ("unknown", "other")):
        routers = [
            Router(name=str(at), kind="bundle", scores=scores, labelled_with=name)
            for at, name in enumerate(names)
        ]
        matrix = metric_matrix(routers, rows)
        assert matrix is not None
        assert (matrix.by_own, matrix.by_others) == (None, None)


def test_the_stated_metric_comes_before_one_of_equal_values() -> None:
    table = table_of([[1.0]], [[0.0]], extra=[(_extra(a=1.0, b=1.0), _extra(a=0.0, b=0.0))])
    stated = replace(table.rows[0], extra={"metric": {"name": "b", "source": "here"}})
    for table_, name in ((table, "a"), (replace(table, rows=(stated,)), "b")):
        rows = rows_of(table_)
        assert quality_is(rows, metric_means(rows)[0]) == name


def test_one_metric_makes_no_matrix() -> None:
    plain = rows_of(table_of([[1.0]], [[0.0]]))
    assert metric_matrix([oracle_router([1.0], [0.0])], plain) is None


@pytest.mark.parametrize("bad", [None, [], ["high"], [float("nan")], [True], "0.5"])
def test_a_metric_that_a_row_lacks_is_left_out_and_named(bad: object) -> None:
    whole = (_extra(a=[1.0], b=0.5), _extra(a=[0.5], b=0.25))
    holed = (_extra(a=[0.0], b=0.5, c=bad), _extra(a=[1.0], b=0.5, c=[1.0]))
    rows = rows_of(table_of([[1.0], [0.0]], [[0.5], [1.0]], extra=[whole, holed]))
    means, left_out = metric_means(rows)
    assert list(means) == ["a", "b"]
    assert means["b"][0].tolist() == [0.5, 0.5]
    assert left_out == (("c", 2),)


def test_qualities_that_are_no_object_count_as_none() -> None:
    rows = rows_of(table_of([[1.0]], [[0.0]], extra=[({"qualities": [1, 2]}, {})]))
    assert metric_means(rows) == ({}, ())


def test_a_metric_by_which_the_arms_never_differ_has_no_share() -> None:
    extra = [(_extra(a=[float(at)], b=[1.0]), _extra(a=[1.0], b=[1.0])) for at in range(3)]
    rows = rows_of(table_of([[0.0], [1.0], [2.0]], [[1.0]] * 3, extra=extra))
    matrix = metric_matrix([Router(name="r", kind="this", scores=np.arange(3.0))], rows)
    assert matrix is not None
    first, second = matrix.rows[0].cells
    assert first.share == pytest.approx(1.0)
    assert (second.share, second.low, second.high, second.apgr) == (None, None, None, None)

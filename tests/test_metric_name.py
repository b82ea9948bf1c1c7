"""The metric of a table's quality: stated by its rows, or as given; kept by the bundle."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_cases import table_of

from hybridroute.training.metric_name import METRIC, Metric, metric_of, stated_metric
from hybridroute.training.outcomes import OutcomeTable, joined

F1 = {"name": "token-f1", "source": "SQuAD"}


def stating(*extras: dict[str, object]) -> OutcomeTable:
    table = table_of([[1.0]] * len(extras), [[0.0]] * len(extras))
    rows = (replace(row, extra=more) for row, more in zip(table.rows, extras, strict=True))
    return OutcomeTable(rows=tuple(rows), source=table.source)


def test_what_all_rows_state_is_the_tables_metric() -> None:
    found = metric_of(stating({METRIC: F1}, {METRIC: F1, "note": "x"}))
    assert found == Metric(name="token-f1", source="SQuAD")
    assert stated_metric({"quality": found.to_dict()}) == "token-f1"


@pytest.mark.parametrize("held", [{}, {METRIC: "f1"}, {METRIC: {"name": 3, "source": "x"}}])
def test_rows_that_state_none_have_quality_as_given(held: dict[str, object]) -> None:
    found = metric_of(stating(held))
    assert found == Metric(name="as given", source="made-up.jsonl")
    assert stated_metric({"quality": found.to_dict()}) == "quality as given"


def test_rows_of_different_metrics_are_told(caplog: pytest.LogCaptureFixture) -> None:
    found = metric_of(stating({METRIC: F1}, {}))
    assert found.name == "mixed: as given, token-f1"
    assert found.source == "made-up.jsonl; SQuAD"
    assert "different metrics (as given, token-f1)" in caplog.text


@pytest.mark.parametrize("training", [{}, {"quality": None}, {"quality": "bartscore"}])
def test_a_bundle_that_states_nothing_names_no_metric(training: dict[str, object]) -> None:
    assert stated_metric(training) is None


def test_many_files_are_counted_not_listed() -> None:
    names = ", ".join(f"part-{place}.csv" for place in range(9))
    table = replace(stating({}), source=names)
    assert metric_of(table).source == "part-0.csv and 8 other files"
    assert joined((table, table)).source == names

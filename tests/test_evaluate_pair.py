"""A bundle judged on rows, without torch: its numbers, what it has seen, the dial's promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.manifest import Calibration
from hybridroute.training.calibrate import calibrate
from hybridroute.training.curve import curve_of
from hybridroute.training.evaluate_pair import (
    DIALS,
    Embedded,
    against_baselines,
    dial_rows,
    evaluate_bundle,
)
from hybridroute.training.labels import labels_at
from hybridroute.training.metrics import apgr, ece
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable, joined
from hybridroute.training.rows_seen import CALIBRATION_HASHES

EDGE, CLOUD = "small", "large"
WEIGHTS = {"greet": 9.0, "prove": -9.0}


def table(n: int = 120, *, easy: float = 1.0, hard: float = 0.0, cloud: float = 1.0, seed: int = 0):
    random = np.random.default_rng(seed)
    rows = []
    for index in range(n):
        is_hard = random.random() < 0.5
        arms = {
            EDGE: ArmOutcome(quality=(hard if is_hard else easy,)),
            CLOUD: ArmOutcome(quality=(cloud,)),
        }
        text = f"{'prove' if is_hard else 'greet'} {seed} {index}"
        rows.append(Outcome(id=text, prompt=text, domain=f"d{index % 7}", arms=arms))
    return OutcomeTable(rows=tuple(rows), source="made")


def calibrated(folder: Path, rows: OutcomeTable, **changes: object) -> Bundle:
    """A bundle whose scores order the rows, with a calibration on them."""
    bundle = write_tiny_bundle(folder, weights=WEIGHTS, score_kind="gap")
    held = calibration_of(bundle, rows)
    usual = {"weights": WEIGHTS, "score_kind": "gap", "calibration": held}
    return write_tiny_bundle(folder, **{**usual, **changes})


def calibration_of(bundle: Bundle, rows: OutcomeTable) -> Calibration:
    scores = bundle.scorer().score(rows.texts()).astype(np.float64)
    return calibrate(scores, rows.mean_quality(EDGE), rows.mean_quality(CLOUD), "rows")


def test_a_router_that_knows(tmp_path: Path) -> None:
    rows = table()
    found = evaluate_bundle(calibrated(tmp_path / "b", rows), rows, EDGE, CLOUD)
    edge = rows.mean_quality(EDGE).mean()
    assert found["n"] == 120
    assert (found["edge_quality"], found["cloud_quality"]) == (pytest.approx(edge), 1.0)
    assert found["apgr"] == pytest.approx((1 + edge) / 2, abs=0.01)
    assert found["cpt50"] == pytest.approx(100 * (1 - edge) / 2, abs=1)
    assert found["apgr_interval"][0] <= found["apgr"] <= found["apgr_interval"][1]
    assert (found["n_seen_in_training"], found["unseen"]) == (0, None)
    assert found["ece"] is None
    assert [row["dial"] for row in found["dials"]] == list(DIALS)
    for row in found["dials"]:
        assert row["realised"] == pytest.approx(row["dial"], abs=0.02)
        assert row["cloud_share"] == pytest.approx(row["expected_cloud_share"], abs=1e-9)


def test_rows_seen_in_training_are_counted_and_set_apart(tmp_path: Path) -> None:
    rows, others = table(), table(30, seed=1)
    bundle = calibrated(tmp_path / "b", rows, training_hashes=rows.prompt_hashes())
    found = evaluate_bundle(bundle, joined((rows, others)), EDGE, CLOUD)
    assert (found["n"], found["n_seen_in_training"]) == (150, 120)
    assert found["unseen"]["n"] == 30
    assert evaluate_bundle(bundle, rows, EDGE, CLOUD)["unseen"] is None


def test_rows_that_set_the_dial_are_counted(tmp_path: Path) -> None:
    rows = table()
    bundle = calibrated(tmp_path / "b", rows)
    assert evaluate_bundle(bundle, rows, EDGE, CLOUD)["n_seen_in_calibration"] is None
    facts = {CALIBRATION_HASHES: rows.prompt_hashes()[:7]}
    stated = Bundle(bundle.path, replace(bundle.manifest, training=facts))
    found = evaluate_bundle(stated, rows, EDGE, CLOUD)
    assert (found["n_seen_in_calibration"], found["n_seen_in_training"]) == (7, 0)


def test_duplicates_and_rows_without_the_pair_are_counted(tmp_path: Path) -> None:
    rows = table()
    lone = replace(rows.rows[0], prompt="alone", arms={EDGE: rows.rows[0].arms[EDGE]})
    swapped = replace(rows.rows[1], arms=dict(zip((EDGE, CLOUD), _held(rows.rows[1]), strict=True)))
    mixed = OutcomeTable(rows=(*rows.rows, rows.rows[0], swapped, lone), source="s")
    found = evaluate_bundle(calibrated(tmp_path / "b", rows), mixed, EDGE, CLOUD)
    assert (found["n"], found["rows_without_the_pair"]) == (120, 1)
    assert (found["duplicates"], found["conflicting_duplicates"]) == (2, 1)


def _held(row: Outcome) -> tuple[ArmOutcome, ArmOutcome]:
    """The cloud's outcome and the edge's with another quality."""
    return row.arms[CLOUD], replace(row.arms[EDGE], quality=(0.123,))


def test_label_scores_are_checked_at_the_shift_they_estimate(tmp_path: Path) -> None:
    rows = table(easy=-1.0, hard=-1.4, cloud=-1.0)
    bundle = write_tiny_bundle(tmp_path / "b", weights=WEIGHTS, score_kind="label")
    scores = bundle.scorer().score(rows.texts())
    for shift in (None, 0.5):
        training = {} if shift is None else {"labels": {"t_star": shift}}
        held = Bundle(bundle.path, replace(bundle.manifest, training=training))
        found = evaluate_bundle(held, rows, EDGE, CLOUD)
        labels = labels_at(rows, EDGE, CLOUD, shift or 0.0)
        assert found["ece"] == pytest.approx(ece(scores, labels))
    assert labels.min() == 1.0  # at t = 0.5 the edge is good enough everywhere


def test_where_the_edge_is_better_there_is_no_pgr_and_no_dial(tmp_path: Path) -> None:
    rows = table(easy=1.0, hard=0.6, cloud=0.5)
    bundle = calibrated(tmp_path / "b", rows)
    assert bundle.manifest.calibration.flat
    found = evaluate_bundle(bundle, rows, EDGE, CLOUD)
    assert (found["apgr"], found["apgr_interval"], found["dials"]) == (None, None, [])
    assert "not clearly better" in found["pgr_undefined"]


def test_arms_that_complement_each_other_have_a_dial_without_pgr(tmp_path: Path) -> None:
    rows = table(easy=1.0, hard=0.0, cloud=0.4)
    found = evaluate_bundle(calibrated(tmp_path / "b", rows), rows, EDGE, CLOUD)
    assert found["apgr"] is None
    for row in found["dials"]:
        assert row["realised"] == pytest.approx(row["dial"], abs=0.03)


def test_thresholds_are_compared_as_the_policy_does(tmp_path: Path) -> None:
    """Between two neighbouring float32 scores, where float32 has no number."""
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    scores = np.array([low] * 10 + [high] * 10, dtype=np.float32)
    edge, cloud = np.repeat([0.0, 1.0], 10), np.ones(20)
    held = calibrate(scores.astype(np.float64), edge, cloud, "rows")
    manifest = replace(write_tiny_bundle(tmp_path / "b").manifest, calibration=held)
    for row in dial_rows(manifest, scores, edge, cloud, outside=np.zeros(20, dtype=np.bool_)):
        assert row["cloud_share"] == row["expected_cloud_share"] == 0.5


def test_one_row_has_no_realised_dial(tmp_path: Path) -> None:
    rows = table()
    found = evaluate_bundle(calibrated(tmp_path / "b", rows), rows.select([0]), EDGE, CLOUD)
    assert found["n"] == 1
    assert [row["realised"] for row in found["dials"]] == [None] * len(DIALS)


def test_a_gain_that_rounding_takes_whole_has_no_realised_dial(tmp_path: Path) -> None:
    """Of 1,000 rows a fifth gain one step of float64 at 1e9: known apart, and lost in the mean."""
    hard = np.arange(1000) % 5 == 0
    scores = np.where(hard, 0.1, 0.9).astype(np.float32)
    edge = np.full(1000, 1e9)
    cloud = np.where(hard, np.nextafter(edge, np.inf), edge)
    held = calibrate(scores.astype(np.float64), edge, cloud, "rows")
    assert (held.flat, held.best_quality - held.edge_quality) == (False, 0.0)
    manifest = replace(write_tiny_bundle(tmp_path / "b").manifest, calibration=held)
    rows = dial_rows(manifest, scores, edge, cloud, outside=np.zeros(1000, dtype=np.bool_))
    assert [row["realised"] for row in rows] == [None] * len(DIALS)


def unreadable(n: int, *, edge: float, cloud: float) -> OutcomeTable:
    """Rows that the tiny tokenizer cannot read."""
    arms = {EDGE: ArmOutcome(quality=(edge,)), CLOUD: ArmOutcome(quality=(cloud,))}
    texts = [f"这是什么东西{index}" for index in range(n)]
    rows = tuple(Outcome(id=text, prompt=text, arms=arms) for text in texts)
    return OutcomeTable(rows=rows, source="strange")


@pytest.mark.parametrize("weight", [9.0, -9.0])
def test_rows_out_of_scope_are_judged_as_the_client_routes(tmp_path: Path, weight: float) -> None:
    """Whatever the router would say of them, they are the cloud's before any other row."""
    read, strange = table(), unreadable(40, edge=0.0, cloud=1.0)
    bundle = calibrated(tmp_path / "b", read, weights=WEIGHTS | {"[UNK]": weight})
    rows = joined((read, strange))
    found = evaluate_bundle(bundle, rows, EDGE, CLOUD)
    assert (found["n"], found["n_out_of_scope"]) == (160, 40)
    edge_q, cloud_q = rows.mean_quality(EDGE), rows.mean_quality(CLOUD)
    outside = np.arange(160) >= 120
    scores = bundle.scorer().score(rows.texts()).astype(np.float64)
    curve = curve_of(np.where(outside, -1.0, scores), edge_q, cloud_q)
    assert found["apgr"] == pytest.approx(apgr(curve))
    for row in found["dials"]:
        to_cloud = outside | (scores < row["threshold"])
        assert row["cloud_share"] == pytest.approx(to_cloud.mean())
        least, best = np.where(outside, cloud_q, edge_q).mean(), 1.0
        routed = np.where(to_cloud, cloud_q, edge_q).mean()
        assert row["realised"] == pytest.approx((routed - least) / (best - least))


def test_of_rows_out_of_scope_alone_little_can_be_said(tmp_path: Path) -> None:
    strange = unreadable(40, edge=0.0, cloud=1.0)
    found = evaluate_bundle(calibrated(tmp_path / "b", table()), strange, EDGE, CLOUD)
    assert found["n_out_of_scope"] == found["n"] == 40
    assert found["apgr"] == pytest.approx(0.5)
    assert [row["cloud_share"] for row in found["dials"]] == [1.0] * len(DIALS)
    assert [row["realised"] for row in found["dials"]] == [None] * len(DIALS)


def test_ece_and_brier_leave_rows_out_of_scope_out(tmp_path: Path) -> None:
    read, strange = table(), unreadable(40, edge=0.0, cloud=1.0)
    held = WEIGHTS | {"[UNK]": 9.0}
    bundle = write_tiny_bundle(tmp_path / "b", weights=held, score_kind="label")
    found = evaluate_bundle(bundle, joined((read, strange)), EDGE, CLOUD)
    alone = evaluate_bundle(bundle, read, EDGE, CLOUD)
    assert (found["ece"], found["brier"]) == (alone["ece"], alone["brier"])
    assert alone["n_out_of_scope"] == 0
    none = evaluate_bundle(bundle, strange, EDGE, CLOUD)
    assert (none["ece"], none["brier"]) == (None, None)


def test_rows_seen_in_training_and_out_of_scope_are_set_apart(tmp_path: Path) -> None:
    read, strange = table(), unreadable(40, edge=0.0, cloud=1.0)
    seen = strange.prompt_hashes()[:30]
    bundle = calibrated(tmp_path / "b", read, training_hashes=seen)
    found = evaluate_bundle(bundle, joined((read, strange)), EDGE, CLOUD)
    assert (found["unseen"]["n"], found["unseen"]["n_out_of_scope"]) == (130, 10)


def embedded(rows: OutcomeTable, seed: int) -> Embedded:
    random = np.random.default_rng(seed)
    hard = np.array([text.startswith("prove") for text in rows.texts()], dtype=np.float32)
    noise = random.normal(size=(len(rows), 4)).astype(np.float32)
    return Embedded(table=rows, embeddings=np.column_stack([2 * hard - 1, noise]))


def test_the_baselines_stand_beside_it(tmp_path: Path) -> None:
    fitted, judged = table(), table(80, seed=1)
    scores = write_tiny_bundle(tmp_path / "b", weights=WEIGHTS).scorer().score(judged.texts())
    rows = against_baselines(scores, embedded(fitted, 0), embedded(judged, 1), EDGE, CLOUD, seed=3)
    assert [row["name"] for row in rows] == ["random", "length", "kNN, k = 50"]
    ours = evaluate_bundle(Bundle.load(tmp_path / "b"), judged, EDGE, CLOUD)["apgr"]
    for row in rows:
        assert row["router_minus_this"] == pytest.approx(ours - row["apgr"])
        assert row["interval"][0] <= row["router_minus_this"] <= row["interval"][1]
    assert rows[0]["interval"][0] > 0


def test_nothing_to_compare(tmp_path: Path) -> None:
    rows = table(easy=1.0, hard=1.0, cloud=0.0)
    with pytest.raises(DataError, match="nothing to compare: the cloud arm is not clearly better"):
        held = embedded(rows, 0)
        against_baselines(np.linspace(0, 1, 120), held, held, EDGE, CLOUD, seed=0)

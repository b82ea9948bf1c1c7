"""Which rows a bundle has met before."""

from __future__ import annotations

from typing import Any

from sdk_fakes import manifest

from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.rows_seen import (
    CALIBRATION_HASHES,
    count_seen_in_calibration,
    seen_in_training,
)

TABLE = OutcomeTable(
    rows=tuple(
        Outcome(id=str(at), prompt=text, arms={"edge": ArmOutcome(quality=(1.0,))})
        for at, text in enumerate(("one", "two", "one"))
    ),
    source="made up",
)
ONE, TWO, _ = TABLE.prompt_hashes()


def test_rows_are_known_by_their_prompt() -> None:
    held = manifest(training_hashes=(ONE,))
    assert seen_in_training(held, TABLE).tolist() == [True, False, True]
    assert seen_in_training(manifest(), TABLE).tolist() == [False] * 3


def test_calibration_rows_are_counted_and_are_others() -> None:
    held = manifest(training_hashes=(ONE,), training={CALIBRATION_HASHES: [TWO, "other"]})
    assert count_seen_in_calibration(held, TABLE) == 1
    assert count_seen_in_calibration(manifest(training={CALIBRATION_HASHES: ()}), TABLE) == 0


def test_what_is_not_stored_is_not_counted_as_none() -> None:
    stored: list[dict[str, Any]] = [{}, {CALIBRATION_HASHES: None}, {CALIBRATION_HASHES: "abc"}]
    assert [count_seen_in_calibration(manifest(training=one), TABLE) for one in stored] == [
        None
    ] * 3

"""training/judging/reading.py: which rows are judged, and which columns there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from routereval_file import ROWS, routereval_dict, write_routereval

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.judging.embedded import from_states
from hybridroute.training.judging.reading import from_outcomes, from_routereval, is_pickle
from hybridroute.training.judging.records import records_of
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.readers.routereval import Candidates

STRONG = Candidates(size=3, group="all_strong")


def table(*rows: tuple[str, dict[str, float]], part: str | None = None) -> OutcomeTable:
    extra = {} if part is None else {"part": part}
    return OutcomeTable(
        rows=tuple(
            Outcome(
                id=text,
                prompt=text,
                arms={name: ArmOutcome(quality=(value,)) for name, value in arms.items()},
                extra=extra,
            )
            for text, arms in rows
        ),
        source="made-up",
    )


TRAIN = table(("a", {"x": 1.0, "y": 0.0}), ("b", {"x": 0.0, "y": 1.0}), part="train")
TEST = table(("c", {"y": 0.25, "z": 1.0, "x": 0.5}), part="test")


def test_rows_that_a_file_marks_are_judged() -> None:
    both = OutcomeTable(rows=TRAIN.rows + TEST.rows, source="made-up")
    found = from_outcomes(both, None, ["x", "y"])
    assert found.test is not None
    assert (found.train.texts, found.test.texts) == (("a", "b"), ("c",))
    assert "mark their test rows" in found.notes[0]


def test_without_marks_nothing_is_set_apart() -> None:
    assert from_outcomes(TRAIN, None, None).test is None


def test_an_arm_that_only_judged_rows_have_is_left_out_and_told() -> None:
    found = from_outcomes(TRAIN, TEST, None)
    assert found.train.arms == ("x", "y")
    assert "left out: ['z']" in found.notes[0]
    held = records_of(found.train, found.test)
    assert held.table.quality[2].tolist() == [0.5, 0.25]


def test_arms_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="no arm 'z'"):
        from_outcomes(TRAIN, None, ["x", "z"])
    for arms in (["x"], ["x", "x"]):
        with pytest.raises(ConfigError, match="two or more different"):
            from_outcomes(TRAIN, None, arms)


def test_a_routereval_pickle_brings_its_parts(tmp_path: Path) -> None:
    path = write_routereval(tmp_path / "arc_router_dataset.pkl", routereval_dict())
    assert is_pickle(path)
    found = from_routereval(path, STRONG, None)
    assert found.test is not None
    assert len(found.train) == ROWS["train"] + ROWS["val"]
    assert len(found.test) == ROWS["test"]
    assert found.states is None
    narrow = from_routereval(path, STRONG, ["org/model-2", "org/model-0"])
    np.testing.assert_array_equal(narrow.train.quality, found.train.quality[:, [2, 0]])
    with pytest.raises(DataError, match="no arm 'gpt'"):
        from_routereval(path, STRONG, ["gpt", "org/model-0"])


def test_without_prompts_its_embeddings_are_what_is_seen(tmp_path: Path) -> None:
    path = write_routereval(tmp_path / "arc.pkl", routereval_dict(prompts=False))
    found = from_routereval(path, STRONG, None)
    assert found.states is not None
    records = records_of(found.train, found.test)
    queries = from_states(found.states, records)
    assert len(queries) == sum(ROWS.values())
    np.testing.assert_allclose(np.linalg.norm(queries.embeddings, axis=1), 1.0, rtol=1e-5)
    held = routereval_dict(prompts=False)
    del held["easy"][3]["all_strong"]["embedding"]
    with pytest.raises(DataError, match="neither prompts nor embeddings"):
        from_routereval(write_routereval(path, held), STRONG, None)

"""training/readers/routereval.py, on files made up to the published schema."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from routereval_file import ROWS, routereval_dict, write_routereval

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.readers.routereval import Candidates, read_routereval

STRONG = Candidates(size=3, group="all_strong")


def test_three_parts_with_scores_embeddings_and_prompts(tmp_path: Path) -> None:
    held = routereval_dict()
    found = read_routereval(write_routereval(tmp_path / "arc_router_dataset.pkl", held), STRONG)
    assert {part: len(one.table) for part, one in found.items()} == ROWS
    pool = held["easy"][3]["all_strong"]
    for part, one in found.items():
        np.testing.assert_array_equal(one.table.quality, pool["data"][f"{part}_score"])
        np.testing.assert_array_equal(one.embeddings, pool["embedding"][f"{part}_embed"])
        assert list(one.table.texts) == pool["prompt"][f"{part}_prompt"]
    assert found["train"].table.arms == ("org/model-0", "org/model-1", "org/model-2")
    assert set(found["test"].table.domains) == {"arc"}
    assert len(set(found["test"].table.hashes)) == ROWS["test"]


def test_a_score_that_is_nan_stays_missing(tmp_path: Path) -> None:
    held = routereval_dict()
    held["easy"][3]["all_strong"]["data"]["train_score"][2, 1] = np.nan
    found = read_routereval(write_routereval(tmp_path / "arc_router_dataset.pkl", held), STRONG)
    assert np.argwhere(np.isnan(found["train"].table.quality)).tolist() == [[2, 1]]


def test_embeddings_and_prompts_may_stand_at_the_top_or_nowhere(tmp_path: Path) -> None:
    held = routereval_dict()
    held["prompt"] = held["easy"][3]["all_strong"].pop("prompt")
    path = write_routereval(tmp_path / "arc.pkl", held)
    assert read_routereval(path, STRONG)["val"].has_prompts
    found = read_routereval(write_routereval(path, routereval_dict(prompts=False)), STRONG)["val"]
    assert not found.has_prompts
    assert found.table.texts[0] == "arc val 0"


def _without(part: str) -> dict[str, Any]:
    held = routereval_dict()
    del held["easy"][3]["all_strong"]["data"][part]
    return held


def _with(key: str, name: str, value: object) -> dict[str, Any]:
    held = routereval_dict()
    held["easy"][3]["all_strong"][key][name] = value
    return held


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"easy": {}}, "there is no 3"),
        ({"easy": {3: {"all_strong": [1]}}}, "the pool is a list"),
        ([1, 2], "there is no 'easy'"),
        (_without("val_score"), "val_score is missing"),
        (_with("data", "test_score", np.zeros(4)), r"test_score has shape \(4,\)"),
        (_with("data", "test_score", [["a", "b", "c"]]), "test_score is not a matrix of numbers"),
        (_with("data", "test_score", {}), "a dict stands where an array"),
        (_with("data", "test_score", np.zeros((6, 4))), "model has 3 names for 4 columns"),
        (_with("prompt", "test_prompt", ["one"]), "test_prompt is not 6 texts"),
        (_with("embedding", "test_embed", np.zeros((2, 8))), "test_embed has 2 rows"),
    ],
)
def test_what_the_schema_has_not_is_named(tmp_path: Path, held: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_routereval(write_routereval(tmp_path / "arc.pkl", held), STRONG)


def test_a_hostile_pickle_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, ("exit 1",)

    held = _with("data", "test_score", Hostile())
    with pytest.raises(DataError, match="is refused: it names"):
        read_routereval(write_routereval(tmp_path / "arc.pkl", held), STRONG)


def test_a_pool_is_named_by_size_and_group() -> None:
    assert Candidates.parse("1000/all_weak") == Candidates(size=1000, group="all_weak")
    for bad in ("4/all_weak", "3/strong", "three/all_weak", "3"):
        with pytest.raises(ConfigError):
            Candidates.parse(bad)


def test_a_thousand_arms(tmp_path: Path) -> None:
    held = routereval_dict(models=1000)
    candidates = Candidates(size=1000, group="all_strong")
    found = read_routereval(write_routereval(tmp_path / "mmlu.pkl", held), candidates)
    assert found["train"].table.quality.shape == (ROWS["train"], 1000)

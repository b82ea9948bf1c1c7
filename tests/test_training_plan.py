"""A plan's choices are checked before anything is read or fitted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_encoder import outcomes, tiny_config, tiny_plan

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.training_plan import TrainingPlan


def plan(folder: Path, **changes: object) -> TrainingPlan:
    held: TrainingPlan = tiny_plan(outcomes(20), tiny_config(folder / "none"), folder, **changes)
    return held


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": ()}, "give one or more"),
        ({"seeds": (1, 1)}, "different ones"),
        ({"seeds": (1, -2)}, "seed -2 is negative"),
        ({"split_seed": -1}, "seed -1 is negative"),
        ({"refit": True, "select": True}, "no rows to select by"),
        ({"refit": True, "seeds": (1, 2)}, "no rows to select by"),
        ({"fits": ("ridge", "knn")}, "give --select"),
        ({"labels": ("det", "prob")}, "give --select"),
        ({"heads": ("label", "arms")}, "give --select"),
        ({"fits": ("knn", "knn"), "select": True}, "give each once"),
        ({"keep_candidates": Path("all")}, "give --select too"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        plan(tmp_path, **changes)


def test_no_other_folder_lies_in_the_bundles(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="work folder .* lies in"):
        plan(tmp_path, work=tmp_path / "bundle" / "work")
    with pytest.raises(ConfigError, match="candidates' folder .* lies in"):
        plan(tmp_path, select=True, keep_candidates=tmp_path / "bundle" / "all")


def test_what_is_not_listed_is_the_configurations(tmp_path: Path) -> None:
    held = plan(tmp_path)
    assert (held.kinds, held.label_kinds, held.head_kinds) == (("deberta",), ("prob",), ("arms",))
    asked = plan(tmp_path, fits=("ridge",), labels=("det", "trans"), heads=("label",), select=True)
    assert (asked.kinds, asked.label_kinds) == (("ridge",), ("det", "trans"))
    assert asked.head_kinds == ("label",)

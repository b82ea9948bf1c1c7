"""Checkpoints: all that a run needs to go on, in one file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fit_case import model

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.checkpoint import (
    Progress,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)

PROGRESS = Progress(
    step=7, best_step=0, best_value=float("-inf"), history=({"step": 7},), fingerprint="f"
)


def stepped(seed: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    held = model()
    optimizer = torch.optim.AdamW(held.parameters(), lr=0.1, fused=True)
    held(torch.tensor([[1, 2]]), torch.tensor([[1, 1]])).sum().backward()
    optimizer.step()
    return held, optimizer


def test_everything_comes_back(tmp_path: Path) -> None:
    one, optimizer = stepped(1)
    save_checkpoint(tmp_path, one, optimizer, PROGRESS)
    drawn = torch.rand(5)
    other = model()
    fresh = torch.optim.AdamW(other.parameters(), lr=0.1, fused=True)
    assert load_checkpoint(tmp_path, other, fresh, "f") == PROGRESS
    torch.testing.assert_close(torch.rand(5), drawn, rtol=0, atol=0)
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)
    before, after = optimizer.state_dict()["state"], fresh.state_dict()["state"]
    assert before.keys() == after.keys()
    for index, state in before.items():
        for key, value in state.items():
            assert torch.equal(value, after[index][key]), key


def test_none_and_another_runs(tmp_path: Path) -> None:
    one, optimizer = stepped(1)
    assert load_checkpoint(tmp_path, one, optimizer, "f") is None
    save_checkpoint(tmp_path, one, optimizer, PROGRESS)
    other, fresh = stepped(2)
    before = [value.clone() for value in other.parameters()]
    assert load_checkpoint(tmp_path, other, fresh, "g") is None
    for left, right in zip(before, other.parameters(), strict=True):
        assert torch.equal(left, right)


def test_a_checkpoint_of_another_network(tmp_path: Path) -> None:
    one, optimizer = stepped(1)
    save_checkpoint(tmp_path, one, optimizer, PROGRESS)
    other = torch.nn.Linear(2, 2)
    with pytest.raises(TrainingError, match="delete it to start again"):
        load_checkpoint(tmp_path, other, torch.optim.AdamW(other.parameters()), "f")


def test_a_cut_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = stepped(1)
    path = tmp_path / "best.safetensors"
    save_weights(path, one)

    def cut(_: Path, __: Path) -> None:
        raise OSError(28, "No space left on device")

    other, _ = stepped(2)
    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(TrainingError, match=r"cannot write .*No space left"):
        save_weights(path, other)
    load_weights(path, other)
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        load_weights(tmp_path / "best.safetensors", model())

"""Threads and precision of a training process."""

from __future__ import annotations

import pytest
import torch

from hybridroute.training.torch_setup import chosen_precision, use_threads


def test_zero_threads_leave_torchs_choice() -> None:
    before = torch.get_num_threads()
    use_threads(0)
    assert torch.get_num_threads() == before
    try:
        use_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("supported", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch, supported: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported, raising=False)
    assert chosen_precision("auto") == precision
    assert chosen_precision("fp32") == "fp32"


def test_a_torch_that_cannot_tell_takes_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert chosen_precision("auto") == "fp32"

"""The progress bar is silent where nobody looks, and never on stdout."""

from __future__ import annotations

import pytest

from hybridroute.training.fit_progress import FitProgress


def test_nothing_is_printed_into_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    with FitProgress() as shown:
        shown.step(1, 1, 2, 0.5)
        shown.step(2, 2, 2, 0.4)
    assert capfd.readouterr().out == ""


def test_a_fault_in_the_fit_comes_out() -> None:
    with pytest.raises(KeyError), FitProgress() as shown:
        shown.step(1, 1, 2, 0.5)
        raise KeyError("step")

"""The promises a bundle holds, as they are checked at birth."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.promises import DialBounds, PromiseRow

FLAT = (0.0,) * (GRID + 1)


def row(**changes: Any) -> PromiseRow:
    held = {
        "kind": "absolute",
        "max_drop": 0.05,
        "confidence": 0.9,
        "feasible": True,
        "threshold": 0.5,
        "cost_advantage": 0.5,
        "drop": 0.01,
        "drop_bound": 0.04,
        "test": "betting",
    }
    return PromiseRow(**{**held, **changes})


def dial(**changes: Any) -> DialBounds:
    held = {"confidence": 0.9, "cost_advantage": FLAT, "drop": FLAT, "bounds": FLAT}
    return DialBounds(**{**held, **changes})


@pytest.mark.parametrize("kind", ["absolute", "relative", "gap"])
def test_a_row_of_each_kind(kind: str) -> None:
    assert (row(kind=kind).kind, row().needed_n) == (kind, None)


@pytest.mark.parametrize("kind", ["", "Absolute", None, 1])
def test_another_kind_is_refused(kind: Any) -> None:
    with pytest.raises(BundleError, match="a promise is of kind"):
        row(kind=kind)


@pytest.mark.parametrize("name", ["max_drop", "confidence"])
@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.1, float("nan")])
def test_alpha_and_delta_lie_between_0_and_1(name: str, bad: float) -> None:
    with pytest.raises(BundleError, match=f"a promise's {name} is .*between 0 and 1"):
        row(**{name: bad})


def test_a_bound_may_be_missing_and_nothing_else() -> None:
    held = dial(bounds=(None, *FLAT[1:]))
    assert (held.bounds[0], held.bounds[1]) == (None, 0.0)
    assert dial(bounds=(None,) * (GRID + 1)).bounds.count(None) == GRID + 1


@pytest.mark.parametrize("name", ["cost_advantage", "drop", "bounds"])
@pytest.mark.parametrize("bad", [FLAT[1:], (*FLAT, 0.0), (*FLAT[1:], float("nan")), ()])
def test_a_table_of_the_dial_is_whole_and_finite(name: str, bad: tuple[float, ...]) -> None:
    with pytest.raises(BundleError, match=rf"promises\.dial\.{name} h(as|olds)"):
        dial(**{name: bad})

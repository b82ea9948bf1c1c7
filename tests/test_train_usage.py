"""Which options of `train` go together, and what the flags alone show to be wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.train_usage import check_usage, seeds_of
from hybridroute.training.wrong_usage import wrong_usage

PAIR = {"--edge": "small", "--cloud": "large", "--label": None}
NO_PAIR = {"--edge": "", "--cloud": "", "--label": None}
NO_POOL = {"--arms": None, "--cost": None}


def test_what_goes_together() -> None:
    check_usage(None, PAIR, NO_POOL)
    check_usage("ridge", NO_PAIR, NO_POOL | {"--arms": "a,b"})
    check_usage("deberta", NO_PAIR, NO_POOL)


@pytest.mark.parametrize(
    ("estimator", "of_pairs", "of_pools", "option"),
    [
        (None, NO_PAIR, NO_POOL, "--edge and --cloud"),
        (None, PAIR | {"--cloud": ""}, NO_POOL, "--edge and --cloud"),
        (None, PAIR, NO_POOL | {"--cost": ["a=1"]}, "--cost"),
        ("ridge", PAIR, NO_POOL, "--edge"),
        ("ridge", NO_PAIR | {"--label": ["det"]}, NO_POOL, "--label"),
        ("oak", NO_PAIR, NO_POOL, "--estimator"),
    ],
)
def test_what_does_not(
    estimator: str | None,
    of_pairs: dict[str, object],
    of_pools: dict[str, object],
    option: str,
) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        check_usage(estimator, of_pairs, of_pools)
    assert caught.value.param_hint == option


def test_seeds() -> None:
    assert seeds_of("1,2") == (1, 2)
    with pytest.raises(typer.BadParameter, match="'1,x' is not whole numbers with commas"):
        seeds_of("1,x")


def test_only_a_config_error_is_wrong_usage() -> None:
    said = r"^low is 3; give less\.$"
    with pytest.raises(typer.BadParameter, match=said) as caught, wrong_usage("--low"):
        raise ConfigError("low is 3; give less")
    assert caught.value.param_hint == "--low"
    with pytest.raises(DataError), wrong_usage():
        raise DataError("line 3")


def test_the_commands_are_registered_without_numpy() -> None:
    """Every start of the program loads them."""
    asked = "import sys, hybridroute.training.commands; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", asked], check=True, timeout=60)

"""Prices: USD per million tokens, of arms that name them and arms that do not."""

import pytest
from sdk_fakes import cloud_arm, edge_arm

from hybridroute import CloudSettings, ConfigError
from hybridroute.cloud import CloudArm
from hybridroute.edge_runtime.chat import Usage
from hybridroute.edge_runtime.prices import Prices, prices_of

USAGE = Usage(prompt_tokens=10, completion_tokens=20, total_tokens=30)


def test_cost() -> None:
    assert Prices(in_usd_per_million=1.0, out_usd_per_million=2.0).cost_usd(USAGE) == 50 / 1e6
    assert Prices().cost_usd(USAGE) == 0.0


def test_the_device_is_free_and_an_unpriced_cloud_unknown() -> None:
    assert prices_of(edge_arm()) == Prices()
    assert prices_of(cloud_arm()) is None


@pytest.mark.parametrize(("into", "out", "known"), [(0.5, 1.5, True), (0.5, None, False)])
def test_the_cloud_s_are_its_settings(into: float, out: float | None, known: bool) -> None:
    settings = CloudSettings(
        base_url="http://127.0.0.1:9/v1",
        model="big",
        price_in_usd_per_million=into,
        price_out_usd_per_million=out,
    )
    arm = CloudArm(settings)
    assert (prices_of(arm) is not None) is known
    if known:
        assert prices_of(arm) == Prices(in_usd_per_million=0.5, out_usd_per_million=1.5)
    arm.close()


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_wrong_prices(wrong: float) -> None:
    with pytest.raises(ConfigError, match="out_usd_per_million"):
        Prices(out_usd_per_million=wrong)

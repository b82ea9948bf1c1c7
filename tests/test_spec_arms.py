"""spec_arms.py: what the settings say of arms, made into arms."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.spec_arms import arms_of, specs_of

THREE = (
    "tiny=smollm2-135m,threads=1 small=gemma3-270m,template=few-shot "
    "big=large@http://127.0.0.1:9/v1,price-in=1,price-out=2"
)


def test_specs_become_arms() -> None:
    arms = arms_of(specs_of(THREE), only_on_device=False)
    assert [(arm.name, arm.model, arm.place) for arm in arms] == [
        ("tiny", "smollm2-135m", "device"),
        ("small", "gemma3-270m", "device"),
        ("big", "large", "cloud"),
    ]


def test_on_the_device_alone_no_endpoint_is_made() -> None:
    arms = arms_of(specs_of(THREE), only_on_device=True)
    assert [arm.name for arm in arms] == ["tiny", "small"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a=m a=n", "arm a is given twice"),
        ("a=m,stop='x", "No closing quotation"),
        ("smollm2-135m", "is not NAME=MODEL"),
        ("a=m@http://127.0.0.1/v1,rate=5", "rate is for `hybridroute sample`"),
        ("a=m@http://127.0.0.1/v1,stop=x", "stop is for a model in this process"),
        ("a=m@https://host.example/v1", "no key is named"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        arms_of(specs_of(text), only_on_device=False)

"""The configuration of a fit is checked at birth."""

from __future__ import annotations

import json
import math

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.fit_config import FitConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("heads", "three"),
        ("label", "hard"),
        ("pooling", "max"),
        ("precision", "fp16"),
        ("fit", "forest"),
        ("epochs", 0),
        ("accumulate", 0),
        ("neighbours", 0),
        ("patience", -1),
        ("l2", 0.0),
        ("batch_size", 0),
        ("position_buckets", 0),
        ("evaluations_per_epoch", 0),
        ("max_tokens", 7),
        ("max_tokens", 513),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("weight_decay", -0.1),
        ("seed", -1),
        ("warmup", 1.0),
        ("dropout", -0.1),
    ],
)
def test_a_wrong_value_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{field} is {value!r}"):
        FitConfig(**{field: value})


def test_it_is_plain_json() -> None:
    held = FitConfig(encoder="folder", seed=7)
    assert FitConfig(**json.loads(json.dumps(held.to_dict()))) == held

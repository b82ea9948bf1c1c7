"""arms_from_spec.py: what the settings say of arms, made into arms."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridroute.arms_from_spec import arms_of, memory_of, specs_of
from hybridroute.cli.options import as_flags
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings import load_settings

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


def test_local_arms_share_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        "hybridroute.edge_runtime.llama_arm.LlamaArm", lambda *_, **given: made.append(given)
    )
    memory = memory_of(600)
    arms_of(specs_of("a=x.gguf b=y.gguf"), only_on_device=False, memory=memory)
    assert memory is not None
    assert memory.max_bytes == 600_000_000
    assert [given["memory"] for given in made] == [memory, memory]
    assert memory_of(None) is None
    with pytest.raises(ConfigError, match=r"model_memory_mb is 0; give a whole number above 0"):
        memory_of(0)


def test_the_limit_is_a_flag_and_a_setting(tmp_path: Path) -> None:
    text = '[router]\nmodel_memory_mb = 900\narms = "a=m"\n'
    (tmp_path / "hybridroute.toml").write_text(text)
    assert load_settings(environ={}, folder=tmp_path).router.model_memory_mb == 900
    flags = as_flags(model_memory=700)
    assert load_settings(flags, environ={}, folder=tmp_path).router.model_memory_mb == 700
    named = {"HYBRIDROUTE_ROUTER_MODEL_MEMORY_MB": "800"}
    assert load_settings(environ=named, folder=tmp_path).router.model_memory_mb == 800

"""How an arm is written, and what shapes its answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_fakes import ENDPOINT

from hybridroute.arm_spec import FEW_SHOT_STOP, parse_arm
from hybridroute.edge_runtime.errors import ConfigError

SETTINGS = {"temperature": 0.8, "max_tokens": 8}


def test_a_model_here_with_options() -> None:
    spec = parse_arm(
        "edge=smollm2-135m,slots=4,threads=2,context=512,stop=\\n,price-in=0.1,price-out=1"
    )
    assert (spec.name, spec.model, spec.is_local) == ("edge", "smollm2-135m", True)
    assert (spec.slots, spec.threads, spec.context) == (4, 2, 512)
    assert spec.stops == ("\n",)
    assert spec.cost_usd(1_000_000, 2_000_000) == pytest.approx(2.1)
    assert parse_arm("edge=smollm2-135m").cost_usd(5, 5) == 0.0


def test_an_endpoint() -> None:
    spec = parse_arm("cloud=org/model:free@https://host/v1,key-env=MY_KEY,rate=60")
    assert (spec.model, spec.url) == ("org/model:free", "https://host/v1")
    assert (spec.key_env, spec.rate, spec.is_local) == ("MY_KEY", 60.0, False)
    assert spec.cost_usd(1, 1) is None
    assert parse_arm(ENDPOINT).key_env == ""


def test_the_few_shot_template_brings_its_stop() -> None:
    spec = parse_arm("cloud=gemma3-270m,template=few-shot")
    assert "Question:" in (spec.template_text() or "")
    assert spec.stops == (FEW_SHOT_STOP,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("smollm2-135m", "is not NAME=MODEL"),
        ("a b=x", "name 'a b'"),
        ("edge=", "no model is named"),
        ("edge=x,colour=red", "'colour=red' is not an option"),
        ("edge=x,slots", "'slots' is not an option"),
        ("edge=x,model=y", "'model=y' is not an option"),
        ("edge=x,slots=2,slots=3", "slots is given twice"),
        ("edge=x,slots=1.5", "slots is '1.5'; give a whole number"),
        ("edge=x,slots=0", "slots is 0"),
        ("edge=x,price-in=nan,price-out=1", "price-in is 'nan'"),
        ("edge=x,price-in=1", "price-in and price-out together"),
        ("edge=x,price-in=-1,price-out=1", "price-in is -1"),
        ("edge=x,rate=3", "rate is not for a model in this process"),
        ("cloud=x@http://h/v1,threads=1", "threads is not for an endpoint"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_arm(text)


def test_a_template_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_arm(f"edge=x,template={tmp_path / 'absent.jinja'}").template_text()


def test_the_digest_tells_what_shapes_answers_from_what_does_not(tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages[0].content }}", encoding="utf-8")
    plain = parse_arm("edge=x").digest(SETTINGS)
    assert parse_arm("edge=x,slots=2,threads=3").digest(SETTINGS) == plain
    assert parse_arm("edge=y").digest(SETTINGS) != plain
    assert parse_arm("edge=x,stop=a").digest(SETTINGS) != plain
    assert parse_arm("edge=x").digest({**SETTINGS, "temperature": 0.9}) != plain
    before = parse_arm(f"edge=x,template={template}").digest(SETTINGS)
    template.write_text("{{ messages[-1].content }}", encoding="utf-8")
    assert parse_arm(f"edge=x,template={template}").digest(SETTINGS) not in (before, plain)

"""The YAML head of model cards, read back as a hub reads it."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_fakes import manifest

from hybridroute.training.card_front import body_of, front_matter

yaml = pytest.importorskip("yaml")


def head(**training: Any) -> dict[str, Any]:
    text = front_matter(manifest(training=training), form="onnx")
    assert text.startswith("---\n")
    assert text.endswith("---\n\n")
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_what_a_hub_looks_for_is_there() -> None:
    held = head()
    assert held == {
        "library_name": "hybridroute",
        "pipeline_tag": "text-classification",
        "license": "unknown",
        "tags": ["hybridroute", "llm-routing", "hybrid-llm", "onnx"],
    }


@pytest.mark.parametrize(
    ("encoder", "base"),
    [
        ("minilm", "sentence-transformers/all-MiniLM-L6-v2"),
        ("microsoft/deberta-v3-xsmall", "microsoft/deberta-v3-xsmall"),
        ("/home/me/encoders/mine", None),
        ("../mine", None),
    ],
)
def test_the_encoder_is_named_where_it_is_public(encoder: str, base: str | None) -> None:
    assert head(config={"encoder": encoder}).get("base_model") == base


def test_results_are_the_runs_own() -> None:
    found = {"n": 40, "apgr": 0.751234, "cpt50": 20.0, "cpt80": None}
    held = head(report={"unseen": found, "seen": None}, licence="apache-2.0")
    assert held["license"] == "apache-2.0"
    (result,) = held["model-index"][0]["results"]
    assert result["dataset"]["name"] == "40 held-out rows, not seen in training"
    measured = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert measured == {"apgr": 0.7512, "cpt50": 20.0}


def test_no_result_is_made_up() -> None:
    found = {"n": 40, "apgr": None, "cpt50": None, "cpt80": None}
    assert "model-index" not in head(report={"unseen": found, "seen": found})


def test_a_name_cannot_break_out_of_its_field() -> None:
    held = head(report={"unseen": {"n": 1, "apgr": 1.0}}, licence='x"\n---\nevil: true')
    assert held["license"] == 'x"\n---\nevil: true'
    assert "evil" not in held


def test_the_body_is_what_follows_the_head() -> None:
    card = front_matter(manifest(training={}), form="onnx") + "# Title\n\n---\n\ntext\n"
    assert body_of(card) == "# Title\n\n---\n\ntext\n"
    assert body_of("# Title\n") == "# Title\n"
    assert body_of("---\nno end") == "---\nno end"

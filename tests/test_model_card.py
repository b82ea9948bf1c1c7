"""The model card says what the run measured, and nothing that it did not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sdk_fakes import calibration, manifest

from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.model_card import model_card

LABELS = {"kind": "prob", "t_star": None, "share_one": 0.75, "share_zero": 0.25, "note": None}
FOUND = {
    "n": 40,
    "edge_quality": 0.5,
    "cloud_quality": 0.9,
    "apgr": 0.75,
    "apgr_interval": [0.6, 0.9],
    "cpt50": 20.0,
    "cpt80": None,
    "pgr_undefined": None,
    "dials": [
        {"dial": 0.5, "realised": None, "expected_cloud_share": 0.25, "cloud_share": 0.3},
    ],
}


def held(
    *,
    by: str = "prompt",
    found: dict[str, Any] = FOUND,
    counts: dict[str, object] | None = None,
    **facts: object,
) -> Manifest:
    domains = {"fit": ["law"]} if by == "domain" else {"fit": []}
    split = {"by": by, "seed": 0, "rows": {"fit": 60, "test": 40}, "domains": domains}
    training = {
        "config": FitConfig().to_dict(),
        "split": split | (counts or {}),
        "labels": LABELS,
        "quality": {"name": "token-f1", "source": "SQuAD"},
        "seeds": [{"seed": 1, "select": 0.1, "best_step": 9}],
        "sources": [],
        "data": "rows.jsonl",
        "weights": "int8",
        "parity": {"n": 1000, "p99": 0.01, "largest": 0.02, "apgr_moved": 0.001},
        "command": "hybridroute train --out b",
        "report": {"unseen": found},
        **facts,
    }
    return manifest(training=training)


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("prompt", ("(prompts it never saw)", "Intervals resample rows.", "60 queries of unnamed")),
        ("domain", ("(domains it never saw)", "Intervals resample domains, then rows.")),
    ],
)
def test_it_says_how_rows_were_held_out(by: str, said: tuple[str, ...]) -> None:
    card = model_card(held(by=by), {})
    assert all(text in card for text in said)


def test_numbers_that_are_not_there_are_dashes() -> None:
    card = model_card(held(), {"router.onnx": b"x" * 2_500_000})
    assert "| **this router** | 0.750 [0.600, 0.900] | 20.0 | - |  |" in card
    assert "| 0.5 | - | 25.0% | 30.0% |" in card
    assert "Size: 2.5 MB" in card
    assert "- Data: rows.jsonl" in card
    assert "None" not in card


def test_no_apgr_comes_with_its_reason() -> None:
    found = {**FOUND, "apgr": None, "pgr_undefined": "the arms are level", "dials": []}
    assert "No APGR: the arms are level." in model_card(held(found=found), {})


def test_labels_are_named_with_their_shift_or_their_note() -> None:
    trans = {**LABELS, "kind": "trans", "t_star": 0.25}
    said = "Labels `trans` with t* = 0.25 from `token-f1` (SQuAD): 75.0% are 1"
    assert said in model_card(held(labels=trans), {})
    noted = {**LABELS, "note": "t* = 0, so trans falls back to prob"}
    assert "falls back to prob." in model_card(held(labels=noted), {})


def test_a_flat_bundle_says_so() -> None:
    flat = replace(held(), calibration=calibration(flat=True, flat_reason="the arms are level"))
    assert "**Flat**: the arms are level." in model_card(flat, {})


def test_sources_and_command_stand_there() -> None:
    card = model_card(held(sources=["MMLU, MIT"]), {})
    assert "- Data: MMLU, MIT" in card
    assert "```\nhybridroute train --out b\n```" in card


def test_the_rows_on_which_apgr_was_compared_are_told() -> None:
    parity = {"n": 1000, "p99": 0.01, "largest": 0.02, "apgr_moved": 0.001}
    said = "APGR moved 0.0010 on 1000 selection and fit rows.\n"
    assert said in model_card(held(parity=parity | {"rows": 1000}), {})
    said = "on 400 selection and fit rows (few: the limit is 2.5 times wider).\n"
    assert said in model_card(held(parity=parity | {"rows": 400}), {})


def test_calibration_hashes_are_counted() -> None:
    said = "its fit and selection rows, and 2 of its calibration rows, stand in the manifest"
    assert said in model_card(held(calibration_hashes=["a", "b"]), {})


def test_products_computed_in_fp32_are_counted() -> None:
    assert "int8, 25 products of them computed in fp32; against torch" in model_card(
        held(kept_fp32=25), {}
    )
    assert "int8; against torch" in model_card(held(kept_fp32=0), {})


def test_rows_that_were_left_out_are_told() -> None:
    assert "Left out" not in model_card(held(), {})
    others = {"duplicates": 1, "rows_in_the_main_table": 1200}
    counts = {
        "rows_without_the_pair": 3,
        "duplicates": 2,
        "conflicting_duplicates": 1,
        "left_out_of_other_tables": others,
    }
    card = model_card(held(counts=counts), {})
    assert (
        "- Left out: 3 rows without both arms; 2 rows whose prompt an earlier row has, 1 of them "
        "with other qualities.\n"
    ) in card
    assert (
        "- Left out of the outcomes used for fitting only: 1 row whose prompt an earlier row has; "
        "1,200 whose prompt the main outcomes have.\n"
    ) in card

"""The manifest: what is read back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sdk_fakes import calibration, dial_table
from tiny_bundle import EVEN

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import (
    CalibratedArm,
    DialTable,
    FileRecord,
    GoldenVector,
    Manifest,
    ScoreQuantiles,
)

MANIFEST = Manifest(
    name="a router",
    created="2026-01-01",
    hybridroute_version="0",
    score_kind="gap",
    text_rule="user-turns-v1",
    max_tokens=64,
    unknown_token_limit=0.3,
    arms=(CalibratedArm(name="edge", model="s"), CalibratedArm(name="cloud", model="l")),
    calibration=calibration(),
    score_quantiles=EVEN,
    golden=(GoldenVector(text="é 😀", token_ids=(1, 2), score=0.5),),
    training_hashes=("00ff",),
    training={"seeds": [1, 2], "note": None},
    files={"router.onnx": FileRecord(sha256="ab", bytes=2)},
)


def altered(**changes: object) -> str:
    return json.dumps({**json.loads(MANIFEST.to_json()), **changes})


def test_what_is_written_is_read_back() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema_version": NaN}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json is not JSON"):
        Manifest.from_json(text)


@pytest.mark.parametrize("text", ["[]", "null", '"text"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="manifest must be an object"):
        Manifest.from_json(text)


def test_a_newer_schema_is_told_before_its_fields() -> None:
    with pytest.raises(BundleError, match="schema 4; this hybridroute reads up to 3"):
        Manifest.from_json('{"schema_version": 4, "new": 1}')


@pytest.mark.parametrize("version", [None, "1", 1.0])
def test_the_schema_must_be_stated(version: object) -> None:
    with pytest.raises(BundleError, match="states no schema_version"):
        Manifest.from_json(altered(schema_version=version))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extra": 1}, r"unknown fields \['extra'\]"),
        ({"arms": {}}, "manifest.arms must be a list"),
        ({"arms": [{"name": "edge"}]}, r"manifest.arms\[0\] is incomplete"),
        ({"max_tokens": "64"}, "max_tokens must be int, not str"),
        ({"max_tokens": True}, "max_tokens must be int, not bool"),
        ({"max_tokens": 7}, "max_tokens is 7"),
        ({"max_tokens": 10**9}, "max_tokens is 1000000000"),
        ({"unknown_token_limit": 1.5}, "unknown_token_limit is 1.5"),
        ({"unknown_token_limit": 10**400}, "unknown_token_limit is not finite"),
        ({"score_kind": "odds"}, "score_kind is 'odds'"),
        ({"files": []}, "manifest.files must be an object"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        Manifest.from_json(altered(**changes))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_only_finite_numbers_are_read(constant: str) -> None:
    text = MANIFEST.to_json().replace('"score": 0.5', f'"score": {constant}')
    assert constant in text
    with pytest.raises(BundleError, match=r"is not JSON|score is not finite"):
        Manifest.from_json(text)


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "", "a/b", "a\\b", "/etc/passwd", "C:x", "x\x00", "\ud800", ".x"]
)
def test_a_file_lies_in_the_bundle_itself(name: str) -> None:
    files = {name: {"sha256": "", "bytes": 0}}
    with pytest.raises(BundleError, match="is not a plain file name"):
        Manifest.from_json(altered(files=files))


def test_the_dials_thresholds_do_not_decrease() -> None:
    held = list(dial_table().thresholds)
    held[500] = held[499] - 1e-6
    with pytest.raises(BundleError, match=r"dial\.thresholds must not decrease"):
        replace(dial_table(), thresholds=tuple(held))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_the_dials_cloud_share_is_a_share(share: float) -> None:
    held = (share, *dial_table().cloud_share[1:])
    with pytest.raises(BundleError, match="cloud_share holds a value outside"):
        replace(dial_table(), cloud_share=held)


def test_tables_have_the_grids_length_and_finite_entries() -> None:
    flat = (0.5,) * (GRID + 1)
    with pytest.raises(BundleError, match=r"dial\.quality has 1000 entries"):
        DialTable(thresholds=flat, cloud_share=flat, quality=flat[1:])
    with pytest.raises(BundleError, match="not finite"):
        DialTable(thresholds=flat, cloud_share=flat, quality=(float("nan"), *flat[1:]))


def test_quantiles_do_not_decrease() -> None:
    with pytest.raises(BundleError, match="must not decrease"):
        ScoreQuantiles(source="", n=1, values=EVEN.values[::-1])

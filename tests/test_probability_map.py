"""The map from score to probability: strictly increasing, read back, refused where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sdk_fakes import manifest
from tiny_bundle import write_tiny_bundle

from hybridroute.decision_log import bundle_name
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.probability_map import ProbabilityMap, Reliability
from hybridroute.training.recalibrate import remapped

COOL = ProbabilityMap(kind="temperature", temperature=2.0, source="s", n=10)
STEPS = ProbabilityMap(kind="isotonic", scores=(0.2, 0.8), values=(0.4, 0.5), source="s", n=10)


@pytest.mark.parametrize("held", [COOL, STEPS])
def test_it_increases_and_has_an_inverse(held: ProbabilityMap) -> None:
    scores = np.linspace(0.0, 1.0, 501)
    found = [held(score) for score in scores.tolist()]
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert np.all(np.diff(found) > 0)
    assert [held.inverse(value) for value in found] == pytest.approx(scores.tolist(), abs=1e-12)
    assert (held(1.01), held.inverse(1.01)) == (1.01, 1.01)


def test_what_it_gives() -> None:
    assert COOL(0.9) == pytest.approx(0.75)
    assert STEPS(0.5) == pytest.approx(0.45)
    assert STEPS(0.1) == pytest.approx(0.2)
    assert COOL(1e-30) < COOL(1e-20)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "spline"}, "kind 'spline'"),
        ({"kind": "temperature", "temperature": 0.0}, "temperature is 0.0"),
        ({"kind": "temperature"}, "temperature is None"),
        ({"kind": "isotonic", "scores": (0.2,), "values": ()}, "as many scores"),
        ({"kind": "isotonic", "scores": (0.2, 0.2), "values": (0.1, 0.2)}, "scores must increase"),
        ({"kind": "isotonic", "scores": (0.2, 0.3), "values": (0.2, 0.2)}, "values must increase"),
        ({"kind": "isotonic", "scores": (0.2,), "values": (1.0,)}, "values must increase"),
    ],
)
def test_a_map_that_changes_the_order_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        ProbabilityMap(**{"source": "s", "n": 1, **changes})


def test_the_manifest_keeps_it_for_label_scores_alone() -> None:
    measured = Reliability(n=5, ece_before=0.2, ece_after=0.1, brier_before=0.3, brier_after=0.2)
    kept = ProbabilityMap(kind="temperature", temperature=2.0, source="s", n=1, measured=measured)
    held = manifest(probability_map=kept)
    assert Manifest.from_json(held.to_json()) == held
    said = json.loads(held.to_json())
    said["score_kind"] = "gap"
    with pytest.raises(BundleError, match="claim no probability"):
        Manifest.from_json(json.dumps(said))


@pytest.mark.parametrize("held", [COOL, STEPS])
def test_a_mapped_bundle_scores_by_it_and_decides_as_before(
    tmp_path: Path, held: ProbabilityMap
) -> None:
    texts = [f"number {at} of many words {'so ' * (at % 7)}" for at in range(60)]
    plain = write_tiny_bundle(tmp_path / "plain", quantiles=texts)
    mapped = Bundle(plain.path, remapped(plain.manifest, held))
    before, after = plain.scorer(), mapped.scorer()
    scores, probabilities = before.score(texts), after.score(texts)
    assert probabilities == pytest.approx([held(score) for score in scores.tolist()], abs=1e-7)
    assert [after.assess(text).score for text in texts] == probabilities.tolist()
    old, new = plain.manifest.score_quantiles, mapped.manifest.score_quantiles
    assert old is not None
    assert new is not None
    for here, there in zip(old.values[::50], new.values[::50], strict=True):
        assert ((scores >= here) == (probabilities.astype(float) >= there)).all()
    for item in mapped.manifest.golden:
        assert after.assess(item.text).score == pytest.approx(item.score, abs=1e-6)
    back = remapped(mapped.manifest, None)
    assert back.score_quantiles is not None
    assert back.score_quantiles.values == pytest.approx(old.values, abs=1e-6)
    assert bundle_name(mapped) != bundle_name(plain)

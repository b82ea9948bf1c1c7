"""Router source: a bundle that this version can route with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdk_fakes import bundle
from tiny_pool import write_tiny_pool

from hybridroute.edge_runtime.errors import BundleError, ConfigError
from hybridroute.router_source import open_bundle, open_pair_bundle, scorer_of


def test_a_bundle_of_another_text_rule_is_refused() -> None:
    with pytest.raises(BundleError, match="text rule 'all-turns-v0'"):
        open_bundle(bundle(text_rule="all-turns-v0"))


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, str(tmp_path)):
        with pytest.raises(BundleError, match="no bundle at"):
            open_bundle(place)


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(ConfigError, match="bundle is a int"):
        open_bundle(3)


def test_the_scorer_is_loaded_late_and_knows_its_kind() -> None:
    held = bundle(score_kind="gap")
    scorer = scorer_of(open_bundle(held))
    assert scorer.score_kind == "gap"
    assert held.loads == 0
    assert scorer.assess("0.5").score == 0.5
    assert held.loads == 1


def test_how_it_runs_is_passed_on() -> None:
    held = bundle()
    scorer_of(held, threads=3, spins=False).assess("0.5")
    assert held.asked == {"threads": 3, "spins": False}


@pytest.mark.parametrize("threads", [0, -1, True, 1.5])
def test_threads_are_checked_at_once(threads: object) -> None:
    with pytest.raises(ConfigError, match="router_threads"):
        scorer_of(bundle(), threads=threads)


def test_what_is_for_two_arms_refuses_a_pool(tmp_path: Path) -> None:
    held = write_tiny_pool(tmp_path / "pool", {"a": "m-a", "b": "m-b"}, {"word": (1.0, 0.0)})
    assert open_bundle(held.path).manifest.pool is not None
    with pytest.raises(ConfigError, match="routes among a, b, and this is for two arms"):
        open_pair_bundle(held.path)

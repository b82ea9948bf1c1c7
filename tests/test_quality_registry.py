"""Quality functions by their names."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality.protocol import Item
from hybridroute.training.quality.registry import (
    QualityOptions,
    build_qualities,
    build_quality,
    check_quality_names,
    quality_names,
)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bleu", "no quality is called 'bleu'; choose from exact-match"),
        ("no_such_module_here:f", "module cannot be imported"),
        ("missing.py:f", "module cannot be imported"),
        ("math:nothing", "'nothing' is not there"),
        ("math:pi", "neither a function"),
        (":f", "no quality is called"),
    ],
)
def test_a_name_that_is_none_says_what_to_do(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_quality(name)


def test_one_name_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="each once"):
        build_qualities(["token-f1", "token-f1"])
    with pytest.raises(ConfigError, match="at least one"):
        build_qualities([])


def test_functions_of_text_are_built_under_their_own_names_in_order() -> None:
    names = ["token-f1", "exact-match", "numeric-match", "contains-reference", "given", "given:x"]
    assert [held.name for held in build_qualities(names)] == [*names[:-1], "x"]
    assert set(names[:-1]) <= set(quality_names())


def test_two_given_scores_of_one_name_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="each once"):
        build_qualities(["given", "given:given"])


def test_the_tolerance_is_the_options() -> None:
    item = Item(query="", response="101", reference="100")
    loose = build_quality("numeric-match", QualityOptions(numeric_tolerance=0.01))
    assert (loose.score([item])[0], build_quality("numeric-match").score([item])[0]) == (1.0, 0.0)
    with pytest.raises(ConfigError, match="tolerance is -1"):
        build_quality("numeric-match", QualityOptions(numeric_tolerance=-1))


def test_names_are_checked_without_looking_for_a_module() -> None:
    check_quality_names([*quality_names(), "given:x", "no_such_module_here:f"])
    for bad in ("", "bleu", ":", "x:", ":f", "Exact-Match"):
        with pytest.raises(ConfigError, match="no quality is called"):
            check_quality_names(["token-f1", bad])


def test_threads_are_no_part_of_what_a_quality_depends_on() -> None:
    assert QualityOptions(threads=1).settings() == QualityOptions(threads=9).settings()
    assert QualityOptions(gguf="x").settings() != QualityOptions().settings()

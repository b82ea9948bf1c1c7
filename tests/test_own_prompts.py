"""Quantiles from one's own prompts: reading them, measuring, writing the new bundle."""

import json

import pytest
from tiny_bundle import EVEN, write_tiny_bundle

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import DataError
from hybridroute.own_prompts import read_prompts, with_own_quantiles
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

PROMPTS = [f"{word} number {n}" for n, word in enumerate(["tea", "law", "stars", "tax"] * 5)]


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_bundle(tmp_path / "tiny")


def written(tmp_path, *lines, name="prompts.txt"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_text_lines_are_prompts_and_blank_ones_are_not(tmp_path):
    assert read_prompts(written(tmp_path, "one", "", "  two  ")) == ["one", "two"]


def test_json_lines_hold_a_prompt_or_messages(tmp_path):
    turns = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "second"},
    ]
    path = written(tmp_path, json.dumps({"prompt": "one"}), json.dumps({"messages": turns}))
    assert read_prompts(path) == ["one", "first\n\nsecond"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not JSON"),
        ("[]", "line 2 is a list"),
        ('{"text": "x"}', 'line 2 has neither "prompt"'),
        ('{"messages": [{"role": "boss"}]}', r"line 2: messages\[0\]\.role"),
        ('{"prompt": "  "}', "line 2: the prompt holds no user text"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, said):
    path = written(tmp_path, '{"prompt": "fine"}', line)
    with pytest.raises(DataError, match=said):
        read_prompts(path)


def test_an_empty_or_absent_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no prompt"):
        read_prompts(written(tmp_path, ""))
    with pytest.raises(DataError, match="cannot be read"):
        read_prompts(tmp_path / "absent.txt")


def test_a_cost_advantage_then_holds_for_those_prompts(tiny):
    scorer = tiny.scorer(threads=1)
    own = with_own_quantiles(tiny, scorer, PROMPTS, source="mine")
    policy = ThresholdPolicy(own.bundle.manifest, ())
    scores = scorer.score(PROMPTS)
    for share in (0.25, 0.5, 0.8):
        threshold = policy.activate(Setting(cost_advantage=share)).threshold
        assert (scores >= threshold).mean() == pytest.approx(share, abs=1 / len(PROMPTS))


def test_prompts_the_router_cannot_judge_are_counted_apart(tiny):
    scorer = tiny.scorer(threads=1)
    own = with_own_quantiles(tiny, scorer, [*PROMPTS, "这是什么东西"], source="mine")
    assert (own.n, own.out_of_scope) == (len(PROMPTS), 1)
    with pytest.raises(DataError, match="none of the 1 prompts"):
        with_own_quantiles(tiny, scorer, ["这是什么东西"], source="mine")


def test_the_old_bundle_stays_as_it_was(tiny, tmp_path):
    own = with_own_quantiles(tiny, tiny.scorer(threads=1), PROMPTS, source="mine")
    own.bundle.save_pretrained(tmp_path / "new")
    assert Bundle.load(tiny.path).manifest.score_quantiles == EVEN
    new = Bundle.load(tmp_path / "new").manifest
    assert new.score_quantiles == own.bundle.manifest.score_quantiles
    assert new.files == tiny.manifest.files

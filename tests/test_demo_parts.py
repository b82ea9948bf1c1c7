"""The demo's parts that need no model: its queries, its packaged prompts, its counts."""

import importlib.util
import io
import json
from importlib.resources import files

import pytest
from rich.console import Console
from sdk_fakes import bundle as sdk_bundle
from sdk_fakes import calibration, cloud_arm, edge_arm
from tiny_bundle import write_tiny_bundle

from hybridroute.client import HybridClient
from hybridroute.decision import Decision
from hybridroute.demo import stand_in
from hybridroute.demo.launch import StandInCloud
from hybridroute.demo.queries import QUERIES, read_queries
from hybridroute.demo.session import (
    Answer,
    answers,
    demo_bundle,
    requested_share,
    split_of,
    takes_dial,
)
from hybridroute.demo.show import show_answers, show_splits
from hybridroute.edge_runtime.errors import ArmUnavailable, EngineMissing
from hybridroute.routed_text import routed_text


def packaged_prompts():
    held = (files("hybridroute.demo") / "prompts.txt").read_text(encoding="utf-8")
    return [line for line in held.splitlines() if line.strip()]


def answered(arm, **changes):
    decision = Decision(
        arm=arm,
        model=arm,
        reason=changes.get("reason", "score_below_threshold"),
        mode="auto",
        score=0.5,
        score_kind="label",
        threshold=0.6,
        setting_kind="dial",
        dial=0.3,
        calibrated=False,
    )
    return Answer(
        dial=0.3,
        query="What?",
        content=changes.get("content", "That."),
        model=arm,
        first_token_ms=100.0,
        total_ms=250.0,
        decision=decision,
    )


def shown(*given, width=80):
    out = Console(file=io.StringIO(), width=width)
    show_answers(out, iter(given), rows=len(given), dial=0.3, requested=0.7)
    return out.file.getvalue()


def test_the_queries_are_varied_and_none_is_a_packaged_prompt():
    texts = {routed_text(query.messages) for query in QUERIES}
    assert len(texts) == len(QUERIES) >= 12
    assert not texts & set(packaged_prompts())
    assert any(len(query.messages) > 1 for query in QUERIES)


def test_the_packaged_prompts_set_the_shares(tmp_path):
    bundle = write_tiny_bundle(tmp_path / "b")
    own, basis = demo_bundle(bundle, ("one", "another"), threads=1)
    prompts = packaged_prompts()
    assert len(set(prompts)) == len(prompts) >= 80
    assert basis == f"shares measured on {len(prompts)} packaged prompts"
    scores = bundle.scorer(threads=1).score(prompts)
    median = own.manifest.score_quantiles.values[500]
    assert (scores >= median).mean() == pytest.approx(0.5, abs=1 / len(prompts))


def test_a_bundle_of_these_models_is_taken_as_it_is():
    bundle = sdk_bundle()
    models = tuple(arm.model for arm in bundle.manifest.arms)
    assert demo_bundle(bundle, models, threads=1) == (
        bundle,
        f"calibrated: true, for these two models on {bundle.manifest.calibration.n} prompts",
    )


def test_own_queries_are_read(tmp_path):
    path = tmp_path / "q.jsonl"
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two\nlines"},
    ]
    path.write_text(json.dumps({"messages": turns}), encoding="utf-8")
    assert [query.label for query in read_queries(path)] == ["... two lines"]


def test_what_a_dial_asks_for_comes_from_the_calibration_where_there_is_one():
    arms = {"edge": edge_arm(), "cloud": cloud_arm()}
    assert requested_share(HybridClient(sdk_bundle(), **arms), 0.5) == pytest.approx(0.6)
    other = {"edge": edge_arm(model="another"), "cloud": cloud_arm()}
    assert requested_share(HybridClient(sdk_bundle(), **other), 0.3) == pytest.approx(0.7)


def test_on_a_flat_calibration_a_share_stands_for_the_dial():
    flat = sdk_bundle(calibration=calibration(flat=True, flat_reason="the arms are level"))
    client = HybridClient(flat, edge=edge_arm(), cloud=cloud_arm())
    assert requested_share(client, 0.75) == 0.25
    (answer,) = answers(client, [QUERIES[0]], dial=0.75, max_tokens=4)
    assert answer.decision.cost_advantage == 0.25
    assert answer.to_dict()["calibrated"] is True
    assert not takes_dial(client)


def test_the_cost_advantage_counts_the_arm_that_answered():
    split = split_of(
        [answered("edge"), answered("cloud"), answered("edge")], dial=0.3, requested=0.7
    )
    assert split.to_dict() == {
        "dial": 0.3,
        "cost_advantage_requested": 0.7,
        "cost_advantage_measured": pytest.approx(2 / 3),
        "edge": 2,
        "cloud": 1,
        "n": 3,
    }


def test_the_table_holds_every_column_at_80_columns():
    text = shown(answered("edge", content="First\nsecond \x1b[31mwords"))
    assert max(len(line) for line in text.splitlines()) <= 80
    for cell in ("What?", "0.500", "0.600", "edge", "First second", "0.10", "0.25"):
        assert cell in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 60])
def test_a_narrow_terminal_gets_fewer_columns_and_still_sees_query_and_answer(width):
    text = shown(answered("cloud", content="Paris, it is."), width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    for cell in ("query", "What?", "cloud", "first words", "Paris"):
        assert cell in text
    assert ("0.600" in text) is (width == 60)
    assert "total" not in text
    assert "seconds" not in text


def test_the_shares_are_whole_at_40_columns():
    out = Console(file=io.StringIO(), width=40)
    show_splits(out, [split_of([answered("edge")], dial=0.3, requested=0.7)])
    for cell in ("dial", "requested", "measured", "edge", "cloud", "0.3", "70%", "100%"):
        assert cell in out.file.getvalue()


@pytest.mark.parametrize("height", [24, 6])
def test_on_a_terminal_every_row_is_there_in_the_end(height):
    out = Console(file=io.StringIO(), width=80, height=height, force_terminal=True)
    given = [answered("edge", content=f"answer-{n}") for n in range(5)]
    assert show_answers(out, iter(given), rows=5, dial=0.3, requested=0.7) == given
    end = out.file.getvalue()[-1500:]
    assert all(f"answer-{n}" in end for n in range(5))


def test_an_out_of_scope_query_shows_no_score_and_a_note():
    text = shown(answered("cloud", reason="out_of_scope"))
    assert "cloud*" in text
    assert "0.500" not in text
    assert "* out of scope" in text


def test_the_server_is_whichever_is_installed(monkeypatch):
    there = {"llama_cpp", "uvicorn", "fastapi", "sse_starlette", "starlette_context"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in there or None)
    assert stand_in.choose_server() == "llama_cpp.server"
    there.add("xllamacpp")
    assert stand_in.choose_server() == "xllamacpp"
    there.clear()
    with pytest.raises(EngineMissing, match=r"hybridroute\[prebuilt\]"):
        stand_in.choose_server()


def test_a_server_that_cannot_start_says_why(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing more")
    with pytest.raises(ArmUnavailable, match=r"ended before it was ready .*it said: "):
        StandInCloud(str(broken))

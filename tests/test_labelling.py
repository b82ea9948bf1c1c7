"""Responses -> outcome table: sources, order, qualities kept, bad input, disk full."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.answers import answered_prompts
from hybridroute.training.label_sanity import PairFigures, label_warnings
from hybridroute.training.labelling import LabelPlan, label_file
from hybridroute.training.quality import build_qualities
from hybridroute.training.readers import read_canonical


def sampled(id_: str, arm: str, sample: int, response: str | None, **other: object) -> dict:
    held = {"id": id_, "prompt": f"prompt {id_}", "reference": "Paris", "arm": arm, "model": arm}
    held |= {"sample": sample, "seed": 1, "response": response, "finish_reason": "stop"}
    return held | ({"error": "too long"} if response is None else {}) | other


FULL = [
    sampled("q1", "edge", 1, "Paris", domain="recall", cost_usd=0.1),
    sampled("q2", "cloud", 0, "Rome"),
    sampled("q1", "cloud", 0, "It is Paris.", latency_ms=5.0),
    sampled("q1", "edge", 0, "Lyon", domain="recall", cost_usd=0.2),
    sampled("q2", "edge", 0, ""),
    sampled("q1", "cloud", 1, "paris!"),
    sampled("q2", "edge", 1, "Paris"),
    sampled("q2", "cloud", 1, "Paris"),
]


def lines(tmp_path: Path, *held: object, name: str = "responses.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(one) + "\n" for one in held), encoding="utf-8")
    return path


def run(tmp_path: Path, *paths: Path, names=("exact-match",), strict=False, chunk=1024):
    out = tmp_path / "outcomes.jsonl"
    plan = LabelPlan(functions=build_qualities(names), strict=strict, chunk=chunk)
    audit = label_file(answered_prompts(paths), plan, out)
    return read_canonical(out), audit


@pytest.mark.parametrize("chunk", [1, 1024])
def test_scattered_lines_become_one_row_a_prompt(tmp_path, chunk) -> None:
    names = ("exact-match", "contains-reference")
    table, audit = run(tmp_path, lines(tmp_path, *FULL), names=names, chunk=chunk)
    assert [row.id for row in table.rows] == ["q1", "q2"]
    first, second = table.rows
    assert (first.prompt, first.reference) == ("prompt q1", "Paris")
    assert first.arms["edge"].responses == ("Lyon", "Paris")
    assert first.arms["edge"].quality == (0.0, 1.0)
    assert first.arms["edge"].cost_usd == (0.2, 0.1)
    assert first.arms["cloud"].latency_ms is None  # one of two is unknown
    assert first.arms["cloud"].quality == (0.0, 1.0)
    qualities = {"exact-match": [0.0, 1.0], "contains-reference": [1.0, 1.0]}
    assert first.arms["cloud"].extra == {"qualities": qualities}
    assert second.arms["edge"].quality == (0.0, 1.0)
    assert audit.problems() == []
    assert audit.summary()["arms"]["edge"] == {
        "prompts": 2, "responses": 4, "blank": 1, "errors": 0
    }  # fmt: skip


def test_an_outcome_table_gains_a_quality_and_keeps_the_old_ones(tmp_path) -> None:
    old = {"quality": [0.5], "responses": ["Paris"], "qualities": {"judge": [9.0]}, "note": "x"}
    row = {"id": "1", "prompt": "p", "reference": "Paris", "arms": {"a": old}, "from": "me"}
    table, _ = run(tmp_path, lines(tmp_path, row))
    arm = table.rows[0].arms["a"]
    assert arm.quality == (1.0,)
    assert arm.extra["qualities"] == {"exact-match": [1.0], "judge": [9.0], "given": [0.5]}
    assert arm.extra["note"] == "x"
    metric = {"name": "exact-match", "source": "SQuAD (arXiv 1606.05250), exact match"}
    assert table.rows[0].extra == {"from": "me", "metric": metric}
    # Labelled again: replaced, and the main quality of before is known by its name.
    again = tmp_path / "again.jsonl"
    again.write_bytes((tmp_path / "outcomes.jsonl").read_bytes())
    table, _ = run(tmp_path, again, names=("given:judge", "exact-match"))
    arm = table.rows[0].arms["a"]
    assert arm.quality == (9.0,)
    assert table.rows[0].extra["metric"]["name"] == "judge"
    assert arm.extra["qualities"] == {"judge": [9.0], "exact-match": [1.0], "given": [0.5]}


def test_mixinstruct_keeps_its_scores(tmp_path) -> None:
    answers = [
        {"model": "m", "decoding_method": "x", "text": "Hello", "scores": {"bleu": 3.0}},
        {"model": "n", "decoding_method": "x", "text": "Bye", "scores": {"bleu": 1.0, "rouge1": 2}},
    ]
    row = {"id": "s/1", "instruction": "Say hello", "input": "", "output": "hello"}
    path = lines(tmp_path, row | {"candidates": answers, "cmp_results": "null"})
    table, _ = run(tmp_path, path, names=("given:bleu", "exact-match"))
    arms = table.rows[0].arms
    assert (arms["m"].quality, arms["n"].quality) == ((3.0,), (1.0,))
    assert arms["n"].extra["qualities"]["rouge1"] == [2.0]
    with pytest.raises(DataError, match=r"line 1 \(id 's/1', arm 'm', .*scores\.bartscore is mis"):
        run(tmp_path, path, names=("given:bartscore",))


def test_a_missing_arm_and_unequal_counts_are_told_or_refused(tmp_path) -> None:
    held = [line for line in FULL if (line["id"], line["arm"]) != ("q2", "cloud")]
    extra = sampled("q2", "edge", 2, "x")
    path = lines(tmp_path, *held, extra)
    table, audit = run(tmp_path, path)
    assert "cloud" not in table.rows[1].arms
    missing, unequal = audit.problems()[1], audit.problems()[0]
    assert "arm 'cloud' has no response for 1 of 2 prompts (first: " in missing
    assert "responses.jsonl line 4)" in missing
    assert "arm 'edge' has unequal numbers of samples (prompts x samples: 1 x 2, 1 x 3" in unequal
    (tmp_path / "outcomes.jsonl").unlink()
    with pytest.raises(DataError, match="no response for 1 of 2 prompts.*leave out --strict"):
        run(tmp_path, path, strict=True)
    kept = ["outcomes.jsonl.partial", "responses.jsonl"]
    assert sorted(one.name for one in tmp_path.iterdir()) == kept
    again, audit = run(tmp_path, path)
    assert (again, audit.taken_up) == (table, 2)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["outcomes.jsonl", "responses.jsonl"]


def test_an_arm_that_comes_late_is_missing_from_the_start(tmp_path) -> None:
    late = [sampled("q1", "edge", 0, "a"), sampled("q2", "edge", 0, "b")]
    path = lines(tmp_path, *late, sampled("q2", "cloud", 0, "c"))
    _, audit = run(tmp_path, path)
    assert "'cloud' has no response for 1 of 2 prompts (first: " in audit.problems()[0]
    assert "line 1)" in audit.problems()[0]


def test_samples_that_failed_are_counted_and_are_no_quality(tmp_path) -> None:
    held = [sampled("q1", "edge", 0, None), sampled("q2", "edge", 0, "Paris")]
    table, audit = run(tmp_path, lines(tmp_path, *held))
    assert [row.id for row in table.rows] == ["q2"]
    assert audit.summary()["arms"]["edge"]["errors"] == 1
    assert audit.summary()["unanswered"] == 1
    assert "1 of 2 prompts have no response at all" in audit.problems()[0]
    with pytest.raises(DataError, match="no response to label"):
        run(tmp_path, lines(tmp_path, held[0]))


def outcome(id_: str = "1", prompt: str = "p", **arm: object) -> dict:
    held = {"quality": [1.0], "responses": ["x"]} | arm
    return {"id": id_, "prompt": prompt, "reference": "x", "arms": {"a": held}}


def test_one_id_with_other_content_is_refused_and_a_repetition_counted(tmp_path) -> None:
    one, other = lines(tmp_path, outcome(), name="a.jsonl"), lines(tmp_path, outcome(prompt="q"))
    with pytest.raises(DataError, match=r"line 1: id '1' stands at .*a\.jsonl line 1 already with"):
        run(tmp_path, one, other)
    table, audit = run(tmp_path, one, lines(tmp_path, outcome(), name="b.jsonl"))
    assert len(table) == 1
    assert audit.summary()["repeated"] == 1


def test_a_missing_reference_names_file_line_id_and_arm(tmp_path) -> None:
    bare = sampled("q3", "edge", 0, "x")
    del bare["reference"]
    wanted = r"responses\.jsonl line 9 \(id 'q3', arm 'edge', sample 0\): reference is missing"
    with pytest.raises(DataError, match=wanted):
        run(tmp_path, lines(tmp_path, *FULL, bare))
    assert not (tmp_path / "outcomes.jsonl").exists()


def test_a_quality_that_is_not_finite_is_refused(tmp_path) -> None:
    (tmp_path / "odd.py").write_text(
        "def judge(query, response, reference):\n    return float('inf')\n"
    )
    with pytest.raises(DataError, match=r"line 1 \(id 'q1', arm 'edge', sample 0\): judge is inf"):
        run(tmp_path, lines(tmp_path, *FULL), names=(f"{tmp_path / 'odd.py'}:judge",))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (outcome(responses=None), r"arms\.a\.responses is missing"),
        (outcome(qualities=[1]), r"arms\.a\.qualities is a list"),
        (outcome(qualities={"x": [1, 2]}), r"qualities\.x must be a list of 1 numbers"),
        (outcome(qualities={"x": ["1"]}), r"qualities\.x\[0\] is a str"),
        (outcome(quality=[float("nan")]), r"quality\[0\] is nan"),
    ],
)
def test_a_bad_outcome_names_file_line_and_field(tmp_path, row, says) -> None:
    with pytest.raises(DataError, match=rf"responses\.jsonl line 2: .*{says}"):
        run(tmp_path, lines(tmp_path, outcome("0"), row))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{}\n", "none of the keys arm"),
        (b"", "not a JSON object"),
        (b"\xff\xfe{\n", "not a JSON object"),
        ('{"id": "1", "prompt": "caf\u00e9", "arms": {}}'.encode("latin-1"), "not a JSON object"),
    ],
)
def test_a_file_of_no_known_kind_is_refused(tmp_path, content, says) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.jsonl line 1: .*{says}"):
        run(tmp_path, path)


def test_files_must_be_there_once(tmp_path) -> None:
    path = lines(tmp_path, *FULL)
    with pytest.raises(DataError, match="named twice"):
        run(tmp_path, path, path)
    with pytest.raises(DataError, match="cannot be read"):
        run(tmp_path, tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="no files"):
        run(tmp_path)
    with pytest.raises(ConfigError, match="at least one"):
        LabelPlan(functions=())


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
from pathlib import Path
from hybridroute.training.answers import answered_prompts
from hybridroute.training.labelling import LabelPlan, label_file
from hybridroute.training.quality import build_qualities
from hybridroute.edge_runtime.errors import DataError
plan = LabelPlan(functions=build_qualities(["exact-match"]))
try:
    label_file(answered_prompts([Path("responses.jsonl")]), plan, Path("outcomes.jsonl"))
except DataError as exc:
    print(exc)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on file sizes here")
def test_a_disk_that_fills_leaves_nothing_behind(tmp_path) -> None:
    """A limit on the size of a file stands in for the disk: the write fails in the same way."""
    lines(tmp_path, *(sampled(f"q{n}", "edge", 0, "x" * 4000) for n in range(9)))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("outcomes.jsonl.partial cannot be written (File too large); free")
    assert [one.name for one in tmp_path.iterdir()] == ["responses.jsonl"]


def figures(*rows: tuple[list[float], list[float], str]) -> dict:
    held = PairFigures("e", "c")
    for number, (edge, cloud, domain) in enumerate(rows):
        arms = {"e": {"quality": edge}, "c": {"quality": cloud}}
        from hybridroute.training.readers.canonical import parse_outcome

        held.add(parse_outcome({"id": str(number), "prompt": "p", "domain": domain, "arms": arms}))
    return held.summary()


def test_sanity_figures_by_hand() -> None:
    found = figures(([1.0, 0.0], [0.0, 0.5], "a"), ([0.2], [0.6], "b"), ([3.0], [0.0], "b"))
    assert found["n"] == 3
    assert not found["binary"]
    # Pr[H >= 0]: (1, 1, 0 of .5, and 0 >= 0) 3/4; 0; 1
    assert found["prob"]["share_zero"] == pytest.approx(1 / 3)
    assert found["prob"]["share_one"] == pytest.approx(1 / 3)
    assert found["prob"]["gini_after"] == pytest.approx(2 * (0.75 + 1.0 + 0.25) / 9)
    first = found["domains"][0]
    assert (first["domain"], first["edge_wins"], first["ties"]) == ("a", 0.5, 0.25)
    assert [row["domain"] for row in found["domains"]] == ["a", "b", "all"]
    assert found["domains"][1]["edge_quality"] == pytest.approx(1.6)
    assert found["trans"]["t_star"] == max(found["trans"]["curve"], key=lambda at: at[1])[0]


def test_a_binary_quality_is_told() -> None:
    found = figures(([1.0], [0.0], "a"), ([0.0], [1.0], "a"))
    assert found["binary"]
    said = label_warnings(found)
    assert said[0] == "q takes two values only: trans equals prob on these rows"
    assert any("t* = 0" in one for one in said)


def test_a_pair_that_no_row_has_is_refused() -> None:
    with pytest.raises(DataError, match="no prompt has responses of both 'e' and 'c'"):
        PairFigures("e", "c").summary()
    with pytest.raises(DataError, match="both 'e'"):
        PairFigures("e", "e")

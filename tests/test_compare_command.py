"""``hybridroute compare`` from the outside, on a RouterEval pickle that brings its embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_run import run
from routereval_file import routereval_dict, write_routereval
from tiny_encoder import EASY, HARD, tiny_bert

from hybridroute.edge_runtime.bundle import Bundle

HIDDEN = ("torch", "transformers")


@pytest.fixture
def pickle(tmp_path: Path) -> str:
    """Its name; it lies in the folder of the test."""
    path = tmp_path / "arc_router_dataset.pkl"
    return write_routereval(path, routereval_dict(prompts=False)).name


def test_one_json_document_with_an_entry_for_each(pickle: str, tmp_path: Path) -> None:
    """And a report; no encoder is loaded, since none is needed."""
    given = ("--outcomes", pickle, "--estimators", "knn,ridge", "--estimator", "random")
    done = run(
        "compare", *given, "--seeds", "2", "--report", "out", "--json", cwd=tmp_path, without=HIDDEN
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {one["name"] for one in found["estimators"]} == {"knn", "ridge", "random"}
    for one in found["estimators"]:
        assert {"quality", "effective_p", "ci95", "fit_s", "route_ms"} <= one.keys()
        assert len(one["ci95"]) == 2
    assert Path(found["report"]) == Path("out/compare.html")
    assert (tmp_path / "out" / "compare.html").is_file()


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--estimators", "oak"), 2, "there is no estimator 'oak'"),
        (("--arms", "org/model-0"), 1, "name two or more different ones"),
        (("--pool", "4/all_weak"), 2, "RouterEval has no pool of 4 models"),
        (("--cost", "org/model-0"), 2, "NAME=USD"),
        (("--cost", "org/model-0=much"), 2, "'much' is not a number"),
        (("--cost", "org/model-0=nan"), 2, "give a finite number"),
        (("--cost", "org/model-0=-1"), 2, "the cost of 'org/model-0' is -1.0; it must be at least"),
        (("--cost", "tiny=1"), 1, "a cost is given for 'tiny'"),
        (("--max-tokens", "99999999"), 2, "must be at least 8 and at most 512"),
        (("--reference", "nan"), 2, "is not a mean quality"),
        (("--seeds", "0"), 2, "--seeds"),
        (("another.csv",), 2, "stands alone"),
        (("--save", "bundle"), 2, "a bundle needs outcomes with prompts"),
    ],
)
def test_what_is_wrong_is_one_line(
    pickle: str, tmp_path: Path, more: tuple[str, ...], code: int, said: str
) -> None:
    done = run("compare", "--outcomes", pickle, *more, cwd=tmp_path, without=HIDDEN)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_fine_tuned_estimator_is_left_out_where_there_are_no_texts(
    pickle: str, tmp_path: Path
) -> None:
    given = ("--outcomes", pickle, "--estimators", "random,deberta", "--seeds", "1", "--json")
    done = run("compare", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["estimators"]] == ["random"]
    assert "embeddings alone" in found["protocol"]["notes"][0]


def rows_of(arm: str, n: int = 150) -> str:
    """One arm's outcomes in a file of its own: ``poet`` is good at greetings, ``prover`` at proofs,
    ``sage`` at both."""
    lines = []
    for at in range(n):
        word = EASY if at % 2 else HARD
        good = {"poet": at % 2, "prover": 1 - at % 2, "sage": 1}[arm]
        held = {"quality": float(good if at % 7 else 1 - good), "cost_usd": 0.02}
        prompt = f"{word} {word} number {at}"
        lines.append(json.dumps({"id": f"{arm}-{at}", "prompt": prompt, "arms": {arm: held}}))
    return "\n".join(lines)


def test_from_one_file_an_arm_to_a_bundle_that_is_judged(tmp_path: Path) -> None:
    """Texts, encoder, stated prices, page, and the winner's own settings in its bundle."""
    encoder = tiny_bert(tmp_path / "encoder")
    for arm in ("poet", "prover", "sage"):
        (tmp_path / f"{arm}.jsonl").write_text(rows_of(arm))
    files = ("poet.jsonl", "prover.jsonl", "sage.jsonl")
    asked = ("--estimators", "knn", "--seeds", "3", "--encoder", str(encoder), "--max-tokens", "32")
    priced = ("--cost", "poet=0.001", "--cost", "prover=0.002")
    cache = str(tmp_path / "cache")
    given = ("compare", "--outcomes", *files, *asked, *priced, "--save", "bundle", "--json")
    done = run(*given, cwd=tmp_path, HYBRIDROUTE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["protocol"]["objective"] == "aiq"
    (knn,) = found["estimators"]
    assert knn["route_ms"] > 0.0
    assert {arm["name"]: round(arm["cost"], 3) for arm in found["arms"]} == {
        "poet": 0.001,
        "prover": 0.002,
        "sage": 0.02,
    }
    bundle = Bundle.load(Path(tmp_path / found["bundle"]))
    assert bundle.manifest.pool is not None
    usual = max(set(knn["setting"]), key=knn["setting"].count)
    assert bundle.manifest.pool.estimator == usual.replace("k ", "knn-")
    judged = run("evaluate", "--bundle", "bundle", "--outcomes", *files, "--json", cwd=tmp_path)
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout)["n_seen_in_training"] > 0


def test_what_the_devices_tokenizer_cannot_read_is_counted(tmp_path: Path) -> None:
    encoder = tiny_bert(tmp_path / "encoder")
    rows = [
        json.dumps(
            {
                "id": str(at),
                "prompt": f"word {at}" if at % 4 else f"这是什么东西{at}",
                "arms": {"a": {"quality": at % 2}, "b": {"quality": 1}},
            }
        )
        for at in range(80)
    ]
    (tmp_path / "some.jsonl").write_text("\n".join(rows), encoding="utf-8")
    done = run(
        *("compare", "--outcomes", "some.jsonl", "--estimators", "random", "--seeds", "5"),
        *("--encoder", str(encoder), "--max-tokens", "16", "--json"),
        cwd=tmp_path,
        HYBRIDROUTE_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["protocol"]["n_out_of_scope"] == 20
    assert found["protocol"]["unknown_token_limit"] == 0.3
    (random,) = found["estimators"]
    assert random["quality"] < random["served_quality"] < 1.0


def test_what_was_found_is_told_where_the_bundle_cannot_be_made(tmp_path: Path) -> None:
    encoder = tiny_bert(tmp_path / "encoder")
    rows = [
        json.dumps(
            {
                "id": str(at),
                "prompt": f"word {at}",
                "arms": {"a": {"quality": 1}, "b": {"quality": 1}},
            }
        )
        for at in range(80)
    ]
    (tmp_path / "equal.jsonl").write_text("\n".join(rows))
    done = run(
        *("compare", "--outcomes", "equal.jsonl", "--estimators", "length", "--seeds", "3"),
        *("--encoder", str(encoder), "--max-tokens", "16", "--save", "bundle", "--json"),
        cwd=tmp_path,
        HYBRIDROUTE_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["winner"] == "length"
    assert "nothing to learn" in done.stderr

"""``hybridroute compare`` from the outside, on a RouterEval pickle that brings its embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_run import run
from routereval_file import routereval_dict, write_routereval

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
        (("--estimators", "oak"), 1, "there is no estimator 'oak'"),
        (("--arms", "org/model-0"), 1, "name two or more different ones"),
        (("--pool", "4/all_weak"), 1, "RouterEval has no pool of 4 models"),
        (("--cost", "org/model-0"), 2, "NAME=USD"),
        (("--cost", "org/model-0=much"), 2, "is not ARM=USD"),
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

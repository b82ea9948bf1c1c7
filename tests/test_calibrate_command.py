"""``hybridroute calibrate --outcomes``: what is printed, written and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import CalibratedArm, Manifest
from hybridroute.promise import Promise
from hybridroute.routed_text import prompt_hash
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.promise.bundle_rows import bundle_rows
from hybridroute.training.promise.outcomes import QualityRange
from hybridroute.training.readers import write_canonical
from hybridroute.training.recalibrate import with_promises

ARMS = (CalibratedArm(name="edge", model="small"), CalibratedArm(name="cloud", model="large"))
WORDS = {"easy": 12.0, "hard": -12.0}


def prompt(number: int) -> str:
    easy = number % 21
    return f"{'easy ' * easy}{'hard ' * (20 - easy)}number {number}"


def rows(n: int = 400, scale: float = 1.0, seed: int = 0) -> OutcomeTable:
    """The edge is right where the text is easy; the cloud nearly always."""
    draw = np.random.default_rng(seed)
    held = []
    for number in range(n):
        easy = number % 21
        edge = float(easy > 15 or draw.random() < 0.2 + 0.75 * easy / 20)
        cloud = float(easy > 15 or draw.random() < 0.95)
        arms = {
            name: ArmOutcome(quality=(scale * value,))
            for name, value in (("small", edge), ("large", cloud))
        }
        held.append(Outcome(id=str(number), prompt=prompt(number), arms=arms))
    return OutcomeTable(rows=tuple(held), source="made up")


@pytest.fixture
def tiny(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "tiny", arms=ARMS, weights=WORDS)


def calibrated(tmp_path: Path, *arguments: str, table: OutcomeTable | None = None):
    write_canonical(rows() if table is None else table, tmp_path / "mine.jsonl")
    return run(
        *("calibrate", "--bundle", "tiny", "--outcomes", "mine.jsonl", "--out", "new"),
        *arguments,
        cwd=tmp_path,
    )


def test_it_prints_what_holds_and_writes_it_into_the_bundle(tiny: Bundle, tmp_path: Path) -> None:
    names = ("--edge", "small", "--cloud", "large")
    done = calibrated(tmp_path, *names, "--max-drop", "0.05", "--confidence", "0.9", "--json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert body["feasible"] is True
    assert 0.05 < body["cost_advantage"] < 0.6
    assert body["drop"] < body["drop_bound"] <= 0.05
    assert (body["n"], body["n_seen_in_training"], body["needed_n"]) == (400, 0, None)
    made = Bundle.load(tmp_path / "new").manifest
    assert made.promises is not None
    assert made.promises.dial is not None
    assert len(made.promises.dial.bounds) == GRID + 1
    active = ThresholdPolicy(made, ("small", "large")).activate(
        Setting(promise=Promise(max_drop=0.05))
    )
    assert active.threshold == body["threshold"]
    assert Manifest.from_json(made.to_json()) == made


def test_a_promise_is_asked_for_on_the_command_line(tiny: Bundle, tmp_path: Path) -> None:
    def routed(*asked: str, bundle: str = "new", **variables: str):
        names = ("--edge", "small", "--cloud-model", "large", "--cloud-key-env", "")
        found = ("route", "--json", "easy easy", "--bundle", bundle, *names, *asked)
        return run(*found, cwd=tmp_path, **variables)

    asked = ("--max-drop", "0.05")
    assert calibrated(tmp_path, *asked, "--json").returncode == 0
    done = routed(*asked, "--confidence", "0.9")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["setting_kind"], body["dial"]) == ("promise", None)
    assert body["promise"] == body["expectation"]["promise"]
    assert (body["promise"]["max_drop"], body["promise"]["n"]) == (0.05, 400)
    variables = {"HYBRIDROUTE_ROUTER_MAX_DROP": "0.05", "HYBRIDROUTE_ROUTER_CONFIDENCE": "0.95"}
    assert json.loads(routed(**variables).stdout)["promise"]["confidence"] == 0.95
    for refused, code, said in (
        (routed(*asked, bundle="tiny"), 1, "the bundle holds no promises"),
        (routed("--max-drop", "0.001"), 1, "no promise as strict"),
        (routed(*asked, "--dial", "0.5"), 2, "give one of them"),
        (routed("--confidence", "0.9"), 2, "give --max-drop too"),
    ):
        assert refused.returncode == code
        assert said in refused.stderr


def test_every_dial_setting_has_a_point_value_and_a_bound(tiny: Bundle, tmp_path: Path) -> None:
    assert calibrated(tmp_path, "--json").returncode == 0
    manifest = Bundle.load(tmp_path / "new").manifest
    assert manifest.promises is not None
    assert manifest.calibration is not None
    dial, table = manifest.promises.dial, manifest.calibration.dial
    assert dial is not None
    assert dial.cost_advantage == pytest.approx(
        [1 - share for share in table.cloud_share], abs=1e-5
    )
    top = manifest.calibration.cloud_quality
    assert dial.drop == pytest.approx([top - quality for quality in table.quality], abs=1e-5)
    bounds = [2.0 if bound is None else bound for bound in dial.bounds]
    assert bounds == sorted(bounds, reverse=True)
    assert all(bound > drop for bound, drop in zip(bounds, dial.drop, strict=True) if bound)


def test_too_few_outcomes_exit_1_with_the_number_needed(tiny: Bundle, tmp_path: Path) -> None:
    done = calibrated(tmp_path, "--max-drop", "0.01", "--json", table=rows(80))
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert body["feasible"] is False
    assert body["needed_n"] > 300
    assert "80 outcomes do not support" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--max-drop", "1.5"), 2, "1.5 is given; it must be above 0 and below 1"),
        (("--max-drop", "0"), 2, "0 is given; it must be above 0 and below 1"),
        (("--max-drop", "nan"), 2, "nan is given"),
        (("--max-drop", "0.05", "--confidence", "1"), 2, "1 is given; it must be above 0 and"),
        (("--max-drop", "0.05", "--quality-range", "1,0"), 2, "low < high"),
        (("--max-drop", "0.05", "--quality-range", "0,nan"), 2, "low < high"),
        (("--max-drop", "0.05", "--quality-range", "0,1e300"), 2, "at most 1e+09 in size"),
        (("--max-drop", "0.05", "--quality-range", "wide"), 2, "LOW,HIGH"),
        (("--max-drop", "0.05", "--drop-kind", "total"), 2, "--drop-kind"),
        (("--edge", "other"), 1, "'other'"),
    ],
)
def test_bad_options(
    tiny: Bundle, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = calibrated(tmp_path, *arguments)
    assert done.returncode == code
    assert said in " ".join(done.stderr.split())


def test_outcomes_or_prompts(tiny: Bundle, tmp_path: Path) -> None:
    done = run("calibrate", "--bundle", "tiny", cwd=tmp_path)
    assert done.returncode == 2
    assert "--outcomes (labelled)" in " ".join(done.stderr.split())


def test_unbounded_qualities_need_a_stated_range(tiny: Bundle, tmp_path: Path) -> None:
    table = rows(scale=-3.0)
    done = calibrated(tmp_path, "--max-drop", "0.15", table=table)
    assert done.returncode == 1
    assert "--quality-range LOW,HIGH" in done.stderr
    ranged = calibrated(
        tmp_path, "--max-drop", "0.15", "--quality-range=-3,0", "--json", table=table
    )
    assert ranged.returncode == 0, ranged.stderr
    assert json.loads(ranged.stdout)["feasible"] is True


def test_another_pair_takes_over_arms_and_dial(tiny: Bundle, tmp_path: Path) -> None:
    names = ("--edge", "large", "--cloud", "small")
    done = calibrated(tmp_path, *names, "--json")
    assert done.returncode == 0, done.stderr
    made = Bundle.load(tmp_path / "new")
    assert made.model_names == ("large", "small")
    assert made.manifest.calibration is not None
    assert made.manifest.calibration.n == 400


def test_rows_seen_in_training_are_left_out_and_counted(tmp_path: Path) -> None:
    seen = [prompt_hash(prompt(number)) for number in range(0, 400, 4)]
    bundle = write_tiny_bundle(
        tmp_path / "tiny", arms=ARMS, weights=WORDS, training_hashes=sorted(seen)
    )
    held = bundle_rows(bundle, rows(), "small", "large", quality_range=QualityRange())
    assert (held.seen, held.rows.n) == (100, 300)
    assert not set(held.table.prompt_hashes()) & set(seen)
    with pytest.raises(DataError, match=r"1 of 81 .* used \(80 were seen in training\)"):
        few = rows(321).select([*range(0, 320, 4), 1])
        bundle_rows(bundle, few, "small", "large", quality_range=QualityRange())


def test_scores_are_mapped_on_other_rows_than_promises_stand_on(
    tiny: Bundle, tmp_path: Path
) -> None:
    table = rows(1000)
    done = calibrated(tmp_path, "--map-scores", "--max-drop", "0.05", "--json", table=table)
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert body["n"] == 800
    found = body["probability_map"]
    assert found["kind"] in ("temperature", "isotonic")
    assert found["measured"]["n"] == 800
    assert found["measured"]["ece_after"] < found["measured"]["ece_before"]
    made = Bundle.load(tmp_path / "new")
    held = bundle_rows(made, table, "small", "large", quality_range=QualityRange())
    assert made.manifest.probability_map is not None
    on_edge = held.rows.scores[200:] >= body["threshold"]
    assert on_edge.mean() == pytest.approx(body["cost_advantage"])
    again = run(
        *("calibrate", "--bundle", "new", "--outcomes", "mine.jsonl", "--map-scores", "--json"),
        *("--out", "again"),
        cwd=tmp_path,
    )
    assert again.returncode == 0, again.stderr
    twice = Bundle.load(tmp_path / "again").manifest.probability_map
    assert twice is not None
    assert twice.scores == made.manifest.probability_map.scores


def test_gap_scores_claim_no_probability_and_are_not_mapped(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", arms=ARMS, weights=WORDS, score_kind="gap")
    done = calibrated(tmp_path, "--map-scores")
    assert done.returncode == 1
    assert "of kind 'gap', which claims no probability" in done.stderr


def test_what_the_router_cannot_read_is_the_clouds(tiny: Bundle) -> None:
    strange = Outcome(
        id="x",
        prompt="这是什么东西",
        arms={"small": ArmOutcome(quality=(0.0,)), "large": ArmOutcome(quality=(1.0,))},
    )
    table = OutcomeTable(rows=(*rows(20).rows, strange), source="made up")
    held = bundle_rows(tiny, table, "small", "large", quality_range=QualityRange())
    assert held.out_of_scope == 1
    at = held.table.texts().index("这是什么东西")
    assert (held.rows.scores[at], held.rows.loss[at]) == (0.0, 0.0)
    np.testing.assert_array_equal(held.rows.outside, held.outside)
    assert held.outside.tolist() == [text == "这是什么东西" for text in held.table.texts()]
    turned = bundle_rows(tiny, table, "large", "small", quality_range=QualityRange())
    made = with_promises(tiny, turned, "large", "small", []).manifest.calibration
    assert made is not None
    assert made.dial.cloud_share[0] == pytest.approx(1 / 21)
    assert made.source == "21 outcomes of made up, 1 of them out of scope"


def test_a_person_reads_a_table(tiny: Bundle, tmp_path: Path) -> None:
    done = calibrated(tmp_path, "--max-drop", "0.05")
    assert done.returncode == 0, done.stderr
    assert "stay on the edge" in done.stdout
    assert "The new bundle is in new" in done.stdout

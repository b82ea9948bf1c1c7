"""One more arm in a bundle: the others stay bit for bit, and it is estimated from few outcomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_run import run
from test_pool_train import plan, table
from tiny_bundle import write_tiny_bundle
from tiny_encoder import EASY, HARD, tiny_bert

from hybridroute.edge_runtime.bundle import MODEL, Bundle
from hybridroute.edge_runtime.errors import BundleError, ConfigError, DataError
from hybridroute.pool_policy import PoolPolicy
from hybridroute.routed_text import prompt_hash
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.pool.add_arm import NewArm, add_arm
from hybridroute.training.pool.new_bundle import FITTED_QUALITY
from hybridroute.training.pool.train import train_pool
from hybridroute.training.rows_seen import CALIBRATION_HASHES

TEXTS = [f"{EASY} the sea", f"{HARD} the king {HARD}", "music", "a"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """Poet, prover and sage by ridge."""
    place = tmp_path_factory.mktemp("pool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYBRIDROUTE_CACHE", str(place / "cache"))
        encoder = str(tiny_bert(place / "encoder"))
        yield train_pool(plan(encoder, place / "bundle", table(missing=0.1)))[0]


def with_scholar(n: int = 200, *, cost: float | None = 0.005, others: bool = False) -> OutcomeTable:
    """A scholar who proves everything and cannot greet."""
    rows = []
    for row in table(2 * n + 40).rows[-n:]:
        right = float(row.prompt.startswith(HARD))  # type: ignore[union-attr]
        held = {"scholar": ArmOutcome(quality=(right,), cost_usd=None if cost is None else (cost,))}
        rows.append(replace(row, arms={**(row.arms if others else {}), **held}))
    return OutcomeTable(rows=tuple(rows), source="scholar")


def columns(bundle: Bundle) -> dict[str, list[float]]:
    pool = bundle.manifest.pool
    assert pool is not None
    estimates, uncertainties = bundle.scorer().estimate(TEXTS)
    assert uncertainties is not None
    names = [arm.name for arm in pool.arms]
    return {name: [*estimates[:, at], *uncertainties[:, at]] for at, name in enumerate(names)}


@pytest.mark.parametrize("others", [True, False])
def test_an_arm_is_added_and_the_others_stay_bit_for_bit(
    bundle: Bundle, tmp_path: Path, others: bool
) -> None:
    outcomes = with_scholar(others=others)
    fresh, facts = add_arm(bundle, outcomes, NewArm(name="scholar", model="m"), tmp_path / "b")
    pool = Bundle.load(tmp_path / "b").manifest.pool
    assert pool is not None
    assert [arm.name for arm in pool.arms] == ["poet", "prover", "scholar", "sage"]
    assert (pool.arms[2].model, pool.arms[2].base_usd) == ("m", pytest.approx(0.005))
    before, after = columns(bundle), columns(fresh)
    assert all(after[name] == before[name] for name in before)
    easy, hard = after["scholar"][:2]
    assert hard > 0.8
    assert easy < 0.2
    assert facts["outcomes"] == 200
    # Without outcomes of the others on the same rows nothing is claimed of choices.
    assert pool.flat is not others
    assert bool(pool.dial.quality) is others
    assert (facts["judged_on"] > 0) is others
    assert "scholar" in pool.source
    assert set(bundle.manifest.training_hashes) < set(fresh.manifest.training_hashes)
    # The new tables stand on the rows given, and the new arm was not fitted on the earlier ones.
    assert set(fresh.manifest.training[CALIBRATION_HASHES]) <= set(outcomes.prompt_hashes())
    assert FITTED_QUALITY not in fresh.manifest.training
    vector = fresh.manifest.golden[0]
    assert fresh.scorer().assess(vector.text).estimates == pytest.approx(vector.estimates)
    assert "| scholar | m |" in (tmp_path / "b" / "README.md").read_text()


def test_an_arm_is_replaced_again_and_again(bundle: Bundle, tmp_path: Path) -> None:
    outcomes = with_scholar()
    once, _ = add_arm(bundle, outcomes, NewArm(name="scholar", model="m"), tmp_path / "once")
    turned = [
        replace(row, arms={"scholar": ArmOutcome(quality=(1.0 - row.arms["scholar"].quality[0],))})
        for row in outcomes.rows
    ]
    other = OutcomeTable(rows=tuple(turned), source="turned")
    arm = NewArm(name="scholar", model="m2", usd=0.5)
    twice, _ = add_arm(once, other, arm, tmp_path / "twice")
    pool = twice.manifest.pool
    assert pool is not None
    assert [held.name for held in pool.arms] == ["poet", "prover", "sage", "scholar"]
    found = columns(twice)
    assert found["scholar"][0] > 0.8
    assert found["scholar"][1] < 0.2
    assert all(found[name] == held for name, held in columns(bundle).items())
    assert len(twice.manifest.training["added_arms"]) == 2


def noise(arms: dict[str, float], *, first: int, n: int = 300, seed: int = 0) -> OutcomeTable:
    """Every arm is right half the time, whatever is asked."""
    draw = np.random.default_rng(seed)
    words = ["music", "the", "sea", "a", "king", EASY, HARD]
    rows = []
    for at in range(first, first + n):
        held = {
            name: ArmOutcome(quality=(float(draw.random() < 0.5),), cost_usd=(cost,))
            for name, cost in arms.items()
        }
        text = " ".join(draw.choice(words, 6))
        rows.append(Outcome(id=str(at), prompt=f"{text} {at}", arms=held))
    return OutcomeTable(rows=tuple(rows), source="noise")


@pytest.mark.parametrize("together", [True, False])
def test_of_noise_no_gain_is_claimed(tmp_path: Path, together: bool) -> None:
    costs = {"a": 0.001, "b": 0.002, "c": 0.004, "d": 0.008}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYBRIDROUTE_CACHE", str(tmp_path / "cache"))
        encoder = str(tiny_bert(tmp_path / "encoder"))
        made, _ = train_pool(plan(encoder, tmp_path / "b", noise(costs, first=0), "knn-50"))
    arms = {**(costs if together else {}), "n": 0.003}
    given = noise(arms, first=1000, seed=1)
    fresh, _ = add_arm(made, given, NewArm(name="n", model="n"), tmp_path / "fresh")
    pool = fresh.manifest.pool
    assert pool is not None
    assert pool.flat
    policy = PoolPolicy(pool, "quality", {arm.name: arm.model for arm in pool.arms})
    expected = policy.expect(policy.default)
    assert expected.cost_usd == pytest.approx(pool.advantage.cost_usd[0])
    if together:
        assert expected.quality == pytest.approx(0.5, abs=0.08)
    else:
        assert (expected.quality, expected.quality_drop) == (None, None)
        assert "nobody has judged" in str(expected.reason)
        assert "0 of a, 0 of b, 0 of c and too few of 1 more" in str(expected.reason)
    assert all(arm.quality == pytest.approx(0.5, abs=0.15) for arm in pool.arms)


def test_rows_that_the_router_was_fitted_on_judge_nothing(bundle: Bundle, tmp_path: Path) -> None:
    fitted = set(bundle.manifest.training_hashes)
    rows = [
        replace(row, arms={**row.arms, "twin": row.arms["sage"]})
        for row in table().rows
        if prompt_hash(row.text) in fitted
    ]
    given = OutcomeTable(rows=tuple(rows), source="seen")
    fresh, facts = add_arm(bundle, given, NewArm(name="twin", model="m"), tmp_path / "b")
    pool = fresh.manifest.pool
    assert pool is not None
    assert "the 0 that the router was not fitted on" in str(pool.flat_reason)
    assert facts["judged_on"] == 0


def test_equal_outcomes_and_those_outside_0_and_1_are_added(bundle: Bundle, tmp_path: Path) -> None:
    for name, quality in (("level", lambda _: 0.7), ("wide", lambda right: 100.0 * right - 300.0)):
        rows = [
            replace(row, arms={**row.arms, name: ArmOutcome(quality=(quality(at % 2),))})
            for at, row in enumerate(table(480).rows[240:])
        ]
        given = OutcomeTable(rows=tuple(rows), source=name)
        fresh, _ = add_arm(bundle, given, NewArm(name=name, model="m", usd=0.01), tmp_path / name)
        pool = fresh.manifest.pool
        assert pool is not None
        held = next(arm for arm in pool.arms if arm.name == name)
        assert held.quality == pytest.approx(0.7 if name == "level" else -250.0)
        means = columns(fresh)[name][: len(TEXTS)]
        if name == "level":
            assert means == pytest.approx([0.7] * len(TEXTS), abs=1e-3)
        else:
            assert max(means) < -150.0
            assert np.diff(pool.dial.quality).min() >= 0.0


def test_of_conflicting_duplicates_the_first_counts(bundle: Bundle, tmp_path: Path) -> None:
    once = with_scholar()
    turned = [
        replace(row, id=f"{row.id}b", arms={"scholar": replace(row.arms["scholar"], quality=(q,))})
        for row in once.rows
        for q in (1.0 - row.arms["scholar"].quality[0],)
    ]
    both = OutcomeTable(rows=(*once.rows, *turned), source="both")
    arm = NewArm(name="scholar", model="m")
    first, _ = add_arm(bundle, once, arm, tmp_path / "once")
    again, facts = add_arm(bundle, both, arm, tmp_path / "both")
    assert facts["outcomes"] == 200
    assert (facts["duplicates"], facts["conflicting_duplicates"]) == (200, 200)
    assert columns(again) == columns(first)


def test_what_cannot_be_added_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    arm, out = NewArm(name="scholar", model="m"), tmp_path / "b"
    with pytest.raises(DataError, match="no arm 'scholar'"):
        add_arm(bundle, table(), arm, out)
    with pytest.raises(DataError, match="10 outcomes of 'scholar'"):
        add_arm(bundle, with_scholar(10), arm, out)
    with pytest.raises(ConfigError, match="'scholar' has no cost"):
        add_arm(bundle, with_scholar(cost=None), arm, out)
    with pytest.raises(BundleError, match="two arms"):
        add_arm(write_tiny_bundle(tmp_path / "tiny"), with_scholar(), arm, out)
    ordinal = Bundle(bundle.path, replace(bundle.manifest, score_kind="margin"))
    with pytest.raises(ConfigError, match="of the kind margin"):
        add_arm(ordinal, with_scholar(), arm, out)
    assert not out.exists()


def test_the_command_adds_in_place(bundle: Bundle, tmp_path: Path) -> None:
    outcomes = tmp_path / "scholar.jsonl"
    lines = [
        {"id": row.id, "prompt": row.prompt, "arms": {"new": {"quality": held.quality[0]}}}
        for row in with_scholar().rows
        for held in row.arms.values()
    ]
    outcomes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    held = bundle.save_pretrained(tmp_path / "b")
    arguments = ["--arm", "new", "--model", "big", "--cost", "0.03", "--json"]
    done = run(
        *("add-arm", "--bundle", str(held.path), "--outcomes", str(outcomes)),
        *(*arguments, "--out", str(held.path)),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcomes"] == 200
    pool = Bundle.load(held.path).manifest.pool
    assert pool is not None
    assert (pool.arms[-1].name, pool.arms[-1].model) == ("new", "big")


def test_the_graph_grows_by_a_column_alone(bundle: Bundle, tmp_path: Path) -> None:
    arm = NewArm(name="scholar", model="m", usd=0.1)
    fresh, _ = add_arm(bundle, with_scholar(), arm, tmp_path / "b")
    grown = len(fresh.read(MODEL)) - len(bundle.read(MODEL))
    assert 0 < grown < 40_000
    assert np.isfinite(columns(fresh)["scholar"]).all()

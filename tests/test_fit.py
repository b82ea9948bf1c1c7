"""The training loop: it learns, keeps the best, and resumes to the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fit_case import CONFIG, agreement, model, rows

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training import fit as fit_module
from hybridroute.training.batches import FitRows
from hybridroute.training.fit import BEST, Fitted, evidence_of, fit, head_loss

STEPS = 45  # 60 rows, batches of 4, 3 epochs


class KilledError(Exception):
    """Stops a fit between two steps."""


def run(folder: Path, *, stop_after: int | None = None, config=CONFIG, held=None) -> Fitted:
    def on_step(step: int, total: int, loss: float) -> None:
        assert total == STEPS
        if step == stop_after:
            raise KilledError

    return fit(
        model(config), held or rows(), config, select=agreement, folder=folder, on_step=on_step
    )


def weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    return fitted.model.state_dict()


def same(one: Fitted, other: Fitted) -> bool:
    pairs = zip(weights(one).values(), weights(other).values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """On so small a network threads only wait for each other."""
    held = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(held)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return run(tmp_path_factory.mktemp("whole"))


def test_it_learns(whole: Fitted) -> None:
    losses = [entry["loss"] for entry in whole.progress.history]
    assert losses[-1] < 0.7 * losses[0]
    assert agreement(whole.model) > 0.3
    assert not whole.model.training


def test_the_same_seed_gives_the_same_weights(whole: Fitted, tmp_path: Path) -> None:
    assert same(run(tmp_path), whole)
    other = run(tmp_path / "other", config=replace(CONFIG, seed=4))
    assert not same(other, whole)


@pytest.mark.parametrize("every", [50, 4, 1])
@pytest.mark.parametrize("step", [1, 7, 8, 9, 15, 16, 30, 44, 45])
def test_a_stopped_run_goes_on_to_the_same_weights(
    whole: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, every: int
) -> None:
    monkeypatch.setattr(fit_module, "_CHECKPOINT_EVERY", every)
    with pytest.raises(KilledError):
        run(tmp_path, stop_after=step)
    found = run(tmp_path)
    assert same(found, whole)
    assert found.progress == whole.progress


def test_stopped_again_and_again(whole: Fitted, tmp_path: Path) -> None:
    for step in range(7, STEPS + 1, 7):
        with pytest.raises(KilledError):
            run(tmp_path, stop_after=step)
    assert same(run(tmp_path), whole)


def test_a_finished_run_is_read_back(whole: Fitted, tmp_path: Path) -> None:
    run(tmp_path)
    again = run(tmp_path, stop_after=1)  # no step is left that could stop it
    assert same(again, whole)


def test_another_configuration_or_other_rows_start_again(tmp_path: Path) -> None:
    run(tmp_path)
    for changes in ({"config": replace(CONFIG, learning_rate=0.01)}, {"held": rows(soft=True)}):
        with pytest.raises(KilledError):
            run(tmp_path, stop_after=1, **changes)


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    values = iter([0.1, 0.9, 0.3, 0.2, 0.9, 0.0, 0.0, 0.0])
    seen = {}

    def select(found: torch.nn.Module) -> float:
        value = next(values)
        seen.setdefault(value, {k: v.clone() for k, v in found.state_dict().items()})
        return value

    fitted = fit(model(), rows(), CONFIG, select=select, folder=tmp_path)
    assert (fitted.progress.best_step, fitted.progress.best_value) == (14, 0.9)
    for name, value in weights(fitted).items():
        torch.testing.assert_close(value, seen[0.9][name], rtol=0, atol=0)


def test_with_nothing_to_select_by_the_last_weights_are_kept(tmp_path: Path) -> None:
    fitted = fit(model(), rows(), CONFIG, select=None, folder=tmp_path / "last")
    assert (fitted.progress.step, fitted.progress.best_step) == (STEPS, STEPS)
    assert fitted.progress.history == ()
    values = iter(range(99))
    rising = fit(
        model(), rows(), CONFIG, select=lambda _: float(next(values)), folder=tmp_path / "rising"
    )
    assert same(fitted, rising)


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """Also where the last of them is smaller; dropout is off, which draws by batch."""
    config = replace(CONFIG, batch_size=4, accumulate=5, dropout=0.0)
    held = rows()
    one, parts = model(config).eval(), model(config).eval()
    one.train = parts.train = lambda mode=True: None  # dropout stays off
    indices = list(range(10))
    whole = fit_module._step(one, fit_module._optimizer(one, config), held, [indices], config)
    batches = [indices[:4], indices[4:8], indices[8:]]
    loss = fit_module._step(parts, fit_module._optimizer(parts, config), held, batches, config)
    assert loss == pytest.approx(whole, rel=1e-5)
    for left, right in zip(one.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("stop", [1, 3, 5, 6, 8])
def test_an_accumulating_run_goes_on_to_the_same_weights(tmp_path: Path, stop: int) -> None:
    config = replace(CONFIG, accumulate=4)  # 15 batches: 4 steps an epoch, the last of 3 batches

    def go(folder: Path, stop_after: int | None) -> Fitted:
        def on_step(step: int, total: int, loss: float) -> None:
            assert total == 12
            if step == stop_after:
                raise KilledError

        return fit(model(), rows(), config, select=agreement, folder=folder, on_step=on_step)

    expected = go(tmp_path / "whole", None)
    with pytest.raises(KilledError):
        go(tmp_path / "killed", stop)
    found = go(tmp_path / "killed", None)
    assert same(found, expected)
    assert found.progress == expected.progress


def falling(after: int):
    """A selection value that rises up to an evaluation and falls from then on."""

    values = iter([*range(after), *range(-1, -20, -1)])
    return lambda found: float(next(values))


@pytest.mark.parametrize(("patience", "step"), [(0, 45), (1, 21), (2, 28), (9, 45)])
def test_it_stops_where_the_selection_value_no_longer_rises(
    tmp_path: Path, patience: int, step: int
) -> None:
    config = replace(CONFIG, patience=patience)  # an evaluation every 7 steps; the 2nd is best
    fitted = fit(model(), rows(), config, select=falling(2), folder=tmp_path)
    assert (fitted.progress.step, fitted.progress.best_step) == (step, 14)


def test_early_stopping_is_the_same_after_a_kill(tmp_path: Path) -> None:
    """The value is a function of the weights, so that a repeated step finds the same one."""
    config = replace(CONFIG, patience=1, epochs=3)
    start = model().head.weight.detach().clone()

    def select(found: torch.nn.Module) -> float:
        return -float((found.head.weight.detach() - start).norm())  # best at the first evaluation

    def go(folder: Path, stop_after: int | None) -> Fitted:
        def on_step(step: int, total: int, loss: float) -> None:
            if step == stop_after:
                raise KilledError

        return fit(model(), rows(), config, select=select, folder=folder, on_step=on_step)

    expected = go(tmp_path / "whole", None)
    assert (expected.progress.step, expected.progress.best_step) == (14, 7)
    for stop in (3, 9, 13):
        with pytest.raises(KilledError):
            go(tmp_path / f"killed-{stop}", stop)
        found = go(tmp_path / f"killed-{stop}", None)
        assert same(found, expected)
        assert found.progress == expected.progress
    assert same(go(tmp_path / "whole", 15), expected)  # stopped for good: no step is left


def test_soft_labels_are_met(tmp_path: Path) -> None:
    config = replace(CONFIG, heads="label", epochs=30)
    fitted = fit(model(config), rows(soft=True), config, select=agreement, folder=tmp_path)
    chance = torch.sigmoid(torch.from_numpy(evidence_of(fitted.model, rows())))
    easy = torch.from_numpy(rows().targets[:, 2] > 0.5)
    assert chance[easy].mean() == pytest.approx(0.9, abs=0.05)
    assert chance[~easy].mean() == pytest.approx(0.2, abs=0.05)


def test_the_loss_of_label_heads_reads_the_label_alone() -> None:
    targets = torch.tensor([[0.3, 0.4, 0.25]])
    one = head_loss(torch.tensor([[0.5]]), targets)
    expected = -(0.25 * torch.log(torch.sigmoid(torch.tensor(0.5)))) - 0.75 * torch.log(
        torch.sigmoid(torch.tensor(-0.5))
    )
    torch.testing.assert_close(one, expected)
    three = head_loss(torch.zeros(1, 3), targets)
    torch.testing.assert_close(three, 3 * torch.log(torch.tensor(2.0)))


def test_no_rows(tmp_path: Path) -> None:
    none = FitRows(token_ids=(), targets=rows().targets[:0])
    with pytest.raises(TrainingError, match="no rows to fit on"):
        fit(model(), none, CONFIG, select=agreement, folder=tmp_path)


def test_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    broken = model()
    with torch.no_grad():
        broken.head.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        fit(broken, rows(), CONFIG, select=agreement, folder=tmp_path)


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, None])
def test_a_corrupt_checkpoint(tmp_path: Path, data: bytes | None) -> None:
    run(tmp_path)
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-100] if data is None else data)
    with pytest.raises(TrainingError, match=r"last\.safetensors cannot be read .* delete it"):
        run(tmp_path)


def test_best_weights_that_are_gone_or_corrupt(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / BEST).write_bytes(b"x")
    with pytest.raises(TrainingError, match=r"best\.safetensors cannot be read"):
        run(tmp_path)
    (tmp_path / BEST).unlink()
    with pytest.raises(TrainingError, match=r"best\.safetensors is gone"):
        run(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="cannot write"):
        run(tmp_path / "file" / "work")

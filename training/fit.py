"""The training loop: batches -> loss -> step, evaluate, keep the best, resume after a kill."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.batches import FitRows, collate, epoch_order, scoring_batches
from hybridroute.training.checkpoint import (
    Progress,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.router_model import LABEL, ScoringNetwork, StateNetwork

logger = logging.getLogger(__name__)

_CHECKPOINT_EVERY = 50
BEST = "best.safetensors"


Network = TypeVar("Network", bound=StateNetwork)
"""Its call gives head logits of shape (batch, heads)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted(Generic[Network]):
    """A fitted router: its best weights are in ``model``."""

    model: Network
    progress: Progress


def fit(
    model: Network,
    rows: FitRows,
    config: FitConfig,
    *,
    select: Callable[[Network], float] | None,
    folder: Path,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Fitted[Network]:
    """Fit a router, going on from ``folder`` if the same run was stopped there.

    Parameters
    ----------
    model : StateNetwork
        Its call gives head logits. Freshly initialised under ``config.seed``; changed in place.
    rows : FitRows
    select : callable or None
        model -> a value on the selection rows; higher is better. None keeps the last weights.
    folder : path
        Holds the last checkpoint and the best weights.
    on_step : callable, optional
        Called with step, steps in all, loss.

    Raises
    ------
    TrainingError
        If there are no rows, the loss is not finite, or ``folder`` cannot be read or written.
    """
    if not len(rows):
        raise TrainingError("there are no rows to fit on; check --outcomes and the split")
    per_epoch = -(-len(rows) // (config.batch_size * config.accumulate))
    total = per_epoch * config.epochs
    optimizer = _optimizer(model, config)
    print_of_run = _fingerprint(rows, config)
    torch.manual_seed(config.seed)
    progress = _progress_in(folder, model, optimizer, print_of_run)
    if progress.step:
        logger.info("going on from step %d of %d", progress.step, total)
    evaluate_every = max(1, per_epoch // config.evaluations_per_epoch)

    for epoch in range(progress.step // per_epoch, config.epochs):
        groups = _groups(rows, config, epoch)
        for batches in groups[progress.step - epoch * per_epoch :]:
            if _is_stale(progress, config.patience):
                break  # for the epochs that are left, too: nothing changes any more
            _set_rate(optimizer, config, progress.step, total)
            loss = _step(model, optimizer, rows, batches, config)
            progress = replace(progress, step=progress.step + 1)
            if on_step is not None:
                on_step(progress.step, total, loss)
            ended = progress.step == total
            evaluated = ended or (select is not None and progress.step % evaluate_every == 0)
            if evaluated:
                progress = _keep_if_better(model, progress, select, folder, loss)
            # The best weights and the checkpoint that speaks of them are written together.
            if evaluated or progress.step % _CHECKPOINT_EVERY == 0:
                save_checkpoint(folder, model, optimizer, progress)
    load_weights(folder / BEST, model)
    model.eval()
    return Fitted(model=model, progress=progress)


def _groups(rows: FitRows, config: FitConfig, epoch: int) -> list[list[list[int]]]:
    """The epoch's batches by optimizer step."""
    order = epoch_order(rows, batch_size=config.batch_size, seed=config.seed, epoch=epoch)
    return [order[at : at + config.accumulate] for at in range(0, len(order), config.accumulate)]


def _is_stale(progress: Progress, patience: int) -> bool:
    # Read off the history, which the checkpoint holds: a resumed run stops at the same step.
    since = sum(bool(entry["step"] > progress.best_step) for entry in progress.history)
    return 0 < patience <= since


def _progress_in(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, fingerprint: str
) -> Progress:
    held = load_checkpoint(folder, model, optimizer, fingerprint)
    if held is None:
        return Progress(
            step=0, best_step=0, best_value=-np.inf, history=(), fingerprint=fingerprint
        )
    if held.best_step and not (folder / BEST).is_file():
        raise TrainingError(
            f"{folder / BEST} is gone, which the checkpoint beside it speaks of; delete the "
            f"folder {folder} to start again"
        )
    return held


def head_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy (arXiv 2404.14618, eq. 1), summed over the heads.

    Parameters
    ----------
    logits : Tensor of shape (batch, 1) or (batch, heads)
    targets : Tensor of shape (batch, heads), in [0, 1]
        Soft targets are allowed; a head is not fitted to one that is NaN. ``label`` heads use the
        column of the label only.
    """
    wanted = targets if logits.shape[1] == targets.shape[1] else targets[:, LABEL : LABEL + 1]
    known = ~wanted.isnan()
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits.float(), wanted.nan_to_num(), reduction="none"
    )
    return (losses * known).sum(1).mean()


@torch.no_grad()
def evidence_of(model: ScoringNetwork, rows: FitRows) -> NDArray[np.float64]:
    """What the score is a logistic function of, shape (n,), in evaluation mode."""
    was_training = model.training
    model.eval()
    values = np.empty(len(rows))
    for indices in scoring_batches(rows):
        batch = collate(rows, indices)
        found = model.evidence(batch.input_ids, batch.attention_mask)
        values[indices] = found.double().numpy()
    model.train(was_training)
    return values


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: FitRows,
    batches: list[list[int]],
    config: FitConfig,
) -> float:
    model.train()
    total = sum(len(indices) for indices in batches)
    value = 0.0
    for indices in batches:
        batch = collate(rows, indices)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.precision == "bf16"):
            logits = model(batch.input_ids, batch.attention_mask)
        # By rows, not by batches: the last batch of an epoch may be a small one.
        loss = head_loss(logits, batch.targets) * (len(indices) / total)
        loss.backward()  # type: ignore[no-untyped-call]
        value += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if not np.isfinite(value):
        raise TrainingError(f"the loss became {value}; lower --learning-rate")
    return value


def _keep_if_better(
    model: Network,
    progress: Progress,
    select: Callable[[Network], float] | None,
    folder: Path,
    loss: float,
) -> Progress:
    if select is None:
        save_weights(folder / BEST, model)
        return replace(progress, best_step=progress.step)
    value = float(select(model))
    entry = {"step": progress.step, "loss": round(loss, 5), "select": round(value, 5)}
    logger.info("step %(step)d: loss %(loss).4f, selection value %(select).4f", entry)
    progress = replace(progress, history=(*progress.history, entry))
    if progress.best_step and value <= progress.best_value:
        return progress
    save_weights(folder / BEST, model)
    return replace(progress, best_step=progress.step, best_value=value)


def _optimizer(model: nn.Module, config: FitConfig) -> torch.optim.Optimizer:
    # Biases and norms are not decayed, as is usual for transformers.
    decayed = [value for value in model.parameters() if value.ndim > 1]
    plain = [value for value in model.parameters() if value.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def _set_rate(optimizer: torch.optim.Optimizer, config: FitConfig, step: int, total: int) -> None:
    warm = max(1, round(total * config.warmup))
    share = (step + 1) / warm if step < warm else (total - step) / max(1, total - warm)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * share


def _fingerprint(rows: FitRows, config: FitConfig) -> str:
    digest = hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode())
    digest.update(json.dumps(rows.token_ids).encode())
    digest.update(rows.targets.tobytes())
    return digest.hexdigest()

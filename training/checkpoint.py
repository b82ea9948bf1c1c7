"""Checkpoints of a fit: safetensors and JSON, never pickle; written whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hybridroute.edge_runtime.errors import TrainingError

_RNG = "rng"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
"""What a missing, cut, altered or foreign file raises, on the way from bytes to a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a fit stands.

    Parameters
    ----------
    step : int
        Optimizer steps done.
    best_step : int
        The step whose weights were best on the selection rows, 0 if none were kept yet.
    best_value : float
        Their selection value.
    history : tuple of mapping
        One entry per evaluation.
    fingerprint : str
        Of configuration and rows: a checkpoint of another run is not resumed.
    """

    step: int
    best_step: int
    best_value: float
    history: tuple[Mapping[str, Any], ...]
    fingerprint: str


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a model's weights whole or not at all.

    Raises
    ------
    TrainingError
        If they cannot be written.
    """
    _save_atomically(path, {name: value.contiguous() for name, value in _state(model).items()})


def load_weights(path: Path, model: nn.Module) -> None:
    """Read weights written by :func:`save_weights`.

    Raises
    ------
    TrainingError
        If they cannot be read, or are not this model's.
    """
    try:
        model.load_state_dict(load_file(path), strict=True)
    except _UNREADABLE as exc:
        raise TrainingError(
            f"the weights {path} cannot be read ({exc}); delete the folder {path.parent} and "
            "train again"
        ) from exc


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write weights, optimizer moments, random state and progress as one file."""
    tensors = {f"model.{name}": value for name, value in _state(model).items()}
    for index, held in optimizer.state_dict()["state"].items():
        for key, value in held.items():
            tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
    tensors[_RNG] = torch.get_rng_state()
    facts = {
        "step": progress.step,
        "best_step": progress.best_step,
        "best_value": progress.best_value,
        "history": list(progress.history),
        "fingerprint": progress.fingerprint,
    }
    _save_atomically(folder / "last.safetensors", tensors, {"progress": json.dumps(facts)})


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, fingerprint: str
) -> Progress | None:
    """Restore the last checkpoint; None if there is none of this very run.

    Raises
    ------
    TrainingError
        If there is one of this run but it cannot be read; ``model`` is then of no use.
    """
    path = folder / "last.safetensors"
    if not path.is_file():
        return None
    try:
        progress = _read_progress(path)
        if progress.fingerprint != fingerprint:
            return None
        _restore(load_file(path), model, optimizer)
    except _UNREADABLE as exc:
        raise TrainingError(
            f"the checkpoint {path} cannot be read ({exc}); delete it to start again"
        ) from exc
    return progress


def _restore(
    tensors: Mapping[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    stem = "model."
    model.load_state_dict({k[len(stem) :]: v for k, v in tensors.items() if k.startswith(stem)})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    torch.set_rng_state(tensors[_RNG])


def _read_progress(path: Path) -> Progress:
    with safe_open(path, framework="pt") as held:
        facts = json.loads((held.metadata() or {})["progress"])
    return Progress(**{**facts, "history": tuple(facts["history"])})


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _save_atomically(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    fresh = path.with_suffix(".writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), fresh, metadata=metadata)
        fresh.replace(path)
    except (OSError, SafetensorError) as exc:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)  # half a file only takes more of a full disk
        raise TrainingError(
            f"cannot write {path}: {exc}. Free space, or give --work another folder; the same "
            "command goes on from the last checkpoint"
        ) from exc

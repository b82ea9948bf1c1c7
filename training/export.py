"""torch -> ONNX: one graph from token ids to the score or the estimates, constants folded."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.edge_runtime.onnx_scorer import ATTENTION_MASK, INPUT_IDS, SCORE
from hybridroute.training.device_deberta import DeviceDeberta, device_form
from hybridroute.training.router_model import ExportedModule

_LAST = ".last"
_ATTENTION_OPSET = 23
"""The first with attention as one operator; onnxruntime has it from 1.23 on."""


def to_onnx(module: ExportedModule, *, max_tokens: int, outputs: Sequence[str] = (SCORE,)) -> bytes:
    """Export a router in fp32 with dynamic batch and length, its encoder in its device form.

    ``outputs`` names what the module gives, in order. Constants are folded before anything is
    quantised: the projections of the relative-position embeddings do not depend on the input.

    Raises
    ------
    TrainingError
        If torch cannot export this encoder.
    """
    longest = max(max_tokens, 18)
    module = _for_device(module, longest).eval()
    # Two rows of different length, so that neither dimension is taken for a constant.
    ids = torch.full((2, 17), 5, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 11:] = 0
    batch = torch.export.Dim("batch", min=1, max=4096)
    tokens = torch.export.Dim("tokens", min=2, max=longest)
    shape = {0: batch, 1: tokens}
    with tempfile.TemporaryDirectory() as folder:
        plain, folded = Path(folder) / "plain.onnx", Path(folder) / "folded.onnx"
        try:
            with _quiet():
                torch.onnx.export(
                    module,
                    (ids, mask),
                    plain,
                    input_names=[INPUT_IDS, ATTENTION_MASK],
                    output_names=[f"{name}{_LAST}" for name in outputs],
                    dynamic_shapes=(shape, shape),
                    dynamo=True,
                    opset_version=_opset(module),
                    external_data=False,
                )
                _fold_constants(plain, folded)
        except OSError as exc:
            raise TrainingError(
                f"the export cannot write to {folder} ({exc.strerror}); free space, or set TMPDIR"
            ) from exc
        except Exception as exc:  # torch.export and onnxruntime raise many kinds
            reason = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
            raise TrainingError(f"torch cannot export this encoder to ONNX: {reason}") from exc
        return _with_output_names(folded.read_bytes(), outputs)


def _with_output_names(model: bytes, outputs: Sequence[str]) -> bytes:
    """The model with its outputs called so; torch may have called an inner value that."""
    held = onnx.load_from_string(model)
    names = {name: f"{name}.inner" for name in outputs}
    names |= {f"{name}{_LAST}": name for name in outputs}
    for node in held.graph.node:
        for values in (node.input, node.output):
            renamed = [names.get(value, value) for value in values]
            del values[:]
            values.extend(renamed)
    for item in held.graph.output:
        item.name = names[item.name]
    return bytes(held.SerializeToString())


def _for_device(module: Any, max_tokens: int) -> Any:
    """A copy with the encoder's device form in its place."""
    encoder = module.model.encoder
    return copy.deepcopy(module, {id(encoder): device_form(encoder, max_tokens=max_tokens)})


def _opset(module: Any) -> int | None:
    """Torch's default but for the device form: its exporter fails on ModernBERT's attention."""
    return _ATTENTION_OPSET if isinstance(module.model.encoder, DeviceDeberta) else None


def _fold_constants(source: Path, target: Path) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its stages and warns of its own internals; errors still come out."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stderr(nowhere),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)

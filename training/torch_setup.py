"""What a training process sets in torch, once, from the command line."""

from __future__ import annotations

import sys
from typing import Literal

import torch

from hybridroute.training.fit_config import Precision


def use_threads(threads: int) -> None:
    """Limit torch's threads; 0 leaves its own choice."""
    if threads:
        torch.set_num_threads(threads)


def chosen_precision(asked: Literal["auto", "fp32", "bf16"]) -> Precision:
    """``auto`` is bf16 where the CPU multiplies it natively (about twice as fast), else fp32."""
    if asked != "auto":
        return asked
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if supported() else "fp32"


def quiet_transformers() -> None:
    """Errors alone; a progress bar only where a person reads it."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()

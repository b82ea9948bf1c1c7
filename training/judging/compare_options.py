"""What the options of ``hybridroute compare`` may be, and what they stand for."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hybridroute.training.judging.objective import Objective


class HoldOutName(StrEnum):
    """What no estimator is fitted on."""

    PROMPTS = "prompts"
    DOMAINS = "domains"


class ObjectiveName(StrEnum):
    """What settings and the winner are chosen by."""

    AUTO = "auto"
    QUALITY = "quality"
    AIQ = "aiq"


class AverageName(StrEnum):
    """What weighs the same."""

    ROWS = "rows"
    DOMAINS = "domains"


def objective_of(asked: ObjectiveName) -> Objective | None:
    """None for ``auto``."""
    chosen: dict[ObjectiveName, Objective] = {
        ObjectiveName.QUALITY: "quality",
        ObjectiveName.AIQ: "aiq",
    }
    return chosen.get(asked)


def finite(reference: float | None) -> float | None:
    """A mean quality, or None; wrong usage where it is no number."""
    if reference is not None and not math.isfinite(reference):
        raise typer.BadParameter(
            f"{reference} is not a mean quality; give a number", param_hint="--reference"
        )
    return reference

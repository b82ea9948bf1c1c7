"""Quality functions: how good a response is, one module a function, by name in ``registry``.

Only the modules that need torch or llama.cpp import them, and only when asked to score.
"""

from hybridroute.training.quality.protocol import Item, QualityFunction, UnscorableItemError
from hybridroute.training.quality.registry import (
    QualityOptions,
    build_qualities,
    build_quality,
    check_quality_names,
    quality_names,
)

__all__ = [
    "Item",
    "QualityFunction",
    "QualityOptions",
    "UnscorableItemError",
    "build_qualities",
    "build_quality",
    "check_quality_names",
    "quality_names",
]

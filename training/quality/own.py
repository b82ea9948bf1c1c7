"""A user's own quality function, by ``module:attribute`` or ``file.py:attribute``.

The attribute is a callable ``(query, response, reference) -> float``, or an object with
``score(batch)`` and, where they differ from the defaults, the attributes of ``QualityFunction``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality.protocol import Item, PerItem, QualityFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnObject:
    """A user's object, with what it leaves out filled in."""

    name: str
    source: str
    needs_reference: bool
    range: tuple[float, float] | None
    blank: float | None
    held: Any

    def score(self, batch: Sequence[Item]) -> NDArray[np.float64]:
        """Quality of each item, shape (n,)."""
        return np.asarray(self.held.score(batch), dtype=np.float64)

    def notes(self) -> tuple[str, ...]:
        """The object's own notes, if it has any."""
        return tuple(self.held.notes()) if hasattr(self.held, "notes") else ()

    def close(self) -> None:
        """Close the object, if it can be closed."""
        if hasattr(self.held, "close"):
            self.held.close()


def own_quality(place: str) -> QualityFunction:
    """The function at ``place``; the module is imported, so only name code you trust.

    Raises
    ------
    ConfigError
        If there is no such module or attribute, or it is neither callable nor has ``score``.
    """
    home, _, attribute = place.rpartition(":")
    found = getattr(_module(home, place), attribute, None)
    if hasattr(found, "score") and not isinstance(found, type):
        return OwnObject(
            name=getattr(found, "name", attribute),
            source=getattr(found, "source", place),
            needs_reference=getattr(found, "needs_reference", False),
            range=getattr(found, "range", None),
            blank=getattr(found, "blank", None),
            held=found,
        )
    if callable(found):
        return _from_callable(found, attribute, place)
    raise ConfigError(
        f"quality {place!r}: {attribute!r} is not there, or is neither a function (query, "
        "response, reference) -> float nor an object with score(batch)"
    )


def _from_callable(judge: Callable[..., float], name: str, place: str) -> PerItem:
    return PerItem(
        name=name,
        source=place,
        needs_reference=False,
        range=None,
        blank=None,
        judge=lambda item: float(judge(item.query, item.response, item.reference)),
    )


def _module(home: str, place: str) -> Any:
    try:
        if not home.endswith(".py"):
            return importlib.import_module(home)
        spec = importlib.util.spec_from_file_location(Path(home).stem, home)
        if spec is None or spec.loader is None:
            raise ImportError(f"{home} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as exc:  # the user's module may fail in any way
        raise ConfigError(
            f"quality {place!r}: its module cannot be imported ({type(exc).__name__}: {exc}); "
            "give module:attribute or path/to/file.py:attribute"
        ) from exc
    return module

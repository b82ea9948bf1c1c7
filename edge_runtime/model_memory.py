"""Several models on one device: what is loaded stays under a limit, the longest unused goes."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Protocol, TypeVar

from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError

Loaded = TypeVar("Loaded")
MB = 1_000_000
_CONTEXT_SHARE = 0.2


class Unloadable(Protocol):
    """Something that can give its memory back."""

    @property
    def name(self) -> str:
        """The arm's name."""
        ...

    def unload(self) -> bool:
        """Free the model unless it is answering; whether it is free. Never waits for an answer."""
        ...


class ModelMemory:
    """A limit that several arms share. Safe to use from several threads.

    A model counts as its file and a fifth more, for its context.

    Parameters
    ----------
    max_bytes : int

    Raises
    ------
    ConfigError
        If it is not above 0.

    Examples
    --------
    >>> memory = ModelMemory(600 * MB)  # doctest: +SKIP
    >>> arms = [LlamaArm(one, name=one, memory=memory) for one in models]  # doctest: +SKIP
    """

    def __init__(self, max_bytes: int) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
            raise ConfigError(f"max_bytes is {max_bytes!r}; give a whole number above 0")
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: weakref.WeakKeyDictionary[Unloadable, int] = weakref.WeakKeyDictionary()
        self._used: weakref.WeakKeyDictionary[Unloadable, int] = weakref.WeakKeyDictionary()
        self._clock = itertools.count()

    @property
    def used_bytes(self) -> int:
        """What the loaded models count as."""
        with self._lock:
            return sum(self._held.values())

    def touch(self, arm: Unloadable) -> None:
        """The arm is asked: it is the last to go."""
        with self._lock:
            self._used[arm] = next(self._clock)

    def load(self, arm: Unloadable, file_bytes: int, load: Callable[[], Loaded]) -> Loaded:
        """Make room for an arm's model, and load it.

        Raises
        ------
        ConfigError
            If the model alone is over the limit.
        ArmUnavailable
            If what is loaded is answering, so that no room can be made now.
        """
        needed = file_bytes + int(_CONTEXT_SHARE * file_bytes)
        if needed > self.max_bytes:
            raise ConfigError(
                f"the model of arm {arm.name!r} takes {needed // MB} MB and the limit is "
                f"{self.max_bytes // MB} MB; give more, or a smaller model"
            )
        with self._lock:
            self._make_room(arm, needed)
            self._held[arm] = needed
        try:
            return load()
        except BaseException:
            self.freed(arm)
            raise

    def freed(self, arm: Unloadable) -> None:
        """The arm's model is gone."""
        with self._lock:
            self._held.pop(arm, None)

    def _make_room(self, arm: Unloadable, needed: int) -> None:
        others = sorted(
            (one for one in self._held if one is not arm),
            key=lambda one: self._used.get(one, -1),
        )
        free = self.max_bytes - sum(self._held[one] for one in others)
        for one in others:
            if free >= needed:
                return
            if one.unload():
                free += self._held.pop(one)
        if free < needed:
            raise ArmUnavailable(
                f"there is no memory for arm {arm.name!r} while the others answer: it takes "
                f"{needed // MB} MB, {free // MB} are free of {self.max_bytes // MB}; try again",
                arm=arm.name,
            )

"""The sampling settings of one generation, with the defaults both engines share."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import RequestError

# llama.cpp reads the largest 32-bit seed as "draw one", so it is never handed over.
_SEEDS = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Settings as llama.cpp takes them; the defaults are llama.cpp's own.

    Parameters
    ----------
    temperature : float
        0 takes the likeliest token.
    seed : int
        In [0, 2**32 - 2].
    repeatable : bool
        The caller gave a seed, or temperature 0: the same request must give the same answer, so an
        engine may reuse an earlier prompt only where that changes no bit.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int
    repeatable: bool = False

    def __post_init__(self) -> None:
        for name in ("presence_penalty", "frequency_penalty"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise RequestError(f"{name} is {value!r}; give a number from -2 to 2")
            if not (math.isfinite(value) and abs(value) <= 2):
                raise RequestError(f"{name} is {value!r}; it must be from -2 to 2")


def sampling_of(request: ChatRequest) -> Sampling:
    """The request's settings; what it leaves open takes the default, and an open seed is drawn."""
    seed = request.seed
    drawn = random.SystemRandom().randrange(_SEEDS) if seed is None else seed % _SEEDS
    defaults = Sampling(seed=drawn)
    temperature = _chosen(request.temperature, defaults.temperature)
    return Sampling(
        temperature=temperature,
        top_p=_chosen(request.top_p, defaults.top_p),
        presence_penalty=_chosen(request.presence_penalty, 0.0),
        frequency_penalty=_chosen(request.frequency_penalty, 0.0),
        seed=drawn,
        repeatable=seed is not None or temperature == 0,
    )


def _chosen(value: float | None, default: float) -> float:
    return default if value is None else value

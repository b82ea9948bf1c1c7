"""Exact tails and quantiles of sums of n steps of -1, 0 or +1, and of binomial counts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_SPREAD = 7.5
"""Half the window in standard deviations; what lies outside is far below double precision."""
_LEAST_WINDOW = 128
_ROUND_OFF = 1e-11
_CELLS = 1 << 20
_FADED = 40.0
"""Frequencies whose weight is below exp of minus this are left out of a single tail."""


def lower_quantile(n: int, plus: Floats, minus: Floats, level: float) -> Counts:
    """The largest s with Pr[S <= s] <= level, where S sums n steps.

    A step is +1 with probability ``plus`` and -1 with probability ``minus``. The distribution is
    the n-th power of a step's characteristic function, inverted by FFT.

    Parameters
    ----------
    n : int
    plus, minus : ndarray, shape (m,)
        In [0, 1], with plus + minus <= 1. With ``minus`` 0 the sum is a binomial count.
    level : float
        In (0, 1).

    Returns
    -------
    ndarray of int64, shape (m,)
        One below the least possible sum where even that is likelier than ``level``.
    """
    found = np.empty(len(plus), dtype=np.int64)
    spread = np.sqrt(n * np.maximum(plus + minus - (plus - minus) ** 2, 0.0))
    windows = _window(float(spread.max(initial=0.0)), n)
    step = max(1, _CELLS // windows)
    for start in range(0, len(plus), step):
        part = slice(start, start + step)
        window = _window(float(spread[part].max()), n)
        found[part] = _quantiles(n, plus[part], minus[part], level, window)
    return found


def lower_tail(n: int, plus: Floats, minus: Floats, at: Counts) -> Floats:
    """Pr[S <= at], never too small and at most 2e-11 too large.

    The same inversion as of :func:`lower_quantile`, at one point: a geometric sum for each
    frequency in place of the whole distribution, and only some tens of frequencies count.

    Parameters
    ----------
    n : int
    plus, minus : ndarray, shape (m,)
        As of :func:`lower_quantile`.
    at : ndarray of int64, shape (m,)

    Returns
    -------
    ndarray, shape (m,)
    """
    spread = np.sqrt(n * np.maximum(plus + minus - (plus - minus) ** 2, 0.0))
    wide = np.maximum(_LEAST_WINDOW, 2.0 * _SPREAD * (spread + 1.0)).astype(np.int64)
    window = wide | 1  # odd: no frequency is its own mirror
    fade = n * (1.0 - plus - minus) * (plus + minus)
    with np.errstate(divide="ignore"):
        last = np.arccos(1.0 - np.minimum(_FADED / np.maximum(fade, 0.0), 2.0))
    count = np.minimum(np.ceil(last * window / (2.0 * np.pi)), window // 2).astype(np.int64)
    found = np.empty(len(plus))
    step = max(1, _CELLS // max(1, int(count.max(initial=1))))
    for start in range(0, len(plus), step):
        part = slice(start, start + step)
        # Shape (m, 1) and (frequencies,): a frequency is 2 pi of these over the window.
        frequency = np.arange(1, int(count[part].max(initial=1)) + 1)
        places = (window[part, None], frequency)
        found[part] = _tails(n, plus[part], minus[part], at[part], places)
    return found


def _tails(
    n: int, plus: Floats, minus: Floats, at: Counts, places: tuple[Counts, Counts]
) -> Floats:
    window, frequency = places[0][:, 0], places[1]
    half = np.pi * frequency / places[0]
    # A row with a narrower window than others has fewer frequencies.
    known = 2 * frequency < places[0]
    drift, both = (plus - minus)[:, None], (plus + minus)[:, None]
    half_sine, sine = np.sin(half), np.sin(2.0 * half)
    rest = np.maximum(1.0 - both, 0.0)
    lost = 4.0 * rest * both * half_sine**2 + (both**2 - drift**2) * sine**2
    with np.errstate(divide="ignore"):
        size = np.exp(0.5 * n * np.log1p(-np.minimum(lost, 1.0)))
    turn = np.arctan2(-drift * sine, rest + both * np.cos(2.0 * half))
    first = np.maximum(np.floor(n * (plus - minus)).astype(np.int64) - window // 2, -n)
    width = np.clip(at - first + 1, 0, window)
    phase = n * turn + half * (2 * first + width - 1)[:, None]
    terms = size * np.cos(phase) * np.sin(half * width[:, None]) / half_sine
    summed = np.where(known, terms, 0.0).sum(axis=1)
    tails: Floats = np.clip((width + 2.0 * summed) / window + _ROUND_OFF, 0.0, 1.0)
    return tails


def _window(spread: float, n: int) -> int:
    """At least ``_SPREAD`` standard deviations each way, or all 2 n + 1 sums; quick to invert."""
    wanted = max(_LEAST_WINDOW, min(2.0 * _SPREAD * (spread + 1.0), 2.0 * n + 2.0))
    power = 1 << math.ceil(math.log2(wanted))
    return power * 3 // 4 if power * 3 // 4 >= wanted else power


def _quantiles(n: int, plus: Floats, minus: Floats, level: float, window: int) -> Counts:
    angle = 2.0 * np.pi * np.arange(window // 2 + 1) / window
    turn = np.exp(-1j * angle)
    rest = np.maximum(1.0 - plus - minus, 0.0)
    step = rest[:, None] + plus[:, None] * turn + minus[:, None] * np.conj(turn)
    size = np.abs(step)
    with np.errstate(divide="ignore"):
        power = np.exp(n * np.log(size)) * np.exp(1j * n * np.angle(step))
    mass = np.fft.irfft(power, n=window, axis=1)
    # The sum is known modulo the window only: each row begins half a window below its mean.
    first = np.floor(n * (plus - minus)).astype(np.int64) - window // 2
    first = np.maximum(first, -n)
    places = (first[:, None] + np.arange(window)) % window
    below = np.cumsum(np.take_along_axis(mass, places, axis=1), axis=1)
    counts: Counts = (below <= level - _ROUND_OFF).sum(axis=1)
    return first + counts - 1

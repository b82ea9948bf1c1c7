"""A quality drop as a share of the cloud's own quality, where that share has a meaning."""

from __future__ import annotations

LEVEL_SE = 5.0
"""Standard errors that a mean must lie off 0 before anything is stated as a share of it."""


def is_off_zero(mean: float, se: float) -> bool:
    """Whether a mean is so far from 0, in its own standard errors, that a share of it says much."""
    return mean != 0.0 and abs(mean) >= LEVEL_SE * se


def relative_drop(drop: float, mean: float, se: float) -> float | None:
    """The drop over the absolute mean quality of all-cloud; None where that is too near 0.

    Parameters
    ----------
    drop : float
        Mean quality of all-cloud minus mean quality of the routed answers, in units of q.
    mean, se : float
        Mean quality of all-cloud and its standard error, in units of q (inf for one row).
    """
    return drop / abs(mean) if is_off_zero(mean, se) else None

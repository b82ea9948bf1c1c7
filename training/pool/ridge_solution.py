"""Ridge regression of several columns on one design, the penalty chosen by leaving one out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError

Floats = NDArray[np.float64]

ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeSolution:
    """Weights of shape (p, m), biases (m,), and what the spread of a prediction needs.

    Of a design row x the spread of arm i is ``noise[i] * sqrt(1 / rows + norm(x @ root - shift)
    ** 2)``: the standard error of a ridge prediction, with the noise measured where each row is
    left out. ``rows`` and ``root`` (p, p) are those of the arm with the most outcomes; the noise of
    an arm that has fewer is widened by the root of the ratio.
    """

    weights: Floats
    bias: Floats
    alpha: float
    noise: Floats
    rows: int
    root: Floats
    shift: Floats

    def of_unscaled(self, scale: Floats) -> RidgeSolution:
        """The same for a design whose columns had not been multiplied by ``scale``, (p,)."""
        return replace(self, weights=scale[:, None] * self.weights, root=scale[:, None] * self.root)

    def predicted(self, design: Floats) -> Floats:
        """Of rows of shape (n, p): shape (n, m)."""
        found: Floats = design @ self.weights + self.bias
        return found

    def spread(self, design: Floats) -> Floats:
        """Standard errors of the predictions, shape (n, m)."""
        off = np.square(design @ self.root - self.shift).sum(axis=1)
        spread: Floats = np.sqrt(1.0 / self.rows + off)[:, None] * self.noise
        return spread


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Arms that have the same rows, and the eigenvectors of those rows' design."""

    arms: NDArray[np.intp]
    middle: Floats
    means: Floats
    sizes: Floats
    turned: Floats
    vectors: Floats
    off: Floats
    wanted: Floats

    @classmethod
    def of(cls, design: Floats, target: Floats, arms: NDArray[np.intp]) -> Self:
        middle, means = design.mean(axis=0), target.mean(axis=0)
        centred = design - middle
        sizes, vectors = np.linalg.eigh(centred.T @ centred)
        turned = centred @ vectors
        off = target - means
        return cls(
            arms, middle, means, np.maximum(sizes, 0.0), turned, vectors, off, turned.T @ off
        )

    def left_out(self, alpha: float) -> Floats:
        """Summed squared errors of each arm where each row is left out in turn."""
        shrunk = 1.0 / (self.sizes + alpha)
        off = self.off - self.turned @ (shrunk[:, None] * self.wanted)
        weight = 1.0 / len(off) + np.square(self.turned) @ shrunk  # the hat matrix's diagonal
        errors: Floats = np.square(off / np.maximum(1.0 - weight, _LEAST)[:, None]).sum(axis=0)
        return errors

    def weights(self, alpha: float) -> Floats:
        found: Floats = self.vectors @ (self.wanted / (self.sizes + alpha)[:, None])
        return found


def ridge_solution(
    design: Floats, target: Floats, *, alphas: Sequence[float] = ALPHAS
) -> RidgeSolution:
    """Take the penalty, one for all arms, with the least squared error where each row is left out.

    Parameters
    ----------
    design : ndarray, shape (n, p)
    target : ndarray, shape (n, m)
        NaN where a cell is missing; each arm has one that is not.
    alphas : sequence of float
        Above 0; the bias is not penalised.

    Raises
    ------
    ConfigError
        If there is no alpha, or one is not above 0.
    """
    if not alphas or min(alphas) <= 0.0:
        raise ConfigError(f"alphas are {list(alphas)}; give one or more above 0")
    arms = target.shape[1]
    parts = list(_parts(design, target))
    alpha = alphas[0]
    if len(alphas) > 1:
        alpha = min(alphas, key=lambda one: sum(part.left_out(one).sum() for part in parts))
    weights, bias, noise = np.empty((design.shape[1], arms)), np.empty(arms), np.empty(arms)
    most = max(parts, key=lambda part: len(part.off))
    for part in parts:
        held = part.weights(alpha)
        weights[:, part.arms] = held
        bias[part.arms] = part.means - part.middle @ held
        n = len(part.off)
        noise[part.arms] = np.sqrt(part.left_out(alpha) / n * (len(most.off) / n))
    root = most.vectors / np.sqrt(most.sizes + alpha)
    return RidgeSolution(
        weights=weights,
        bias=bias,
        alpha=alpha,
        noise=noise,
        rows=len(most.off),
        root=root,
        shift=most.middle @ root,
    )


def _parts(design: Floats, target: Floats) -> Iterator[_Part]:
    present = ~np.isnan(target)
    if present.all():
        yield _Part.of(design, target, np.arange(target.shape[1]))
        return
    _, kinds = np.unique(present, axis=1, return_inverse=True)
    for kind in range(kinds.max() + 1):
        arms = np.flatnonzero(kinds == kind)
        rows = present[:, arms[0]]
        yield _Part.of(design[rows], target[np.ix_(rows, arms)], arms)

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
_AT_ONCE = 2048
"""Rows that are copied at a time."""


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


def ridge_solution(
    design: Floats, target: Floats, *, alphas: Sequence[float] = ALPHAS
) -> RidgeSolution:
    """Take the penalty, one for all arms, with the least squared error where each row is left out.

    Arms that have the same rows are solved together, one eigendecomposition each; nothing of such a
    group is held but its weights at every penalty.

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
    present = ~np.isnan(target)
    sizes = present.sum(axis=0)
    moments = _Moments.of(design)
    weights = np.empty((len(alphas), design.shape[1], target.shape[1]))
    bias, errors = np.empty((2, len(alphas), target.shape[1]))
    most: _Basis | None = None
    for arms in _groups(present):
        basis = moments.basis(design, present[:, arms[0]])
        held = _solved(design, target, arms, basis, alphas)
        weights[:, :, arms], bias[:, arms], errors[:, arms] = held
        if most is None or len(basis.rows) > len(most.rows):
            most = basis
    assert most is not None  # noqa: S101 (narrows the type: a target has an arm)
    at = int(errors.sum(axis=1).argmin())
    rows = len(most.rows)
    root = most.vectors / np.sqrt(most.sizes + alphas[at])
    return RidgeSolution(
        weights=weights[at],
        bias=bias[at],
        alpha=alphas[at],
        noise=np.sqrt(errors[at] / sizes * (rows / sizes)),
        rows=rows,
        root=root,
        shift=most.middle @ root,
    )


def _groups(present: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """The arms that have the same rows, as they are first met."""
    kinds: dict[bytes, list[int]] = {}
    for arm, column in enumerate(np.packbits(present, axis=0).T):
        kinds.setdefault(column.tobytes(), []).append(arm)
    for arms in kinds.values():
        yield np.array(arms, dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    """Rows, the middle of their design (p,), and the eigenvectors of its centred Gram matrix."""

    rows: NDArray[np.intp]
    middle: Floats
    sizes: Floats
    vectors: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """The middle of all rows, and their Gram matrix about it: a group's is what its rows leave."""

    middle: Floats
    gram: Floats

    @classmethod
    def of(cls, design: Floats) -> Self:
        middle = design.mean(axis=0)
        return cls(middle, _gram(design, np.arange(len(design)), middle)[0])

    def basis(self, design: Floats, present: NDArray[np.bool_]) -> _Basis:
        rows, others = np.flatnonzero(present), np.flatnonzero(~present)
        if len(others) < len(rows):
            gram, total = _gram(design, others, self.middle)
            gram, total = self.gram - gram, -total
        else:
            gram, total = _gram(design, rows, self.middle)
        off = total / len(rows)
        sizes, vectors = np.linalg.eigh(gram - len(rows) * np.outer(off, off))
        return _Basis(rows, self.middle + off, np.maximum(sizes, 0.0), vectors)


def _gram(design: Floats, rows: NDArray[np.intp], middle: Floats) -> tuple[Floats, Floats]:
    """Of some rows about a middle: the Gram matrix (p, p), and the sum (p,)."""
    width = design.shape[1]
    gram, total = np.zeros((width, width)), np.zeros(width)
    for part in _chunks(rows):
        off = design[part] - middle
        gram += off.T @ off
        total += off.sum(axis=0)
    return gram, total


def _chunks(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _solved(
    design: Floats,
    target: Floats,
    arms: NDArray[np.intp],
    basis: _Basis,
    alphas: Sequence[float],
) -> tuple[Floats, Floats, Floats]:
    """Of a group at every penalty: weights (a, p, k), biases and left-out squared errors (a, k)."""
    rows, n = basis.rows, len(basis.rows)
    means = np.sum([target[np.ix_(part, arms)].sum(axis=0) for part in _chunks(rows)], axis=0) / n
    wanted = np.zeros((design.shape[1], len(arms)))
    for part in _chunks(rows):
        wanted += (design[part] - basis.middle).T @ (target[np.ix_(part, arms)] - means)
    wanted = basis.vectors.T @ wanted
    shrunk = 1.0 / (basis.sizes + np.array(alphas)[:, None])
    turned_weights = shrunk[:, :, None] * wanted
    errors = np.zeros((len(alphas), len(arms)))
    for part in _chunks(rows):
        turned = (design[part] - basis.middle) @ basis.vectors
        hat = 1.0 / n + np.square(turned) @ shrunk.T  # the hat matrix's diagonal, (part, a)
        off = target[np.ix_(part, arms)] - means
        for at, held in enumerate(turned_weights):
            left = np.maximum(1.0 - hat[:, at, None], _LEAST)
            errors[at] += np.square((off - turned @ held) / left).sum(axis=0)
    weights = basis.vectors @ turned_weights
    return weights, means - basis.middle @ weights, errors

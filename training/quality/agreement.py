"""How well a quality function agrees with correctness, where both are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError

RESAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of one quality function with 0/1 correctness.

    Parameters
    ----------
    n : int
        Responses compared.
    auc : float or None
        Probability that a correct response is rated above a wrong one, ties counting half; None
        where all or none are correct.
    auc_interval : (float, float) or None
        95 %, resampling prompts.
    within : float or None
        The same among responses to one prompt only, prompts weighing by their pairs: what a router
        needs, since it compares arms on one prompt. None without such a pair.
    pairs : int
        Pairs of a correct and a wrong response to one prompt.
    """

    n: int
    auc: float | None
    auc_interval: tuple[float, float] | None
    within: float | None
    pairs: int


def auc(quality: NDArray[np.float64], correct: NDArray[np.bool_]) -> float | None:
    """Mann-Whitney's U over its maximum, ties half; None if all or none are correct.

    Parameters
    ----------
    quality, correct : ndarray, shape (n,)
    """
    positive = int(correct.sum())
    negative = len(correct) - positive
    if not positive or not negative:
        return None
    _, inverse, counts = np.unique(quality, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[inverse]  # the mean rank of ties
    above = float(ranks[correct].sum()) - positive * (positive + 1) / 2.0
    return above / (positive * negative)


def agreement(
    quality: NDArray[np.float64],
    correct: NDArray[np.bool_],
    prompts: Sequence[str],
    *,
    seed: int = 0,
) -> Agreement:
    """Compare; ``prompts`` names each response's prompt, shape (n,).

    Raises
    ------
    DataError
        If the three differ in length.
    """
    if not len(quality) == len(correct) == len(prompts):
        raise DataError(
            f"{len(quality)} qualities, {len(correct)} correctness, {len(prompts)} prompts; give "
            "one of each for every response"
        )
    groups: dict[str, list[int]] = {}
    for index, prompt in enumerate(prompts):
        groups.setdefault(prompt, []).append(index)
    members = [np.array(held) for held in groups.values()]
    wins, pairs = _within(quality, correct, members)
    return Agreement(
        n=len(quality),
        auc=auc(quality, correct),
        auc_interval=_interval(quality, correct, members, seed),
        within=wins / pairs if pairs else None,
        pairs=pairs,
    )


def _within(
    quality: NDArray[np.float64], correct: NDArray[np.bool_], members: list[NDArray[np.int64]]
) -> tuple[float, int]:
    wins, pairs = 0.0, 0
    for held in members:
        right, wrong = quality[held][correct[held]], quality[held][~correct[held]]
        gaps = np.subtract.outer(right, wrong)
        wins += float((gaps > 0).sum() + 0.5 * (gaps == 0).sum())
        pairs += gaps.size
    return wins, pairs


def _interval(
    quality: NDArray[np.float64],
    correct: NDArray[np.bool_],
    members: list[NDArray[np.int64]],
    seed: int,
) -> tuple[float, float] | None:
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        picked = np.concatenate(
            [members[at] for at in draw.integers(0, len(members), len(members))]
        )
        value = auc(quality[picked], correct[picked])
        if value is not None:
            found.append(value)
    if not found:
        return None
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)

"""Outcomes as a bundle's router sees them: scored, unseen in training, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.protocols import Scorer
from hybridroute.edge_runtime.scope import is_out_of_scope
from hybridroute.training.left_out import pair_rows
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.promise.outcomes import PairedOutcomes, QualityRange, UnsupportedError
from hybridroute.training.rows_seen import seen_in_training

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BundleRows:
    """Rows to calibrate on, and what was left out.

    Parameters
    ----------
    rows : PairedOutcomes
        In the order of their prompts' hashes, which has nothing to do with their outcomes.
    table : OutcomeTable
        The same rows.
    seen : int
        Left out: the router was fitted or selected on their prompts.
    outside : ndarray of bool, shape (n,)
        Which of the rows are out of scope: the router cannot judge them, so they count as the
        cloud's.
    without_the_pair, duplicates : int
        Left out.
    """

    rows: PairedOutcomes
    table: OutcomeTable
    seen: int
    outside: NDArray[np.bool_]
    without_the_pair: int
    duplicates: int

    @property
    def out_of_scope(self) -> int:
        """Rows that the router cannot judge."""
        return int(self.outside.sum())

    @property
    def counts(self) -> dict[str, int]:
        """Rows used, and left out by cause."""
        return {
            "n": self.rows.n,
            "n_seen_in_training": self.seen,
            "n_out_of_scope": self.out_of_scope,
            "rows_without_the_pair": self.without_the_pair,
            "duplicates": self.duplicates,
        }


def bundle_rows(
    bundle: Bundle,
    table: OutcomeTable,
    edge: str,
    cloud: str,
    *,
    quality_range: QualityRange,
    threads: int = 2,
    progress: Progress | None = None,
) -> BundleRows:
    """Score a pair's rows with a bundle's exported router.

    Raises
    ------
    DataError
        If no row has both arms, or a quality is outside the range.
    UnsupportedError
        If fewer than two rows are left.
    """
    pair = pair_rows(table, edge, cloud)
    seen = seen_in_training(bundle.manifest, pair.table)
    keys = pair.table.prompt_hashes()
    kept = pair.table.select(sorted(np.flatnonzero(~seen).tolist(), key=lambda at: keys[at]))
    n_seen, without = int(seen.sum()), pair.left_out.rows_without_the_pair
    if len(kept) < 2:
        raise UnsupportedError(
            _too_few(without, pair.left_out.duplicates, n_seen, len(kept)), n=len(kept)
        )
    scorer, limit = bundle.scorer(threads=threads), bundle.manifest.unknown_token_limit
    rows, outside = paired_rows(
        kept, edge, cloud, scorer, limit, quality_range=quality_range, progress=progress
    )
    return BundleRows(
        rows=rows,
        table=kept,
        seen=n_seen,
        outside=outside,
        without_the_pair=without,
        duplicates=pair.left_out.duplicates,
    )


def _too_few(without: int, duplicates: int, seen: int, left: int) -> str:
    """What the rows went to, by cause; a cause without any is not named."""
    causes = {
        "have no quality of both arms": without,
        "repeat a prompt": duplicates,
        "were seen in training": seen,
    }
    lost = [f"{count} {cause}" for cause, count in causes.items() if count]
    total = without + duplicates + seen + left
    why = f" ({', '.join(lost)})" if lost else ""
    return (
        f"{left} of {total} outcome{'' if total == 1 else 's'} can be used{why}, too few to "
        "conclude anything; give outcomes of other prompts, some hundreds at least"
    )


def paired_rows(
    table: OutcomeTable,
    edge: str,
    cloud: str,
    scorer: Scorer,
    unknown_token_limit: float,
    *,
    quality_range: QualityRange,
    progress: Progress | None = None,
) -> tuple[PairedOutcomes, NDArray[np.bool_]]:
    """Score rows one by one, as a client does, and say which of them are out of scope.

    A row that is out of scope is the cloud's whatever the threshold, and loses nothing.
    """
    scores = np.empty(len(table))
    outside = np.zeros(len(table), dtype=np.bool_)
    for at, text in enumerate(table.texts()):
        seen = scorer.assess(text)
        outside[at] = is_out_of_scope(seen.unknown_share, unknown_token_limit)
        scores[at] = 0.0 if outside[at] else seen.score
        if progress is not None:
            progress(at + 1, len(table))
    edge_q, cloud_q = table.mean_quality(edge), table.mean_quality(cloud)
    rows = PairedOutcomes(
        scores=scores,
        edge_q=np.where(outside, cloud_q, edge_q),
        cloud_q=cloud_q,
        quality_range=quality_range,
        outside=outside,
    )
    return rows, outside

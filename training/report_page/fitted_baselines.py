"""Length and nearest neighbours, fitted on rows that are not judged."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass

import numpy as np

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.baselines import LengthBaseline, NeighbourBaseline
from hybridroute.training.left_out import pair_rows
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.report_page.routers import Router

ENCODER = "minilm"
MOST_NEIGHBOURS = 50
FEWEST_ROWS = 10
_NEEDED = ("torch", "transformers", "safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRows:
    """Rows to fit on, none of them judged; ``own`` if the judged router learnt from them."""

    table: OutcomeTable | None
    own: bool

    def in_words(self) -> tuple[str, ...]:
        """What the page says of them: nothing, or one note."""
        fit = self.table
        if fit is None or not len(fit):
            return ()
        rows = f"{len(fit):,} {'row' if len(fit) == 1 else 'rows'}"
        if self.own:
            return (f"The baselines learn from the {rows} this router was fitted or selected on",)
        return (f"The baselines learn from {rows} given for it, none of them judged here",)


def apart_from(fit: OutcomeTable, judged: OutcomeTable, edge: str, cloud: str) -> OutcomeTable:
    """The pair's rows of ``fit`` whose prompts are not judged.

    Raises
    ------
    DataError
        If no row has both arms.
    """
    rows = pair_rows(fit, edge, cloud).table
    taken = set(judged.prompt_hashes())
    return rows.select(np.array([key not in taken for key in rows.prompt_hashes()]))


def length_router(judged: OutcomeTable, fit: OutcomeTable | None, edge: str, cloud: str) -> Router:
    """Shorter queries to the edge, or the other way round if the rows to fit on say so."""
    if fit is None or not len(fit):
        held = LengthBaseline(long_to_cloud=True, scale=1.0)
    else:
        means = fit.mean_quality(edge), fit.mean_quality(cloud)
        held = LengthBaseline.fit(fit.texts(), *means)
    return Router(name="length", kind="baseline", scores=held.score(judged.texts()))


def neighbour_router(
    judged: OutcomeTable, fit: OutcomeTable | None, edge: str, cloud: str, *, max_tokens: int
) -> Router | str:
    """The kNN baseline on frozen embeddings, or why there is none.

    k is the square root of the number of rows to fit on, at most ``MOST_NEIGHBOURS``.
    """
    if fit is None:
        return (
            "kNN is left out: among these outcomes is no row to fit it on that is not judged; give "
            "some with --fit-outcomes"
        )
    if len(fit) < FEWEST_ROWS:
        return (
            f"kNN is left out: {len(fit)} rows to fit on are not judged themselves, and it needs "
            f"{FEWEST_ROWS}"
        )
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"kNN is left out: {', '.join(missing)} is not installed (hybridroute[train])"
    from hybridroute.training.embeddings import frozen_embeddings

    try:
        near, far = (
            frozen_embeddings(table.texts(), encoder=ENCODER, max_tokens=max_tokens)
            for table in (fit, judged)
        )
    except TrainingError as exc:
        return f"kNN is left out: {exc}"
    k = min(MOST_NEIGHBOURS, math.isqrt(len(fit)))
    means = fit.mean_quality(edge), fit.mean_quality(cloud)
    held = NeighbourBaseline.fit(near, *means, k=k)
    return Router(name=f"kNN, k = {k}", kind="baseline", scores=held.score(far))

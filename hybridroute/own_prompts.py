"""Score quantiles measured on one's own prompts: a cost advantage that holds for one's traffic.

No labels are needed and none are made: this sets what share goes where, not what it costs in
quality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.chat import Message
from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.protocols import Scorer
from hybridroute.edge_runtime.scope import is_out_of_scope
from hybridroute.prompt_file import read_prompt_rows
from hybridroute.routed_text import routed_text
from hybridroute.score_quantiles import score_quantiles

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrompts:
    """What scoring one's prompts showed.

    Parameters
    ----------
    bundle : Bundle
        The bundle with the new quantiles, in memory; its files are those of the old one.
    n : int
        Prompts scored and in scope: the quantiles are theirs.
    out_of_scope : int
        Prompts the router cannot judge; they go to one arm whatever the threshold.
    """

    bundle: Bundle
    n: int
    out_of_scope: int


def read_prompts(path: Path) -> list[str]:
    """The routed texts of a prompt file; see :func:`read_conversations`."""
    return [routed_text(messages) for messages in read_conversations(path)]


def read_conversations(path: Path) -> list[tuple[Message, ...]]:
    """The messages of every prompt of a file; see :func:`read_prompt_rows`. Raises DataError."""
    return [row.messages for row in read_prompt_rows(path)]


def with_own_quantiles(
    bundle: Bundle,
    scorer: Scorer,
    prompts: Iterable[str],
    *,
    source: str,
    progress: Progress | None = None,
) -> OwnPrompts:
    """Measure the score quantiles on prompts; the bundle is given back with them, in memory.

    Parameters
    ----------
    prompts : iterable of str
        Routed texts.
    source : str
        Where they come from, for the manifest.
    progress : callable, optional
        Handed how many are scored, and of how many.

    Raises
    ------
    DataError
        If no prompt is in scope.
    """
    texts = list(prompts)
    limit = bundle.manifest.unknown_token_limit
    scores = []
    for done, text in enumerate(texts, start=1):
        seen = scorer.assess(text)
        if seen.score is not None and not is_out_of_scope(seen.unknown_share, limit):
            scores.append(seen.score)
        if progress is not None:
            progress(done, len(texts))
    if not scores:
        raise DataError(f"none of the {len(texts)} prompts is one that this router can judge")
    manifest = replace(bundle.manifest, score_quantiles=score_quantiles(scores, source))
    return OwnPrompts(
        bundle=Bundle(bundle.path, manifest),
        n=len(scores),
        out_of_scope=len(texts) - len(scores),
    )

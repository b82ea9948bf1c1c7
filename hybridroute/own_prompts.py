"""Score quantiles measured on one's own prompts: a cost advantage that holds for one's traffic.

No labels are needed and none are made: this sets what share goes where, not what it costs in
quality.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybridroute.calibration import score_quantiles
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import DataError, RequestError
from hybridroute.edge_runtime.protocols import Scorer
from hybridroute.routed_text import routed_text

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
    """Read a prompt file: a prompt a line, or a JSON object a line.

    It is JSON lines if the name ends in ``.jsonl`` or the first line opens an object; an object
    holds ``"prompt"`` (text) or ``"messages"``. Blank lines are passed over.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or a line is malformed; the line is named.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{path} cannot be read as UTF-8 text: {exc}") from exc
    held = [(at, line.strip()) for at, line in enumerate(lines, start=1) if line.strip()]
    if not held:
        raise DataError(f"{path} holds no prompt; give one a line, some hundreds to mean it")
    if path.suffix == ".jsonl" or held[0][1].startswith("{"):
        return [_from_json(f"{path}, line {at}", line) for at, line in held]
    return [_one_turn(line) for _, line in held]


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
    scores = []
    for done, text in enumerate(texts, start=1):
        seen = scorer.assess(text)
        if seen.unknown_share <= bundle.manifest.unknown_token_limit:
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


def write_copy(bundle: Bundle, out: Path) -> Bundle:
    """Write the bundle, with its manifest as it is in memory, to ``out``, atomically."""
    files = {name: bundle.read(name) for name in bundle.manifest.files}
    return Bundle.write(out, bundle.manifest, files)


def _one_turn(text: str) -> tuple[Message, ...]:
    return ({"role": "user", "content": text},)


def _from_json(where: str, line: str) -> tuple[Message, ...]:
    try:
        held = json.loads(line)
    except ValueError as exc:
        raise DataError(f"{where} is not JSON: {exc}") from exc
    if not isinstance(held, dict):
        raise DataError(f"{where} is a {type(held).__name__}; give an object")
    prompt = held.get("prompt", held.get("messages"))
    if isinstance(prompt, str):
        messages = _one_turn(prompt)
    elif isinstance(prompt, list):
        messages = _messages(where, prompt)
    else:
        raise DataError(f'{where} has neither "prompt" (text) nor "messages" (a list)')
    if not routed_text(messages):
        raise DataError(f"{where}: the prompt holds no user text")
    return messages


def _messages(where: str, held: list[Any]) -> tuple[Message, ...]:
    try:
        return ChatRequest(messages=tuple(held)).messages
    except RequestError as exc:
        raise DataError(f"{where}: {exc}") from exc

"""RouterEval's pickles (arXiv 2503.10657): scores of 3 to 1,000 models on one benchmark.

``[difficulty][size][group]`` with difficulty easy (3, 5) or hard (10, 100, 1000) and group
all_strong, all_weak or strong_to_weak holds ``data`` (train_score, val_score, test_score of shape
(n, m)) and ``model`` (m names); ``embedding`` (train_embed, ...) and ``prompt`` (train_prompt, ...)
stand beside them or at the top. Written to the published schema: no original records were at hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.routed_text import prompt_hash, prompt_text
from hybridroute.training.magnitude import LARGEST, fault_of
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.readers.plain_pickle import array_of, read_plain_pickle
from hybridroute.whole_number import whole_number

PARTS: Final = ("train", "val", "test")
SIZES: Final = {3: "easy", 5: "easy", 10: "hard", 100: "hard", 1000: "hard"}
GROUPS: Final = ("all_strong", "all_weak", "strong_to_weak")
_BENCHMARK = re.compile(r"_router_dataset$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Which of a file's pools to read.

    Raises
    ------
    ConfigError
        If RouterEval has no such pool.
    """

    size: int = 3
    group: str = "all_strong"

    def __post_init__(self) -> None:
        if self.size not in SIZES or self.group not in GROUPS:
            raise ConfigError(
                f"RouterEval has no pool of {self.size} models called {self.group!r}; sizes are "
                f"{sorted(SIZES)}, groups {', '.join(GROUPS)}"
            )

    @classmethod
    def parse(cls, text: str) -> Candidates:
        """``SIZE/GROUP``, such as ``10/strong_to_weak``."""
        said, _, group = text.partition("/")
        size = whole_number(said)
        if size is None or not group:
            raise ConfigError(f"{text!r} is not SIZE/GROUP, such as 10/strong_to_weak")
        return cls(size=size, group=group)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouterEvalPart:
    """One part of one pool.

    ``embeddings`` has shape (n, d), None where the file holds none. Without prompts the texts are
    the rows' own names, which no estimator should read.
    """

    table: ScoreTable
    embeddings: NDArray[np.float32] | None
    has_prompts: bool


def read_routereval(path: Path, candidates: Candidates) -> dict[str, RouterEvalPart]:
    """The parts ``train``, ``val`` and ``test`` of one pool; the domain is the benchmark's name.

    Scores are kept in one float64 matrix a part: 80 MB for 10,000 rows and 1,000 models. A score
    that is NaN stays missing.

    Raises
    ------
    DataError
        If the file holds anything but plain data, or lacks what the schema has.
    """
    whole = read_plain_pickle(path)
    try:
        pool = _pool(whole, candidates)
        return {part: _part(path, whole, pool, part) for part in PARTS}
    except DataError as exc:
        raise DataError(f"{path}: {exc}") from exc


def _pool(whole: Any, candidates: Candidates) -> Mapping[str, Any]:
    held = whole
    for key in (SIZES[candidates.size], candidates.size, candidates.group):
        if not isinstance(held, dict) or key not in held:
            there = sorted(map(str, held)) if isinstance(held, dict) else type(held).__name__
            raise DataError(f"there is no {key!r} where the schema has it, but {there}")
        held = held[key]
    if not isinstance(held, dict):
        raise DataError(f"the pool is a {type(held).__name__}; an object is expected")
    return held


def _part(path: Path, whole: Any, pool: Mapping[str, Any], part: str) -> RouterEvalPart:
    quality = _matrix(_of(pool, "data", f"{part}_score"), f"{part}_score", np.float64)
    names = tuple(str(name) for name in array_of(_of(pool, "model")))
    if len(names) != quality.shape[1] or len(set(names)) != len(names):
        raise DataError(f"model has {len(names)} names for {quality.shape[1]} columns of {part}")
    texts = _texts(_beside(whole, pool, "prompt", f"{part}_prompt"), len(quality), part)
    found = _beside(whole, pool, "embedding", f"{part}_embed")
    embeddings = None if found is None else _matrix(found, f"{part}_embed", np.float32)
    if embeddings is not None and len(embeddings) != len(quality):
        raise DataError(f"{part}_embed has {len(embeddings)} rows, {part}_score {len(quality)}")
    benchmark = _BENCHMARK.sub("", path.stem)
    shown = texts or tuple(f"{benchmark} {part} {row}" for row in range(len(quality)))
    table = ScoreTable(
        arms=names,
        quality=quality,
        cost_usd=None,
        texts=shown,
        hashes=tuple(prompt_hash(text) for text in shown),
        domains=(benchmark,) * len(quality),
        source=f"{path.name} ({part})",
    )
    return RouterEvalPart(table=table, embeddings=embeddings, has_prompts=texts is not None)


def _of(held: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        if not isinstance(held, dict) or key not in held:
            raise DataError(f"{key} is missing from the pool")
        held = held[key]
    return held


def _beside(whole: Any, pool: Mapping[str, Any], *keys: str) -> Any | None:
    for home in (pool, whole):
        if isinstance(home.get(keys[0]), dict) and keys[1] in home[keys[0]]:
            return home[keys[0]][keys[1]]
    return None


def _matrix(held: object, name: str, dtype: Any) -> NDArray[Any]:
    try:
        found = np.asarray(array_of(held), dtype=dtype)
    except (ValueError, TypeError) as exc:
        raise DataError(f"{name} is not a matrix of numbers ({exc})") from exc
    if found.ndim != 2:
        raise DataError(f"{name} has shape {found.shape}; give (n, m)")
    large = np.argwhere(np.abs(found) > LARGEST)
    if len(large):
        row, column = large[0]
        raise DataError(f"{name}[{row}, {column}] {fault_of(float(found[row, column]))}")
    return found


def _texts(held: object | None, n: int, part: str) -> tuple[str, ...] | None:
    if held is None:
        return None
    texts = array_of(held)
    if len(texts) != n or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{part}_prompt is not {n} texts, one a row")
    return tuple(prompt_text(str(text)) for text in texts)

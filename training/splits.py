"""Splitting by hash: the same key and seed give the same part on every machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.outcomes import OutcomeTable

Parts = Sequence[tuple[str, float]]


def split_of(key: str, seed: int, parts: Parts) -> str:
    """The part that ``key`` falls in.

    The first 8 bytes of sha256 of seed and key, as a number in [0, 1), are laid on the parts'
    shares in their order.

    Raises
    ------
    ConfigError
        If the shares are not positive or do not sum to 1, or a name stands twice.
    """
    _check_parts(parts)
    data = f"{seed}\x00{key}".encode("utf-8", errors="surrogatepass")
    place = int.from_bytes(hashlib.sha256(data).digest()[:8], "big") / 2**64
    edge = 0.0
    for name, share in parts:
        edge += share
        if place < edge:
            return name
    return parts[-1][0]


def split_by_domain(table: OutcomeTable, seed: int, parts: Parts) -> dict[str, OutcomeTable]:
    """Split whole domains: every row of a domain is in one part. A part may come out empty.

    Raises
    ------
    DataError
        If a row has no domain.
    """
    keys = []
    for row in table.rows:
        if row.domain is None:
            raise DataError(f"row {row.id!r} has no domain; add it, or split by prompt")
        keys.append(row.domain)
    return _split(table, keys, seed, parts)


def split_by_prompt(table: OutcomeTable, seed: int, parts: Parts) -> dict[str, OutcomeTable]:
    """Split rows by the hash of their routed text: equal prompts never part."""
    return _split(table, table.prompt_hashes(), seed, parts)


def _split(
    table: OutcomeTable, keys: Sequence[str], seed: int, parts: Parts
) -> dict[str, OutcomeTable]:
    _check_parts(parts)
    of_key = {key: split_of(key, seed, parts) for key in set(keys)}
    return {
        name: table.select([i for i, key in enumerate(keys) if of_key[key] == name])
        for name, _ in parts
    }


def _check_parts(parts: Parts) -> None:
    names = [name for name, _ in parts]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"the parts are {names}; give one or more different names")
    total = math.fsum(share for _, share in parts)
    if any(share <= 0.0 for _, share in parts) or abs(total - 1.0) > 1e-9:
        raise ConfigError(f"the parts' shares are {list(parts)}; give positive ones that sum to 1")
